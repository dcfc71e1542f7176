"""Recordings: anything that FFmpeg reads, as fast as possible or at the pace of the clock."""

import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from streamtag.audio.block import Block
from streamtag.errors import SourceError
from streamtag.paths import of_file_url, user_path
from streamtag.redaction import redact
from streamtag.sources.decoder import Chunk
from streamtag.sources.live_source import next_delay
from streamtag.sources.recording import Pass
from streamtag.sources.source import Request, Source
from streamtag.sources.timeline import Timeline

__all__ = ["FileSource", "open_request"]

_PACED_SECONDS = 0.1
_FAST_SECONDS = 4.0  # each block wakes threads and processes on its way


def open_request(request: Request) -> Source:
    """Open `file:PATH`, `file:///PATH` or a bare path."""
    return FileSource(request)


class FileSource:
    """A recording's blocks.

    Raises:
        SourceError: at once if there is no such file; while iterating if it holds no audio.
    """

    def __init__(self, request: Request) -> None:
        self._path = user_path(of_file_url(request.rest))
        self.name = redact(request.uri)
        self.rate = 0
        self.channels = 0
        self._on_state = request.on_state
        self._realtime = request.realtime
        self._loop = request.loop
        self._closed = threading.Event()
        self._told_damage = False
        self._timeouts = request.timeouts
        self._away = 0.0  # since when it cannot be read
        problem = _problem(self._path)
        if problem:
            if self.name != request.uri:
                problem += "; a URL begins with its kind, such as rtsp://"
            raise SourceError(f"{self.name}: {problem}")

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
            if self._away and begin is not None:
                if self._realtime:  # at the pace of the clock the time without sound is lost
                    lost_seconds += max(0.0, time.monotonic() - begin - timeline.seconds)
                self._on_state("live", f"back after {time.monotonic() - self._away:.1f} s")
            self._away = 0.0
            start = timeline.advance(len(chunk.samples), chunk.rate, lost_seconds)
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
        delay, rounds = 0.0, 0
        while not self._closed.is_set():
            once = Pass(self._path, self.name, _PACED_SECONDS if self._realtime else _FAST_SECONDS)
            try:
                yield from once
            except SourceError as error:
                if not rounds and not (self._loop and once.may_pass):
                    raise
                # It was read before, or is to be for ever: whatever is in the way, such as a want of descriptors,
                # may pass.
                self._away = self._away or time.monotonic()
                self._on_state("reconnecting", str(error).removeprefix(f"{self.name}: "))
                delay = next_delay(delay, self._timeouts)
                self._closed.wait(delay)
                continue
            delay, rounds = 0.0, rounds + 1
            if once.remark and not self._told_damage:
                self._told_damage = True  # once, and not in each round of a loop
                self._on_state("live", once.remark)
            if not self._loop:
                return


def _problem(path: Path) -> str:
    """Why a file cannot be a recording, as far as the system tells; empty if it may be one."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        is_link = path.is_symlink()
        return "it is a link to a file that is not there" if is_link else "there is no such file"
    except OSError as error:
        return (error.strerror or "it cannot be read").lower()
    if not stat.S_ISREG(status.st_mode):
        return "it is not a file"
    return "" if status.st_size else "the file is empty"
