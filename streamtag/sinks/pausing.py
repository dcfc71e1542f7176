"""Asking the service to pause a stream, or to resume it, for whoever tells a sink to."""

import logging
from typing import Protocol, runtime_checkable

from streamtag.errors import StreamtagError
from streamtag.keys import ClientKey
from streamtag.wire import ServiceControl
from streamtag.wire.endpoints import reachable

__all__ = ["Pausing", "PausingSink"]

_WAIT_SECONDS = 1.0

logger = logging.getLogger(__name__)


@runtime_checkable
class PausingSink(Protocol):
    """A sink through which others pause streams."""

    def pause_by(self, pausing: "Pausing") -> None:
        """Take note of how it is done, before the start."""


class Pausing:
    """Sends requests to the service's input; one thread uses it."""

    def __init__(self, address: str, key: ClientKey | None) -> None:
        """Take note of the service; nothing is connected yet.

        Args:
            address: Where it publishes.
            key: With which it lets us in, where it asks for one.
        """
        self._address = address
        self._key = key
        self._input: str | None = None
        self._control: ServiceControl | None = None

    def go_by(self, told: str | None) -> None:
        """Take over what the service says of where it takes requests."""
        if told != self._input:
            self.close()
            self._input = told

    def ask(self, stream: str, *, is_paused: bool) -> None:
        """Ask for a stream to be paused or resumed; where nobody takes that, the log says so."""
        if self._input is None:
            logger.warning("stream %s: the service takes no requests: set [service] input", stream)
            return
        try:
            if self._control is None:
                self._control = ServiceControl(reachable(self._input, self._address), _WAIT_SECONDS, key=self._key)
            if is_paused:
                self._control.pause(stream)
            else:
                self._control.resume(stream)
        except StreamtagError as error:
            logger.warning("stream %s is not %s: %s", stream, "paused" if is_paused else "resumed", error)

    def close(self) -> None:
        """Close the connection."""
        if self._control is not None:
            self._control.close()
            self._control = None
