"""How a service ends: because it is stopped, or because a part failed without which it is none."""

import threading

from streamtag.errors import StreamtagError

__all__ = ["Ending"]


class Ending:
    """Waited for by whoever runs the service, told by its threads."""

    def __init__(self) -> None:
        self._failure: StreamtagError | None = None
        self._ended = threading.Event()

    def fail(self, part: str, error: BaseException) -> None:
        """End the service: whoever waits for it hears why, and starts it anew from the beginning."""
        if self._failure is None:
            self._failure = StreamtagError(f"{part} failed: {type(error).__name__}: {error}; the service ends")
            self._failure.__cause__ = error
        self._ended.set()

    def end(self) -> None:
        """Say that the service was stopped."""
        self._ended.set()

    def wait(self, seconds: float | None) -> bool:
        """See `Service.wait`."""
        ended = self._ended.wait(seconds)
        if self._failure is not None:
            raise self._failure
        return ended
