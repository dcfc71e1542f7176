"""Ports for servers of the tests, which nobody else takes between the choice and the use.

They lie below those that the system gives out by itself, and each worker of a parallel run has a range of its own.
Where in it a run begins is chance: another run on the same machine, or one just before, is hardly ever in the way.
"""

import os
import random
import socket
from itertools import cycle

_FIRST, _COUNT = 12_000, 2_500
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_range = range(_FIRST + _worker * _COUNT, _FIRST + (_worker + 1) * _COUNT)
_begin = random.Random(os.urandom(8)).randrange(_COUNT)
_ports = cycle([*_range[_begin:], *_range[:_begin]])


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port of this machine at which nobody listens, another one at each call.

    Args:
        kind: of the sockets that will use it, TCP or UDP.
    """
    return next(port for port in _ports if _is_free(port, kind))


def _is_free(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
