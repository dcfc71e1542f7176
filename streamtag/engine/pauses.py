import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from streamtag.daytime import Location, Span, is_within
from streamtag.engine.stream import EngineStream
from streamtag.keys import SERVER
from streamtag.settings import Stream
from streamtag.wire.pcm_messages import PauseRequest

__all__ = ["Pauses"]

_LOOK_SECONDS = 1.0
_MOST_REMEMBERED = 10_000
_MOST_TOLD = 100
_ASKED = "until it is resumed"

logger = logging.getLogger(__name__)


class Pauses:
    """Which streams are connected and not scored: in their hours of the day, or because somebody asked.

    Whatever was last holds: hours that begin pause, hours that end resume, and a request does either at any time. A
    name stays paused when its stream goes and comes again.

    Attributes:
        faults: Requests that were refused.
    """

    def __init__(
        self,
        find: Callable[[str], EngineStream | None],
        owner_of: Callable[[str], str | None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Begin with none.

        Args:
            find: Returns a stream by its name, None where there is none.
            owner_of: Returns the name of the key that a pushed stream belongs to, None where it is nobody's.
            now: Unix seconds.
        """
        self.faults = 0
        self._find = find
        self._owner_of = owner_of
        self._now = now
        self._location: Location | None = None
        self._spans: dict[str, Span] = {}
        self._was_within: dict[str, bool] = {}
        self._reasons: OrderedDict[str, str] = OrderedDict()  # of the names that are paused
        self._told: set[str] = set()
        self._due = 0.0
        self._lock = threading.Lock()  # requests, the clock and new streams come in threads of their own

    def go_by(self, streams: Iterable[Stream], location: Location | None) -> None:
        """Take over the hours of streams; what is paused by hours that are other ones now is resumed."""
        spans = {stream.id: stream.pause for stream in streams if stream.pause is not None}
        with self._lock:
            gone = [name for name, span in self._spans.items() if spans.get(name) != span]
            self._spans, self._location = spans, location
            for name in gone:
                if self._was_within.pop(name, False) and self._reasons.get(name, _ASKED) != _ASKED:
                    self._set(name, "")
            self._look()

    def begin(self, stream: EngineStream) -> None:
        """Take up a stream, before its first sound."""
        with self._lock:
            if reason := self._reasons.get(stream.id):
                stream.queue.pause(reason)

    def ask(self, request: PauseRequest) -> None:
        """Do what somebody asks; a stream that belongs to a key is paused by that one and by the service's own."""
        owner = self._owner_of(request.stream)
        with self._lock:
            if owner not in (None, request.sender) and request.sender != SERVER:
                self._refuse(request, f"it belongs to key {owner}")
            elif self._find(request.stream) is None:
                self._refuse(request, "there is none of that name")
            else:
                self._set(request.stream, _ASKED if request.is_paused else "")

    def look(self) -> None:
        """Follow the clock; to be called about once a second."""
        with self._lock:
            if time.monotonic() >= self._due:
                self._look()

    def _look(self) -> None:
        self._due = time.monotonic() + _LOOK_SECONDS
        now = self._now()
        within = {span: is_within(span, now, self._location) for span in set(self._spans.values())}
        for name, span in self._spans.items():
            if within[span] != self._was_within.get(name, False):
                self._set(name, f"from {span[0]} to {span[1]}" if within[span] else "")
            self._was_within[name] = within[span]

    def _set(self, name: str, reason: str) -> None:
        if reason:
            self._reasons[name] = reason
            while len(self._reasons) > _MOST_REMEMBERED + len(self._spans):
                self._reasons.popitem(last=False)
        else:
            self._reasons.pop(name, None)
        stream = self._find(name)
        if stream is not None:
            stream.queue.pause(reason)

    def _refuse(self, request: PauseRequest, reason: str) -> None:
        """Log it once for each name, and for no more names than one can read."""
        self.faults += 1
        if request.stream not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(request.stream)
            whose = f" by key {request.sender}" if request.sender else ""
            logger.warning("a request%s to pause stream %s is refused: %s", whose, request.stream, reason)
