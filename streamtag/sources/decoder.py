"""From packets to samples: FFmpeg's decoders, through PyAV."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.packet import Packet

from streamtag.audio.block import Samples
from streamtag.sources.stamps import Stamps

__all__ = ["Chunk", "Decoder", "Parcel", "codec_of"]

# A recording that was cut out of a stream begins and ends with packets that need others; and tags may follow it.
_EDGE_SECONDS, _EDGE_PACKETS = 0.5, 50
# Some streams tell their decoder only now and then what it must know.
_HOPELESS_SECONDS, _HOPELESS_PACKETS = 2.0, 200
_AS_THEY_ARE = frozenset({"s16", "s16p", "s32", "s32p", "flt", "fltp"})
# PyAV counts the planes of a frame past their end from here on.
_TOO_MANY_PLANES = 8
# Whoever made a file decides how much sound is in each packet: what is decoded in one go is limited by itself.
_MOST_SAMPLES = 1 << 19
_LAYERS = {0b01: "mp3", 0b10: "mp2", 0b11: "mp1"}
_LATEST_AC3 = 10  # the identification of bit streams; what is above is the successor's


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """Packets as they were read, one after the other."""

    packets: "list[Packet[Any]]"
    seconds: float
    """How long they play, as far as the container tells."""
    bytes: int
    """How much memory they take."""
    segment: object = None
    """Which part of the stream they are of, as whoever reads tells them apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Decoded audio without a hole."""

    samples: Samples
    """[samples, channels]"""
    rate: int
    skipped_seconds: float
    """How much is missing just before it, as far as the decoder can tell."""


class Decoder:
    """From one track's packets to samples; it outlives its reader, and may be used beside it in another thread."""

    def __init__(self, codec: AudioCodecContext) -> None:
        self.damaged = 0
        """Packets that could not be decoded, so far, and are followed by some that could."""
        self.has_begun = False
        """Whether anything could be decoded yet."""
        self._undecoded = 0  # packets since the last that could be decoded
        self._undecoded_seconds = 0.0
        self.stamps: Stamps[AudioFrame] | None = None
        """What tells of holes; None where time stamps are not to be heeded."""
        self._codec = codec
        self._declared = self._spoken = codec.name.removesuffix("float")
        self._codecs = {self._declared: codec}
        self._tells: bool | None = None  # whether packets say what they are; not known before the first
        # A layout that the container spells out channel by channel is freed twice by PyAV, with each frame anew. The
        # channels are mixed, so their number is enough; to ask for it is the one access that must come before.
        if channels := codec.channels:
            codec.layout = f"{channels} channels"
        self._fifo = AudioFifo()
        self._kind: tuple[int, str, str] | None = None
        self._pack: AudioResampler | None = None  # of frames of this kind, where they cannot be taken as they are
        self._skipped = 0.0

    def skip(self, seconds: float) -> None:
        """Go on behind packets of so many seconds that nobody decodes."""
        self._skipped += seconds
        if self.stamps is not None:
            self.stamps.skip()

    def decode(self, parcel: Parcel) -> Iterator[Chunk]:
        """Decode all of a parcel; frames are joined up to the next hole."""
        for packet in parcel.packets:
            for frame in self._frames(packet):
                if self.stamps is None:
                    yield from self._add(0.0, frame)
                    continue
                for hole, certain in self.stamps.feed(frame, frame.samples / frame.sample_rate, frame.time):
                    yield from self._add(hole, certain)
        yield from self._drain()

    def finish(self) -> Iterator[Chunk]:
        """Return what was held back to see how its time stamps go on; nothing follows."""
        for hole, frame in [] if self.stamps is None else self.stamps.finish():
            yield from self._add(hole, frame)
        yield from self._drain()

    def _add(self, hole: float, frame: AudioFrame) -> Iterator[Chunk]:
        layout = frame.layout
        kind = (frame.sample_rate, frame.format.name, layout.name)
        if hole or kind != self._kind:
            yield from self._drain()
            self._skipped += hole
            self._begin(*kind, layout.nb_channels)
        frame.pts = None  # the queue refuses frames whose time stamps do not follow each other exactly
        self._fifo.write(frame)
        if self._fifo.samples * layout.nb_channels > _MOST_SAMPLES:
            yield from self._drain()

    def _begin(self, rate: int, name: str, layout: str, channels: int) -> None:
        if self._kind != (rate, name, layout):
            self._kind = (rate, name, layout)
            fits = name in _AS_THEY_ARE and (name == _packed(name) or channels < _TOO_MANY_PLANES)
            self._pack = None if fits else AudioResampler(format=_packed(name))
        self._fifo = AudioFifo()

    def _frames(self, packet: "Packet[Any]") -> Iterator[AudioFrame]:
        try:
            frames = [] if packet.has_sidedata("encryption_info") else self._decode(packet)
        except av.error.FFmpegError:
            if packet.size:  # some containers end a track with an empty packet
                self._count_undecoded(float((packet.duration or 0) * (packet.time_base or 0)))
            return
        for frame in frames:
            if frame.samples:
                self._begin_again()
                yield frame

    def _decode(self, packet: "Packet[Any]") -> list[AudioFrame]:
        """Decode a packet by what it says that it is: a stream's codec may change, and PyAV keeps to the first."""
        said = codec_of(bytes(memoryview(packet)[:6])) if packet.size else None
        if self._tells is None and packet.size:
            self._tells = said == self._declared
        if packet.size and said != self._spoken and (self._tells if said else not self._tells):
            self._speak(said)
        try:
            return self._codec.decode(packet)
        except av.error.FFmpegError:
            if said in (None, self._spoken):
                raise
            self._speak(said)  # packets that did not tell, and now do
            return self._codec.decode(packet)

    def _speak(self, name: str | None) -> None:
        """Decode by another codec from now on; None: by the one that the container declares."""
        self._spoken = self._declared if name is None else name
        if self._spoken not in self._codecs:
            self._codecs[self._spoken] = cast(AudioCodecContext, av.CodecContext.create(self._spoken, "r"))
        self._codec = self._codecs[self._spoken]

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing could be decoded yet, of more than a few packets."""
        return not self.has_begun and self._is_behind(_HOPELESS_SECONDS, _HOPELESS_PACKETS)

    @property
    def is_stuck(self) -> bool:
        """Whether something could be decoded once, and nothing can any more."""
        return self.has_begun and self._is_behind(_HOPELESS_SECONDS, _HOPELESS_PACKETS)

    def _is_behind(self, seconds: float, packets: int) -> bool:
        # Not every container tells how long a packet plays.
        return self._undecoded_seconds > seconds or self._undecoded > packets

    def _count_undecoded(self, seconds: float) -> None:
        self._undecoded += 1
        self._undecoded_seconds += seconds

    def _begin_again(self) -> None:
        if self._undecoded and (self.has_begun or self.damaged_at_end):
            self.damaged += self._undecoded
        self.has_begun, self._undecoded, self._undecoded_seconds = True, 0, 0.0

    @property
    def damaged_at_end(self) -> int:
        """Packets after the last sound that could not be decoded; a tag behind the sound is not damage."""
        return self._undecoded if self._is_behind(_EDGE_SECONDS, _EDGE_PACKETS) else 0

    def _drain(self) -> Iterator[Chunk]:
        joined = self._fifo.read() if self._fifo.samples else None
        if joined is None:
            return
        try:
            frames = [joined] if self._pack is None else self._pack.resample(joined)
        except av.error.FFmpegError:  # such as that of hundreds of channels
            # What could not be set up must not be used again: libavfilter may crash.
            self._pack = AudioResampler(format=_packed(joined.format.name))
            self._count_undecoded(joined.samples / joined.sample_rate)
            return
        for frame in frames:
            data = frame.to_ndarray()
            samples = np.ascontiguousarray(data.T if frame.format.is_planar else data.reshape(frame.samples, -1))
            skipped, self._skipped = self._skipped, 0.0
            yield Chunk(cast(Samples, samples), frame.sample_rate, skipped)


def _packed(name: str) -> str:
    """Return the format with all channels side by side that samples of another one become."""
    packed = name.removesuffix("p")
    return packed if packed in _AS_THEY_ARE else "flt"


def codec_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the decoder for a packet that begins with these bytes (6 are enough), if they tell.

    A stream's codec may change, and FFmpeg keeps to the first. ISO/IEC 11172-3 section 2.4.1.3 (MPEG audio), 14496-3
    section 1.A.2.2 (ADTS), ETSI TS 102 366 sections 4.3 and E.1.2 (AC-3 and its successor).
    """
    if len(head) < 6:
        return None
    if head[:2] == b"\x0b\x77":
        return "ac3" if head[5] >> 3 <= _LATEST_AC3 else "eac3"
    if head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 0b11
    if layer == 0b00:
        return "aac" if head[1] & 0xF0 == 0xF0 else None
    is_free_or_bad = head[2] >> 4 in (0b0000, 0b1111) or head[2] >> 2 & 0b11 == 0b11
    return None if is_free_or_bad else _LAYERS[layer]
