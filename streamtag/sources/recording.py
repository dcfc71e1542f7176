"""One pass over a recording: its sound, and what is wrong with it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import numpy as np

from streamtag.audio.block import Samples
from streamtag.errors import SourceError
from streamtag.sources.containers import is_encrypted, mp3_seconds, ogg_parts
from streamtag.sources.decoder import Chunk
from streamtag.sources.ffmpeg import PLAIN_FORMATS, AudioReader
from streamtag.sources.plain_wav import plain_wav
from streamtag.sources.playlists import is_list
from streamtag.sources.reasons import ENCRYPTED, ReadError, is_passing
from streamtag.sources.whole import is_cut

__all__ = ["Pass"]

# Formats whose header says how much sound they hold, and not how many bytes: FFmpeg passes it on.
_COUNTED: Final = frozenset({"ape", "flac", "gxf", "mpc", "mpc8", "mxf", "rm", "tak", "tta", "wv"})
_TOLERANCE_SECONDS: Final = 0.15
# Senders of these leave out what is silent: a gap in their time stamps is silence, where no packet was damaged. (A page
# of Ogg gathers the gaps of a second and more.)
_SILENT_GAPS: Final = frozenset({"amrnb", "amrwb", "libopus", "libspeex", "opus", "speex"})
_SILENT_GAP_SECONDS: Final = 60.0
_LONGEST_CHUNK_SECONDS: Final = 10.0
_HEAD_BYTES: Final = 1024
_WAV: Final = (".wav", ".wave")
_LIST: Final = "it is a playlist or the like and holds no sound itself: name what it leads to"
_CUT: Final = "the file is shorter than its header says"


class Pass:
    """Reads a recording once, from its first audio track that can be decoded; iterate only once.

    Yields chunks, each with the seconds that are missing before it.

    Attributes:
        remark: what is wrong with the recording, in words; known once the iteration is over, empty for a whole one.
        may_pass: whether what kept it from being read lies in the state of this machine, such as too many open files.

    Raises:
        SourceError: while iterating, if there is no sound in it.
    """

    def __init__(self, path: Path, name: str, chunk_seconds: float) -> None:
        self.remark = ""
        self.may_pass = False
        self._path = path
        self._name = name
        self._chunk_seconds = chunk_seconds
        self._position = 0.0
        self._missing = 0.0
        self._damaged = 0
        self._damaged_at_end = 0
        self._declared: tuple[float, float] | None = None  # seconds, and how many fewer there may be
        self._failure = ""
        self._is_undecoded = False

    def __iter__(self) -> Iterator[tuple[Chunk, float]]:
        try:
            yield from self._all()
        except OSError as error:
            self.may_pass = is_passing(error)
            raise SourceError(f"{self._name}: {(error.strerror or 'it cannot be read').lower()}") from None

    def _all(self) -> Iterator[tuple[Chunk, float]]:
        if (chunks := plain_wav(self._path, self._chunk_seconds)) is not None:
            yield from self._plain(chunks)
        else:
            yield from self._parts()
        if not self._position:
            raise SourceError(f"{self._name}: {self._why_silent()}")
        with suppress(OSError):  # it is gone meanwhile
            self.remark = "; ".join(self._problems())

    def _plain(self, chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, float]]:
        try:
            for chunk in chunks:
                yield from self._count(chunk, 0.0)
        except ReadError as error:
            self._failure, self.may_pass = str(error), error.passing

    def _parts(self) -> Iterator[tuple[Chunk, float]]:
        parts = ogg_parts(self._path)
        urls = [f"file:{self._path}"]
        if len(parts) > 1:
            urls = [f"subfile,,start,{begin},end,{end},,:file:{self._path}" for begin, end in parts]
        for url in urls:
            yield from self._part(url)

    def _part(self, url: str) -> Iterator[tuple[Chunk, float]]:
        """Read the first track that gives sound."""
        begun, track, more = self._position, 0, True
        end: float | None = None
        while more and self._position == begun:
            try:
                with AudioReader(url, _options(url), track=track) as reader:
                    track, more, end = reader.track + 1, reader.has_more_tracks, reader.seconds
                    if reader.format == "asf" and is_encrypted(self._path):  # it might be decoded to noise
                        return
                    if reader.format == "mp3":
                        self._declared = mp3_seconds(self._path)
                    elif reader.format in _COUNTED and reader.seconds:
                        self._declared = reader.seconds, 0.0
                    yield from self._track(reader)
            except ReadError as error:
                # What follows the end that the header tells is nobody's loss.
                if end is None or self._position == begun or self._position - begun < end - _TOLERANCE_SECONDS:
                    self._failure = self._failure or str(error)
                self.may_pass = self.may_pass or error.passing
                more = more and track > 0  # it could be opened, and may hold another track

    def _track(self, reader: AudioReader) -> Iterator[tuple[Chunk, float]]:
        begun, end = self._position, reader.seconds
        damaged = 0
        try:
            for chunk in reader.chunks(self._chunk_seconds):
                hole = chunk.skipped_seconds
                # FFmpeg leaves out what is damaged; a jump beyond the end is a clock that was set anew.
                if end is not None and self._position - begun + hole > end:
                    hole = 0.0
                if 0 < hole <= _SILENT_GAP_SECONDS and reader.codec in _SILENT_GAPS:
                    if reader.decoder.damaged == damaged:
                        yield from self._count(_silence(hole, chunk), 0.0)
                        hole = 0.0
                    damaged = reader.decoder.damaged
                yield from self._count(chunk, hole)
        finally:
            if self._position > begun:
                self._damaged += reader.decoder.damaged
                self._damaged_at_end = reader.decoder.damaged_at_end
            elif reader.decoder.damaged_at_end or end:
                self._is_undecoded = True

    def _count(self, chunk: Chunk, hole: float) -> Iterator[tuple[Chunk, float]]:
        """Pass a chunk on, in portions: at a low rate a packet may last for hours."""
        self._missing += hole
        portion = max(1, int(_LONGEST_CHUNK_SECONDS * chunk.rate))
        for first in range(0, len(chunk.samples), portion):
            samples = chunk.samples[first : first + portion]
            self._position += hole + len(samples) / chunk.rate
            yield Chunk(samples, chunk.rate, 0.0), hole
            hole = 0.0

    def _problems(self) -> Iterator[str]:
        early = self._early_end()
        if early:
            yield f"ended early after {self._position:.1f} s{early}"
        damage = [f"{self._missing:.1f} s are missing"] if self._missing else []
        # Where a file is cut its last packet is too.
        damaged = self._damaged + (0 if early else self._damaged_at_end)
        if damaged:
            damage.append(f"{damaged} packets were skipped" if damaged > 1 else "1 packet was skipped")
        if damage:
            yield f"damaged: {', '.join(damage)}"

    def _early_end(self) -> str:
        declared, fewer = self._declared or (0.0, 0.0)
        if self._position < declared - fewer - _TOLERANCE_SECONDS:
            return f" of {declared:.1f} s"
        if self._failure:
            return f": {self._failure}"
        return f": {_CUT}" if is_cut(self._path) else ""

    def _why_silent(self) -> str:
        if is_encrypted(self._path):
            return ENCRYPTED
        with self._path.open("rb") as file:
            if is_list(file.read(_HEAD_BYTES)):
                return _LIST
        reason = self._failure or ("none of its sound can be decoded" if self._is_undecoded else "it holds no audio")
        return f"{reason}; {_CUT}" if is_cut(self._path) else reason


def _silence(seconds: float, like: Chunk) -> Chunk:
    samples = np.zeros_like(like.samples, shape=(round(seconds * like.rate), like.samples.shape[1]))
    return Chunk(cast(Samples, samples), like.rate, 0.0)


def _options(url: str) -> dict[str, str]:
    """Return FFmpeg's options for a recording.

    In a WAV it looks for sound of another kind than the file says, in so many packets that this takes most of a short
    one's time; a few show it.
    """
    options = {"format_whitelist": PLAIN_FORMATS}
    return {**options, "max_probe_packets": "4"} if url.lower().endswith(_WAV) else options
