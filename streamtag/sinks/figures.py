"""What is known of a service in numbers: headers of the wire in, counts out; knows no library and no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from streamtag.wire.messages import EventHeader, Header, ScoresHeader, ServiceHeader, StatusHeader

__all__ = ["Figures", "StreamFigures"]

_RATE: Final = 16_000
_GONE_SECONDS: Final = 10.0
_AWAY_SECONDS: Final = 15.0
"""The service speaks at least every 5 s."""


@dataclass(slots=True)
class StreamFigures:
    """What is known of one stream.

    Attributes:
        captured: Unix seconds of the newest sample that was scored, None before the first.
        level_dbfs: Of the newest patch, None before the first.
        events: Onsets heard, by configured label.
        active: Whether it is heard now, by configured label.
    """

    state: str = "starting"
    captured: float | None = None
    level_dbfs: float | None = None
    lost_samples: int = 0
    dropped_patches: int = 0
    reconnects: int = 0
    events: dict[str, int] = field(default_factory=dict)
    active: dict[str, bool] = field(default_factory=dict)


class Figures:
    """The newest of everything, and what has to be counted along the way.

    Attributes:
        streams: By name, those that the service has.
        service: What it said last of itself, None before.
        lost_samples: Over all streams, those that are gone too.
        scored_at: When a patch was scored last; a clock that only goes forwards, as `now` everywhere here.
        had_streams: Whether the service has told of any public stream.
    """

    def __init__(self, labels: Iterable[str], began: float) -> None:
        """Begin with nothing heard.

        Args:
            labels: Those that are counted one by one.
            began: Unix seconds; what was told before is no news.
        """
        self.streams: dict[str, StreamFigures] = {}
        self.service: ServiceHeader | None = None
        self.lost_samples = 0
        self.scored_at = float("-inf")
        self.had_streams = False
        self._labels = tuple(labels)
        self._began = began
        self._heard_at = float("-inf")
        self._absent: dict[str, float] = {}
        self._first: set[str] = set()

    def hear(self, header: Header, now: float) -> None:
        """Take in the header of a message of any kind."""
        match header:
            case ServiceHeader():
                self._hear_service(header, now)
            case StatusHeader():
                self._hear_status(header)
            case ScoresHeader():
                stream = self._stream(header.stream)
                is_old = stream.captured is None and header.time < self._began
                stream.captured, stream.level_dbfs = header.time, header.rms_dbfs
                self._lose(stream, header.lost_samples)
                if not is_old:  # the service repeats its newest to whoever begins to listen
                    self.scored_at = now
            case EventHeader():
                self._hear_event(header)

    def is_heard(self, now: float) -> bool:
        """Tell whether the service spoke a short while ago."""
        return now - self._heard_at < _AWAY_SECONDS

    def unheard_seconds(self, now: float) -> float | None:
        """Return for how long the service has not spoken, None where it never did."""
        return now - self._heard_at if self._heard_at >= 0 else None

    def _hear_service(self, header: ServiceHeader, now: float) -> None:
        if self.service is not None and self.service.session != header.session:
            for stream in self.streams.values():
                stream.active.update(dict.fromkeys(self._labels, False))
        self.service, self._heard_at = header, now
        names = set(header.streams).difference(header.private)
        for name in names:
            self._absent.pop(name, None)
            self._stream(name)
        for name in self.streams.keys() - names:
            # One whose settings changed goes and comes, and its counts go on.
            if now - self._absent.setdefault(name, now) >= _GONE_SECONDS:
                del self.streams[name], self._absent[name]
                self._first.discard(name)

    def _hear_status(self, header: StatusHeader) -> None:
        stream = self._stream(header.stream)
        if header.state == "reconnecting" != stream.state:
            stream.reconnects += 1
        stream.state = header.state
        stream.dropped_patches = header.dropped_patches
        self._lose(stream, header.lost_samples)

    def _hear_event(self, header: EventHeader) -> None:
        stream = self._stream(header.stream)
        is_old = header.stream not in self._first and header.time < self._began
        self._first.add(header.stream)
        if header.label not in stream.events:
            return
        stream.active[header.label] = header.state == "on"
        if header.state == "on" and not is_old:
            stream.events[header.label] += 1

    def _stream(self, name: str) -> StreamFigures:
        stream = self.streams.get(name)
        if stream is None:
            self.had_streams = True
            zeros, none = dict.fromkeys(self._labels, 0), dict.fromkeys(self._labels, False)
            stream = self.streams[name] = StreamFigures(events=zeros, active=none)
        return stream

    def _lose(self, stream: StreamFigures, lost_samples: int) -> None:
        # A stream that begins anew counts from nothing.
        self.lost_samples += lost_samples - (stream.lost_samples if lost_samples >= stream.lost_samples else 0)
        stream.lost_samples = lost_samples

    @property
    def lost_seconds(self) -> float:
        """Seconds of sound lost over all streams."""
        return self.lost_samples / _RATE
