"""FFmpeg's containers and protocols, through PyAV: from a file or a URL to the packets of one audio track."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from streamtag.sources.decoder import Chunk, Decoder, Parcel
from streamtag.sources.reasons import ENCRYPTED, ReadError, read_error
from streamtag.sources.stamps import Stamps

__all__ = ["PLAIN_FORMATS", "AudioReader"]

PLAIN_FORMATS = ",".join(
    sorted(set(av.formats_available) - {"hls", "concat", "dash", "sdp", "rtsp", "imf", "webm_dash_manifest"})
)
"""FFmpeg's container formats but for those that name other files or addresses, which nobody asked for. Playlists of a
server are followed by `opening.py`, under its rules; `rtsp` and the like have addresses of their own."""

# Where two recordings were joined, stamps jump by hours. A shorter hole may be one, if the length fits that is known.
_GUESSED_LENGTH = frozenset({"aac", "ac3", "eac3", "mp3", "mpeg", "mpegts"})
_LONGEST_HOLE_SECONDS = 60.0
_LONGEST_FITTING_SECONDS = 1800.0
_GENERATE_STAMPS = 1  # AVFMT_FLAG_GENPTS
# Tags in a foreign encoding must not keep a recording from being read; from PyAV 19 on they do not.
_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
# Whoever made a file decides what its packets claim to last: what is read in one go is limited by itself.
_MOST_BYTES = 1 << 20
_PACKET_BYTES = 1 << 10  # that a packet takes beside what it holds
_LONGEST_SECONDS = 1e9  # thirty years: a length beyond is a number that was never set


class AudioReader:
    """The first audio track of a file or URL that has a decoder.

    Attributes:
        decoder: decodes what is read.
        track: which of the audio tracks it is, counted from 0.
        has_more_tracks: whether other audio tracks follow it.
    """

    def __init__(
        self,
        url: str,
        options: Mapping[str, str] | None = None,
        timeout: tuple[float, float] | None = None,
        *,
        track: int = 0,
        container: str | None = None,
        open_more: Callable[[str, int, Mapping[str, str]], Any] | None = None,
    ) -> None:
        """Open a file or URL.

        Args:
            url: as FFmpeg takes it.
            options: FFmpeg's options.
            timeout: seconds to open it, and to wait for each packet; None for a file.
            track: the audio tracks before this one are left out: they gave no sound.
            container: FFmpeg's name of the container format; None to find it out.
            open_more: opens whatever the container asks for; None for FFmpeg itself.

        Raises:
            ReadError: it cannot be opened, or has no audio track that can be decoded.
        """
        self._is_file = timeout is None
        try:
            self._container: InputContainer = av.open(
                url,
                format=container,
                options=dict(options or {}),
                timeout=timeout,
                io_open=open_more,
                **_TAGS,
            )
        except (av.error.FFmpegError, OSError) as error:
            raise read_error(error, is_file=self._is_file) from None
        # PyAV asks for time stamps where a container has none: FFmpeg would read on to the end of a film to find those
        # of a picture that nobody wants.
        self._container.flags &= ~_GENERATE_STAMPS
        try:
            self._open_track(track)
        except ReadError:
            self._container.close()
            raise

    def _open_track(self, first: int) -> None:
        tracks = self._container.streams.audio
        self.track, self.decoder = _choose(tracks, first)
        self._track = tracks[self.track]
        knows_length = self.seconds is not None and self.format not in _GUESSED_LENGTH
        self.decoder.stamps = Stamps(_LONGEST_FITTING_SECONDS if knows_length else _LONGEST_HOLE_SECONDS)
        self.has_more_tracks = self.track + 1 < len(tracks)
        for stream in self._container.streams:
            stream.discard = Discard.default if stream is self._track else Discard.all

    def open_next_track(self) -> bool:
        """Go on with the next audio track that has a decoder, from its beginning where there is one.

        Returns whether there is such a track; `decoder` is another one then.
        """
        try:
            self._open_track(self.track + 1)
        except ReadError:
            return False
        with suppress(av.error.FFmpegError, OSError):  # what is live has no beginning
            self._container.seek(0)
        return True

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
    def codec(self) -> str:
        """FFmpeg's name of the decoder, such as `opus`."""
        return self._track.codec_context.name

    @property
    def seconds(self) -> float | None:
        """Length that the container's header declares, if it does, or FFmpeg guesses."""
        if self._track.duration is not None and self._track.time_base is not None:
            seconds = float(self._track.duration * self._track.time_base)
        else:
            seconds = (self._container.duration or 0) / 1e6
        return seconds if 0 < seconds < _LONGEST_SECONDS else None

    def parcels(self, seconds: float, segment: Callable[[], object] = lambda: None) -> Iterator[Parcel]:
        """Read, a parcel as soon as it holds `seconds` of sound, a packet that does not tell its length, or much else.

        Args:
            seconds: how much a parcel holds.
            segment: tells which part of the stream is being read; no parcel holds of more than one.

        Raises:
            ReadError: if reading fails, after what was read before; the end of the file or stream just ends the
                iteration.
        """
        packets: list[Packet[Any]] = []
        held = 0.0
        size = 0
        failure: ReadError | None = None
        tick = float(self._track.time_base or 0)
        reading = self._container.demux(self._track)
        part = segment()
        while True:
            try:
                packet = next(reading, None)
            except (av.error.FFmpegError, OSError) as error:
                failure = read_error(error, is_file=self._is_file)
                break
            except IndexError:  # a packet of a track that showed only now, of which PyAV does not know
                reading = self._container.demux(self._track)
                continue
            if packet is None:
                break
            if (current := segment()) is not part:
                if packets:
                    yield Parcel(packets, held, size, part)
                    packets, held, size = [], 0.0, 0
                part = current
            packets.append(packet)
            length = (packet.duration or 0) * tick
            held += length
            size += packet.size + _PACKET_BYTES
            if held >= seconds or not length or size >= _MOST_BYTES:
                yield Parcel(packets, held, size, part)
                packets, held, size = [], 0.0, 0
        if packets:
            yield Parcel(packets, held, size, part)
        if failure is not None:
            raise failure

    def chunks(self, seconds: float) -> Iterator[Chunk]:
        """Read and decode, about `seconds` at a time.

        Raises:
            ReadError: if reading fails; the end of the file or stream just ends the iteration.
        """
        failure: ReadError | None = None
        try:
            for parcel in self.parcels(seconds):
                yield from self.decoder.decode(parcel)
        except ReadError as error:
            failure = error
        yield from self.decoder.finish()
        if failure is not None:
            raise failure


def _choose(tracks: Sequence[AudioStream], first: int) -> tuple[int, Decoder]:
    """Return the first track from `first` on whose decoder can be opened."""
    if not tracks:
        raise ReadError("it has no audio track", not_audio=True)
    failure = ReadError("no decoder for its audio track")
    for number, track in enumerate(tracks[first:], first):
        if track.codec_context is None:  # PyAV has none where FFmpeg has no decoder
            continue
        if "enc_key_id" in track.metadata:  # of Matroska; its packets might be decoded to noise
            failure = ReadError(ENCRYPTED)
            continue
        decoder = Decoder(track.codec_context)
        try:
            track.codec_context.open(strict=False)
        except (av.error.FFmpegError, ValueError) as error:
            failure = read_error(error, is_file=True)
        else:
            return number, decoder
    raise failure
