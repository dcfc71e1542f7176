import logging
import threading
from typing import cast

from streamtag.engine.stream import Change, EngineStream, Item
from streamtag.errors import StreamtagError
from streamtag.settings import Stream
from streamtag.sources import Source, open_source
from streamtag.sources.uri import split
from streamtag.wire.messages import StreamState

__all__ = ["Reader"]

logger = logging.getLogger(__name__)


class Reader:
    """The thread that reads one source, cuts its sound into patches and queues them."""

    def __init__(self, stream: EngineStream, settings: Stream) -> None:
        self.stream = stream
        self.settings = settings
        self._source: Source | None = None
        self._closed = threading.Event()
        self._live = False
        self._remark = ""  # on sound that came all the same, such as a recording's that is cut
        # A recording that is read as fast as possible waits for room; whatever has its own pace goes on.
        self._can_wait = split(settings.source)[0] in ("file", "-") and not settings.realtime
        self._thread = threading.Thread(target=self._run, name=f"streamtag-{stream.id}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Ask the source to end; what it gave is still queued."""
        self._closed.set()
        if self._source is not None:
            self._source.close()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end for at most `seconds`."""
        self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        try:
            self._read()
            self._put([*self.stream.patcher.finish(), Change("ended", self._remark)])
        except StreamtagError as error:
            self._put([*self.stream.patcher.finish(), Change("failed", str(error))])
        except Exception as error:
            logger.exception("stream %s: reading failed", self.stream.id)
            self._put([Change("failed", f"internal error: {type(error).__name__}: {error}")])

    def _read(self) -> None:
        settings = self.settings
        self._source = open_source(
            settings.source,
            on_state=self._on_state,
            realtime=settings.realtime,
            loop=settings.loop,
            rate=settings.rate,
            channels=settings.channels,
            sample_format=settings.format,
        )
        with self._source as blocks:
            if self._closed.is_set():  # close() came before there was a source that it could close
                return
            for block in blocks:
                if self._closed.is_set():
                    return
                items = self.stream.feed(block)
                if not self._live:
                    self._live = True
                    items.insert(0, Change("live"))
                self._put(items)

    def _on_state(self, state: str, reason: str) -> None:
        # What the source says of itself stands in the queue behind the sound that it gave before.
        self._live = state == "live"
        self._remark = reason if self._live else ""
        rest: list[Item] = [] if self._live else list(self.stream.patcher.interrupt())
        self._put([*rest, Change(cast(StreamState, state), reason)])

    def _put(self, items: list[Item]) -> None:
        self.stream.put(items, wait=self._can_wait and not self._closed.is_set())
