import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from streamtag.audio import Block
from streamtag.errors import StreamtagError
from streamtag.intake.intake import Intake
from streamtag.settings import Stream
from streamtag.source_kinds import kind_of
from streamtag.sources import ReceivedSource, ReceiverPool, Source, Timeouts, open_source
from streamtag.threads import Worker
from streamtag.wire.messages import StreamState

__all__ = ["SourceReader"]

logger = logging.getLogger(__name__)


class SourceReader:
    """Reads one source, and brings its sound and its states to the stream's intake.

    What is decoded, or may hang, is received in other processes; standard input has a thread.
    """

    def __init__(self, intake: Intake, settings: Stream, receivers: ReceiverPool) -> None:
        self._intake = intake
        self.settings = settings
        self._receivers = receivers
        self._source: Source | ReceivedSource | None = None
        self._closed = threading.Event()
        self._ended = threading.Event()
        kind = kind_of(settings.source)
        self._is_live = kind is None or kind.is_live
        self._is_received = kind is not None and kind.received != "here"

    def start(self) -> None:
        """Begin to read."""
        if self._is_received:
            self._source = self._receivers.open(self.settings.source, self._options(), self)
            if self._closed.is_set():  # close() came before there was a source that it could close
                self._source.close()
        else:
            Worker(self._intake.stream, self._read, on_failure=self._fail).start()

    def close(self) -> None:
        """Ask the source to end; what it gave is still queued."""
        self._closed.set()
        self._intake.waits = False
        if self._source is not None:
            self._source.close()

    def join(self, seconds: float) -> None:
        """Wait for the end of reading for at most `seconds`."""
        self._ended.wait(max(0.0, seconds))

    def add_block(self, block: Block, *, waits: bool) -> None:
        """Take in what was received; a source that `waits` does so until there is room for it."""
        with self._failing_alone(lasting=self._is_live):
            if not self._closed.is_set():
                self._intake.waits = waits
                self._intake.add_block(block)

    def set_state(self, state: str, reason: str) -> None:
        """Take over what the source says of itself; it stands in the queue behind the sound that it gave before."""
        with self._failing_alone(lasting=self._is_live):
            self._intake.set_state(cast(StreamState, state), reason)

    def end(self, failure: str | None) -> None:
        """Score what is left and say how it ended; only the first call counts."""
        with self._failing_alone():
            if failure is None:
                self._intake.end(self._remark)
            else:
                self._intake.fail(failure)
            self._ended.set()

    @property
    def _remark(self) -> str:
        """On sound that came all the same, such as a recording's that is cut."""
        newest = self._intake.newest
        return newest.reason if newest.state == "live" else ""

    def _read(self) -> None:
        """Read all, in a thread of its own."""
        try:
            self._read_all()
        except Exception as error:
            self._fail(error)
        else:
            self.end(None)

    def _read_all(self) -> None:
        with open_source(self.settings.source, on_state=self.set_state, **self._options()) as source:
            self._source = source
            if self._closed.is_set():  # close() came before there was a source that it could close
                return
            for block in source:
                if self._closed.is_set():
                    return
                self.add_block(block, waits=True)  # nobody reads standard input for it

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
                self._intake.stumble(error)
        except Exception as error:
            self._fail(error)
            self.close()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, StreamtagError):
            self.end(str(error))
            return
        logger.error("stream %s: reading failed", self._intake.stream, exc_info=error)
        self._intake.break_down(error)
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
            "timeouts": None if wait is None else Timeouts(open_seconds=wait, read_seconds=wait),
        }
