"""Ports for servers of the tests, which nobody else takes between the choice and the use.

They lie below those that the system gives out by itself. Each process of tests takes them by the hundred, for as long
as it lives: no other run on the same machine has one of these.
"""

import atexit
import random
import socket
from collections.abc import Iterator

_FIRST, _LAST, _AT_A_TIME = 12_000, 32_000, 100


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port of this machine at which nobody listens, another one at each call.

    Args:
        kind: of the sockets that will use it, TCP or UDP.
    """
    return next(port for port in _ports if _is_free(port, kind))


def _own_ports() -> Iterator[int]:
    places = list(range(_FIRST, _LAST, _AT_A_TIME))
    random.Random().shuffle(places)
    for place in places:
        # A name that is taken is one of another run; it is free again when that has ended, however it did.
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0streamtag tests {place}")
        except OSError:
            mark.close()
            continue
        atexit.register(mark.close)
        yield from range(place, place + _AT_A_TIME)


_ports = _own_ports()


def _is_free(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
