"""Recordings: anything that FFmpeg reads, as fast as possible or at the pace of the clock."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from streamtag.audio.block import Block
from streamtag.errors import SourceError
from streamtag.redaction import redact
from streamtag.sources.ffmpeg import Chunk
from streamtag.sources.recording import Pass
from streamtag.sources.source import Request, Source
from streamtag.sources.timeline import Timeline

__all__ = ["FileSource", "open_request"]

_PACED_SECONDS = 0.1
_FAST_SECONDS = 1.0


def open_request(request: Request) -> Source:
    """Open `file:PATH`, `file:///PATH` or a bare path."""
    request.refuse("a file", "rate", "channels", "sample_format")
    return FileSource(request)


class FileSource:
    """A recording's blocks.

    Raises:
        SourceError: at once if there is no such file; while iterating if it holds no audio.
    """

    def __init__(self, request: Request) -> None:
        place = request.place.removeprefix("//") if request.place.startswith("///") else request.place
        self._path = Path(place).expanduser()
        self.name = redact(request.uri)
        self.rate = 0
        self.channels = 0
        self._on_state = request.on_state
        self._realtime = request.realtime
        self._loop = request.loop
        self._closed = threading.Event()
        self._told_damage = False
        try:
            if not self._path.is_file():
                problem = "it is not a file" if self._path.exists() else "there is no such file"
                if self.name != request.uri:
                    problem += "; a URL is written like rtsp://user:password@host/path"
                raise SourceError(f"{self.name}: {problem}")
            if self._path.stat().st_size == 0:
                raise SourceError(f"{self.name}: the file is empty")
        except OSError as error:
            raise SourceError(f"{self.name}: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration; may be called from any thread."""
        self._closed.set()

    def __iter__(self) -> Iterator[Block]:
        timeline = Timeline()
        begin: float | None = None
        for chunk, lost_seconds in self._passes():
            start = timeline.place(len(chunk.samples), chunk.rate, lost_seconds)
            if begin is None:
                begin = time.monotonic()
                self._on_state("live", "")
            self.rate, self.channels = chunk.rate, chunk.samples.shape[1]
            captured = time.time()
            if self._realtime:
                due = begin + timeline.seconds
                if self._closed.wait(max(0.0, due - time.monotonic())):
                    return
                # A block that goes out late is as old as it is: its time tells.
                captured = time.time() + due - time.monotonic()
            if self._closed.is_set():
                return
            yield Block(chunk.samples, start, chunk.rate, captured)

    def _passes(self) -> Iterator[tuple[Chunk, float]]:
        while True:
            once = Pass(self._path, self.name, _PACED_SECONDS if self._realtime else _FAST_SECONDS)
            yield from once
            if once.remark and not self._told_damage:
                self._told_damage = True  # once, and not in each round of a loop
                self._on_state("live", once.remark)
            if not self._loop:
                return
