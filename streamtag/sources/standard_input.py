"""PCM on standard input, from whatever program makes it."""

import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from streamtag.audio.block import Block
from streamtag.audio.pcm import SAMPLE_BYTES, decode_pcm
from streamtag.errors import SourceError
from streamtag.sources.source import OnState, Request, Source

__all__ = ["StandardInput", "open_request"]

_READ_BYTES = 65536
_POLL_SECONDS = 0.2


def open_request(request: Request) -> Source:
    """Open `-`, whose rate, channels and format must be told: raw PCM does not say."""
    request.refuse("standard input", "realtime", "loop")
    if request.rate is None or request.channels is None or request.sample_format is None:
        raise SourceError("-: raw PCM does not describe itself; give its rate, channels and format")
    if not 8000 <= request.rate <= 192000:
        raise SourceError(f"-: rate {request.rate} is out of range; it may be 8000 to 192000")
    if not 1 <= request.channels <= 64:
        raise SourceError(f"-: {request.channels} channels are out of range; there may be 1 to 64")
    if request.sample_format not in SAMPLE_BYTES:
        raise SourceError(f"-: format {request.sample_format!r} is unknown; it may be {', '.join(SAMPLE_BYTES)}")
    return StandardInput(
        sys.stdin.fileno(), request.rate, request.channels, request.sample_format, on_state=request.on_state
    )


class StandardInput:
    """PCM from a file descriptor until its end."""

    def __init__(self, descriptor: int, rate: int, channels: int, sample_format: str, *, on_state: OnState) -> None:
        self.name = "-"
        self.rate = rate
        self.channels = channels
        self._descriptor = descriptor
        self._sample_format = sample_format
        self._on_state = on_state
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration; may be called from any thread. The descriptor stays open: it is not ours."""
        self._closed.set()

    def __iter__(self) -> Iterator[Block]:
        size = SAMPLE_BYTES[self._sample_format] * self.channels
        start = 0
        rest = b""
        while (data := self._read()) is not None:
            data = rest + data
            whole = len(data) - len(data) % size
            rest = data[whole:]
            if not whole:
                continue
            if start == 0:
                self._on_state("live", "")
            samples = decode_pcm(data[:whole], self._sample_format, self.channels)
            yield Block(samples, start, self.rate, time.time())
            start += len(samples)
        if self._closed.is_set():
            return
        if rest:
            self._on_state("live", f"the last {len(rest)} bytes are no whole frame and were left out")
        if start == 0:
            raise SourceError("-: standard input held no audio")

    def _read(self) -> bytes | None:
        """The next bytes; None at the end of the input or when closed."""
        while not self._closed.is_set():
            # Not a blocking read: nothing could end it before the next bytes come.
            if select.select([self._descriptor], [], [], _POLL_SECONDS)[0]:
                return os.read(self._descriptor, _READ_BYTES) or None
        return None
