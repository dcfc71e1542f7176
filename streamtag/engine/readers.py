import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from streamtag.audio import Block
from streamtag.engine.stream import Change, EngineStream, Item
from streamtag.errors import StreamtagError
from streamtag.redaction import scrub
from streamtag.settings import Stream
from streamtag.sources import Patience, Received, Receivers, Source, is_received, open_source
from streamtag.sources.uri import split
from streamtag.threads import Worker
from streamtag.wire.messages import StreamState

__all__ = ["Reader"]

# Of errors that each block may bring.
_COMPLAINT_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Reader:
    """Reads one source, cuts its sound into patches and queues them.

    What is decoded, or may hang, is received in other processes; standard input has a thread.
    """

    def __init__(self, stream: EngineStream, settings: Stream, receivers: Receivers) -> None:
        self.stream = stream
        self.settings = settings
        self._receivers = receivers
        self._source: Source | Received | None = None
        self._closed = threading.Event()
        self._ended = threading.Event()
        self._live = False
        self._complain_at = 0.0
        self._remark = ""  # on sound that came all the same, such as a recording's that is cut
        self._is_live = split(settings.source)[0] != "file"
        # A recording that is read as fast as possible waits for room; whatever has its own pace goes on.
        self._can_wait = settings.source == "-"

    def start(self) -> None:
        """Begin to read."""
        if is_received(self.settings.source):
            self._source = self._receivers.open(self.settings.source, self._options(), self)
            if self._closed.is_set():  # close() came before there was a source that it could close
                self._source.close()
        else:
            Worker(self.stream.id, self._read, on_failure=self._fail).start()

    def close(self) -> None:
        """Ask the source to end; what it gave is still queued."""
        self._closed.set()
        if self._source is not None:
            self._source.close()

    def join(self, seconds: float) -> None:
        """Wait for the end of reading for at most `seconds`."""
        self._ended.wait(max(0.0, seconds))

    def take(self, block: Block, *, waits: bool) -> None:
        """Take in what was received; a source that `waits` does so until there is room for it."""
        with self._failing_alone(lasting=self._is_live):
            self._can_wait = waits
            if not self._closed.is_set():
                self._take(block)

    def tell(self, state: str, reason: str) -> None:
        """Take over what the source says of itself; it stands in the queue behind the sound that it gave before."""
        with self._failing_alone(lasting=self._is_live):
            self._live = state == "live"
            self._remark = reason if self._live else ""
            rest: list[Item] = [] if self._live else list(self.stream.patcher.interrupt())
            self._put([*rest, Change(cast(StreamState, state), scrub(reason))])

    def end(self, failure: str | None) -> None:
        """Score what is left and say how it ended; only the first call counts."""
        with self._failing_alone():
            if not self._ended.is_set():
                change = Change("ended", self._remark) if failure is None else Change("failed", scrub(failure))
                self._put([*self.stream.patcher.finish(), change])
                self._ended.set()

    def _read(self) -> None:
        """Read all, in a thread of its own."""
        try:
            self._read_all()
        except Exception as error:
            self._fail(error)
        else:
            self.end(None)

    def _read_all(self) -> None:
        with open_source(self.settings.source, on_state=self.tell, **self._options()) as source:
            self._source = source
            if self._closed.is_set():  # close() came before there was a source that it could close
                return
            for block in source:
                if self._closed.is_set():
                    return
                self.take(block, waits=self._can_wait)

    @contextmanager
    def _failing_alone(self, *, lasting: bool = False) -> Iterator[None]:
        """Whoever calls goes on whatever happens, and so does a stream that is `lasting`, but for what failed."""
        try:
            try:
                yield
            except StreamtagError:
                raise
            except Exception as error:
                if not lasting:
                    raise
                self._stumble(error)
        except Exception as error:
            self._fail(error)
            self.close()

    def _stumble(self, error: Exception) -> None:
        """Leave out what could not be taken in; the source is live and gives more, which may go well."""
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + _COMPLAINT_SECONDS
            logger.error("stream %s: a block could not be taken in", self.stream.id, exc_info=error)
        self._live, self._remark = False, ""
        self._put([*self.stream.patcher.interrupt(), Change("reconnecting", _in_words(error))])

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, StreamtagError):
            self.end(str(error))
            return
        logger.error("stream %s: reading failed", self.stream.id, exc_info=error)
        if not self._ended.is_set():
            self._put([Change("failed", _in_words(error))])
            self._ended.set()

    def _options(self) -> dict[str, Any]:
        settings, wait = self.settings, self.settings.timeout_seconds
        return {
            "realtime": settings.realtime,
            "loop": settings.loop,
            "rate": settings.rate,
            "channels": settings.channels,
            "sample_format": settings.format,
            "ca_file": settings.ca_file,
            "leads_to": settings.leads_to or (),
            "patience": None if wait is None else Patience(open_seconds=wait, read_seconds=wait),
        }

    def _take(self, block: Block) -> None:
        items = self.stream.feed(block)
        if not self._live:
            self._live = True
            items.insert(0, Change("live"))
        self._put(items)

    def _put(self, items: list[Item]) -> None:
        self.stream.put(items, wait=self._can_wait and not self._closed.is_set())


def _in_words(error: BaseException) -> str:
    return scrub(f"internal error: {type(error).__name__}: {error}")
