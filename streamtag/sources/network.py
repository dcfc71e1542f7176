"""Network streams: RTSP, HTTP (Icecast, HLS, plain), UDP and RTP described by an SDP file."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from streamtag.errors import SourceError
from streamtag.redaction import redact
from streamtag.source_kinds import FORMS, PLAYLIST, split_uri
from streamtag.sources.capture import CaptureClock, LivePieces
from streamtag.sources.decoder import Chunk, Decoder, Parcel
from streamtag.sources.feed import Feed, Lost, Piece
from streamtag.sources.ffmpeg import AudioReader
from streamtag.sources.listing import Found, Listing
from streamtag.sources.live_source import LiveSource
from streamtag.sources.opening import HLS_FACTOR, open_reader
from streamtag.sources.reach import Reach
from streamtag.sources.reasons import ReadError
from streamtag.sources.source import Request, Source, Timeouts
from streamtag.sources.timeline import Clock

__all__ = ["open_request"]

_PARCEL_SECONDS = 0.25
# Whoever has read all that came rests, and then finds packets enough for a parcel: the threads of hundreds of
# connections that wake for each packet keep each other from the interpreter.
_REST_SECONDS = 0.2
_AT_ONCE_SECONDS = 0.04
# Packets are read in lots of a quarter of a second, and networks jitter.
_SLACK_SECONDS = 0.5
# Of a playlist is known how much later than a look at least a segment came: about that much earlier this must end.
_LISTED_SLACK_SECONDS = 0.4
_SURE_SECONDS = 2.0


def open_request(request: Request) -> Source:
    """Open a URL, or `sdp:PATH`."""
    name = redact(request.uri)
    if request.ca_file is not None and not _is_file(request.ca_file):
        raise SourceError(f"ca_file {request.ca_file}: there is no such file")
    scheme = split_uri(request.uri)[0]
    url = f"{scheme}:{request.rest}"  # FFmpeg knows schemes in lower case alone
    if FORMS[scheme] == "path":
        if not _is_file(request.rest):
            raise SourceError(f"{name}: there is no such file")
        url = url if scheme == PLAYLIST else f"file:{request.rest}"
    elif not request.rest.removeprefix("//"):
        raise SourceError(f"{name}: it names no server")
    connect = partial(_listen, name, url, request.timeouts, request.ca_file, Reach(request.leads_to))
    return LiveSource(name, connect, request.timeouts, request.on_state)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # such as a name that is too long
        return False


def _listen(name: str, url: str, timeouts: Timeouts, ca_file: str | None, reach: Reach, feed: Feed) -> None:
    """One connection, from its opening to its end."""
    began = feed.clock()
    listing = Listing(feed.clock, feed.closed.wait)
    try:
        with open_reader(url, timeouts, ca_file, listing, reach) as reader:
            if reader.format == "hls":
                feed.quiet_seconds *= HLS_FACTOR
            recorded = feed.is_recording = _is_recording(reader)
            while True:
                if not recorded or reader.format == "hls":
                    reader.decoder.stamps = None
                slack = _LISTED_SLACK_SECONDS if reader.format == "hls" else _SLACK_SECONDS
                live = None if recorded else _live_pieces(began, feed.quiet_seconds, slack)
                track = _Track(reader.decoder, live)
                feed.finish = partial(track.finish, feed.clock)
                read_seconds = _read(reader, track, feed, listing)
                if feed.closed.is_set():
                    return
                if not (reader.has_more_tracks and _is_silent(track, feed) and reader.open_next_track()):
                    break
            if recorded:
                _check_length(reader, read_seconds)
                return
    except ReadError as error:
        if feed.is_recording and error.in_data:  # to read it again from its beginning would give the same again
            raise SourceError(f"{name}: what follows cannot be read: {error}") from None
        raise Lost(str(error), stalled=error.timed_out) from None
    raise Lost("the stream ended")


def _read(reader: AudioReader, track: "_Track", feed: Feed, listing: Listing) -> float:
    """Read a track to its end, or until nobody listens or hopes for it; return how many seconds were read."""
    read_seconds = 0.0
    asked = feed.clock()
    before: object = None
    for parcel in reader.parcels(_PARCEL_SECONDS, lambda: listing.found):
        if feed.closed.is_set() or (reader.has_more_tracks and track.decoder.is_hopeless):
            break
        arrival = feed.clock()
        found = parcel.segment if isinstance(parcel.segment, Found) else Found(arrival, arrival)
        has_gap, before = found.has_gap and found is not before, found
        feed.put(_Arrival(parcel, found, has_gap, track), wait=feed.is_recording)
        read_seconds += parcel.seconds
        if not feed.is_recording and arrival - asked > _AT_ONCE_SECONDS:
            feed.closed.wait(_REST_SECONDS)
        asked = feed.clock()
    return read_seconds


def _is_silent(track: "_Track", feed: Feed) -> bool:
    """Whether nothing of what was read could be decoded; waits until somebody tried, or nobody will."""
    mark = _Mark(track)
    if feed.put(mark, wait=feed.is_recording):
        while not (mark.reached.wait(_REST_SECONDS) or feed.closed.is_set()):
            pass
    return not (track.decoder.has_begun or feed.closed.is_set())


def _live_pieces(began: float, quiet_seconds: float, slack_seconds: float) -> LivePieces:
    """What live sound goes through; nothing is held back for so long that the connection seems to be silent."""
    longest = quiet_seconds / 2
    sure = min(_SURE_SECONDS, longest / 2)
    return LivePieces(began, CaptureClock(slack_seconds, sure, longest), longest)


def _is_recording(reader: AudioReader) -> bool:
    """Whether it has an end: a response of known length, or an HLS playlist that is complete."""
    if reader.format == "hls":
        return bool(reader.seconds)
    return reader.format not in ("rtsp", "sdp") and reader.bytes > 0


def _check_length(reader: AudioReader, read_seconds: float) -> None:
    """Raise `Lost` where a recording broke off: HLS hides a broken connection as a plain end."""
    if reader.format == "hls" and reader.seconds and read_seconds < reader.seconds - 1.0:
        raise Lost(f"the recording broke off after {read_seconds:.1f} s of {reader.seconds:.1f} s")


@dataclass(frozen=True, slots=True)
class _Track:
    """What one connection's sound goes through once somebody takes it; used by one thread at a time."""

    decoder: Decoder
    live: LivePieces | None
    """None for a recording, of which nothing is old."""

    def pieces(self, chunks: Iterable[Chunk], found: Found, *, has_gap: bool = False) -> Iterator[Piece]:
        """Return what of the sound that came then is certain."""
        for chunk in chunks:
            piece = Piece(chunk.samples, chunk.rate, chunk.skipped_seconds, found.seen)
            if self.live is None:
                yield piece
            else:
                yield from self.live.feed(piece, earliest=found.earliest, flagged=has_gap)
                has_gap = False

    def finish(self, clock: Clock) -> Iterator[Piece]:
        """Return what is held back; nothing follows."""
        yield from self.pieces(self.decoder.finish(), Found(clock(), clock()))
        if self.live is not None:
            yield from self.live.finish()


@dataclass(frozen=True, slots=True, eq=False)
class _Arrival:
    """Sound as it arrived; a connection's thread only waits for it, and whoever takes it decodes it."""

    parcel: Parcel
    found: Found
    """When it came; where it was found in a playlist, when that is known to have happened."""
    has_gap: bool
    """Whether something is said to be missing before it."""
    track: _Track

    @property
    def seconds(self) -> float:
        return self.parcel.seconds

    @property
    def bytes(self) -> int:
        return self.parcel.bytes

    def pieces(self, dropped_seconds: float) -> Iterator[Piece]:
        decoder = self.track.decoder
        if dropped_seconds:
            decoder.skip(dropped_seconds)
        yield from self.track.pieces(decoder.decode(self.parcel), self.found, has_gap=self.has_gap)
        if self.track.live is not None and decoder.is_stuck:  # another connection finds out what it is now
            raise Lost("its sound cannot be decoded any more")


@dataclass(frozen=True, slots=True, eq=False)
class _Mark:
    """Tells when all that was put before it is decoded."""

    track: _Track
    reached: threading.Event = field(default_factory=threading.Event)
    seconds: float = 0.0
    bytes: int = 0

    def pieces(self, dropped_seconds: float) -> tuple[()]:
        if dropped_seconds:
            self.track.decoder.skip(dropped_seconds)
        self.reached.set()
        return ()
