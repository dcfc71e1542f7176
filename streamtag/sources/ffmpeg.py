"""FFmpeg (through PyAV): from a file or a URL to arrays of samples. The one module that imports PyAV."""

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from streamtag.audio.block import Samples

__all__ = ["AudioReader", "Chunk", "ReadError"]

_JITTER_SECONDS = 0.1
_AS_THEY_ARE = frozenset({"s16", "s16p", "s32", "s32p", "flt", "fltp"})


class ReadError(Exception):
    """FFmpeg cannot open or go on; the text is a plain reason without the URL."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Decoded audio without a hole."""

    samples: Samples
    """[samples, channels]"""
    rate: int
    skipped_seconds: float
    """How far the presentation time stamps jump ahead just before it."""


class AudioReader:
    """The first audio track of a file or URL.

    Raises:
        ReadError: if it cannot be opened, or has no audio track that can be decoded.
    """

    def __init__(
        self, url: str, options: Mapping[str, str] | None = None, timeout: tuple[float, float] | None = None
    ) -> None:
        try:
            # Tags in a foreign encoding must not keep a recording from being read.
            self._container = av.open(url, options=dict(options or {}), timeout=timeout, metadata_errors="ignore")
        except (av.error.FFmpegError, OSError) as error:
            raise _read_error(error) from None
        tracks = self._container.streams.audio
        if not tracks or tracks[0].codec_context is None:
            self._container.close()
            raise ReadError("no decoder for its audio track" if tracks else "it has no audio track")
        self._track = tracks[0]
        self.damaged = 0
        """Packets that could not be decoded, so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def format(self) -> str:
        """FFmpeg's name of the container format, such as `wav` or `hls`."""
        return self._container.format.name

    @property
    def bytes(self) -> int:
        """Size of the file or of the HTTP response; not above 0 where it is endless or unknown."""
        return self._container.size

    @property
    def seconds(self) -> float | None:
        """Length that the container's header declares, if it does."""
        if self._track.duration is not None and self._track.time_base is not None:
            return float(self._track.duration * self._track.time_base)
        return None if self._container.duration is None else self._container.duration / 1e6

    def chunks(self, seconds: float) -> Iterator[Chunk]:
        """Decode, joining frames to at least `seconds`, the last and those before a jump excepted.

        Raises:
            ReadError: if reading fails; the end of the file or stream just ends the iteration.
        """
        fifo: AudioFifo | None = None
        kind: tuple[int, str, str] | None = None
        expected: float | None = None
        skipped = 0.0
        for frame in self._frames():
            jump = 0.0
            if frame.time is not None:
                jump = 0.0 if expected is None else frame.time - expected
                if expected is None or abs(jump) > _JITTER_SECONDS:
                    expected = frame.time
            if expected is not None:
                expected += frame.samples / frame.sample_rate
            new_kind = (frame.sample_rate, frame.format.name, frame.layout.name)
            jump = jump if jump > _JITTER_SECONDS else 0.0
            if jump or new_kind != kind or fifo is None:
                if fifo is not None and fifo.samples:
                    yield _drain(fifo, skipped)
                    skipped = 0.0
                skipped += jump
                fifo, kind = AudioFifo(), new_kind
            frame.pts = None  # the queue refuses frames whose time stamps do not follow each other exactly
            fifo.write(frame)
            if fifo.samples >= seconds * frame.sample_rate:
                yield _drain(fifo, skipped)
                skipped = 0.0
        if fifo is not None and fifo.samples:
            yield _drain(fifo, skipped)

    def _frames(self) -> Iterator[AudioFrame]:
        convert: AudioResampler | None = None
        packets = self._container.demux(self._track)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                raise _read_error(error) from None
            if packet is None:
                return
            # Decoded apart from demuxing: a packet cut by a broken connection must not hide the break.
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                if not frame.samples:
                    continue
                if frame.format.name in _AS_THEY_ARE:
                    yield frame
                    continue
                if convert is None:
                    convert = AudioResampler(format="flt")
                yield from convert.resample(frame)


def _drain(fifo: AudioFifo, skipped_seconds: float) -> Chunk:
    frame = fifo.read()
    assert frame is not None
    data = frame.to_ndarray()
    samples = data.T if frame.format.is_planar else data.reshape(frame.samples, -1)
    return Chunk(cast(Samples, np.ascontiguousarray(samples)), frame.sample_rate, skipped_seconds)


def _read_error(error: Exception) -> ReadError:
    """A plain reason; FFmpeg's own text names the URL, credentials and all."""
    match error:
        case av.error.ExitError() | av.error.TimeoutError() | TimeoutError():
            return ReadError("no answer in time", timed_out=True)
        case av.error.InvalidDataError():
            return ReadError("it is not audio that FFmpeg can read")
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return ReadError("the server refuses user or password")
        case av.error.HTTPNotFoundError():
            return ReadError("the server knows no such stream (404)")
        case av.error.HTTPServerError():
            return ReadError("the server reports a fault of its own")
        case av.error.HTTPClientError():
            return ReadError("the server refuses the request")
        case av.error.EOFError():
            return ReadError("the stream ended")
        case OSError(errno=errno.EIO):
            return ReadError("the connection broke off")
        case OSError() if error.strerror:
            return ReadError(error.strerror.lower())
    return ReadError(type(error).__name__)
