"""A container's health: whether the service publishes. `python -m deploy.health ENDPOINT` exits with 0 or 1."""

import sys

from streamtag.errors import StreamtagError
from streamtag.wire import Subscriber

_SECONDS = 10.0


def healthy(endpoint: str, seconds: float = _SECONDS) -> bool:
    """Tell whether a message about the service comes within `seconds`; it repeats it every 5 s and at once on demand.

    Raises:
        WireError: the endpoint is none.
    """
    with Subscriber(endpoint, kinds=["service"]) as subscriber:
        return subscriber.receive(seconds) is not None


if __name__ == "__main__":
    try:
        sys.exit(0 if healthy(sys.argv[1]) else 1)
    except StreamtagError as error:
        sys.exit(f"error: {error}")
