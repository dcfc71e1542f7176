"""The history as a sink of the service: what it is told of events, states and sound."""

from pathlib import Path
from typing import Final

from streamtag.audio import Patch
from streamtag.history import History
from streamtag.settings import Config
from streamtag.sinks.sink import SinkMessage
from streamtag.wire.messages import EventHeader, HistoryState, ServiceHeader, StatusHeader

__all__ = ["HistorySink"]

_HEARD: Final = frozenset({"starting", "live"})


class HistorySink:
    """Keeps events, and the sound around their onsets where the settings say so."""

    name = "history"
    kinds = frozenset({"event", "status"})

    def __init__(self, config: Config, path: str) -> None:
        self._history = History(Path(path), config.history)
        self.go_by(config)

    @property
    def restarts(self) -> int:
        """How often the history's thread failed in a way that nobody foresaw, and went on."""
        return self._history.restarts

    def start(self) -> None:
        """Open the file, in a thread; where it cannot be opened the log says so."""
        self._history.start()

    def go_by(self, config: Config) -> None:
        """Take over which streams are kept out of it."""
        self._left_out = frozenset(stream.id for stream in config.streams if not stream.keep)

    def hear(self, stream: str, patch: Patch) -> None:
        """Take in sound, for clips."""
        if stream not in self._left_out:
            self._history.patch(stream, patch)

    def take(self, message: SinkMessage) -> None:
        """Keep an onset or an end; let go of the sound of a stream that is not heard any more."""
        match message.header:
            case EventHeader(offset=None) as event if event.stream not in self._left_out:
                time = event.time if event.onset_time is None else event.onset_time
                self._history.begin(event.stream, event.id, event.label, event.onset, event.peak, time)
            case EventHeader(offset=float(offset)) as event:
                self._history.end(event.stream, event.id, offset, event.peak)
            case StatusHeader() as status if status.state not in _HEARD:
                self._history.leave(status.stream)

    def settle(self, seconds: float) -> bool:
        """Wait for what came to be in the file."""
        return self._history.settle(seconds)

    def describe(self, header: ServiceHeader) -> None:
        """Say whether events are kept."""
        header.history = HistoryState(*self._history.fares)

    def stop(self, seconds: float) -> None:
        """Write what waits and close the file."""
        self._history.stop(seconds)
