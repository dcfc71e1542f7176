"""A container's health: whether the service publishes. `python -m deploy.health ENDPOINT [KEYS]` exits with 0 or 1.

KEYS is the folder of `[service] keys`, which need not be there.
"""

import sys
from pathlib import Path

from streamtag.errors import StreamtagError
from streamtag.keys import ServerKeys
from streamtag.wire import Subscriber

_SECONDS = 10.0


def healthy(endpoint: str, seconds: float = _SECONDS, keys: Path | None = None) -> bool:
    """Tell whether a message about the service comes within `seconds`; it repeats it every 5 s and at once on demand.

    Raises:
        WireError: the endpoint is none.
        ConfigError: the keys cannot be read.
    """
    key = ServerKeys(keys).own if keys is not None and keys.is_dir() else None
    with Subscriber(endpoint, kinds=["service"], key=key) as subscriber:
        return subscriber.receive(seconds) is not None


if __name__ == "__main__":
    try:
        sys.exit(0 if healthy(sys.argv[1], keys=Path(sys.argv[2]) if len(sys.argv) > 2 else None) else 1)
    except StreamtagError as error:
        sys.exit(f"error: {error}")
