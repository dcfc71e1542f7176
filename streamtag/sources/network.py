"""Network streams: RTSP, HTTP (Icecast, HLS, plain), UDP and RTP described by an SDP file."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from streamtag.errors import SourceError
from streamtag.sources.clock import live_pieces
from streamtag.sources.feed import Feed, Lost, Piece
from streamtag.sources.ffmpeg import AudioReader, ReadError
from streamtag.sources.retry import LiveSource
from streamtag.sources.source import Patience, Request, Source
from streamtag.sources.uri import redact

__all__ = ["open_request"]

_BLOCK_SECONDS = 0.05
# HLS comes in lumps of one segment, and a segment may be 6 s and more.
_HLS_FACTOR = 3


def open_request(request: Request) -> Source:
    """Open a URL, or `sdp:PATH`."""
    name = redact(request.uri)
    request.refuse(name, "realtime", "loop", "rate", "channels", "sample_format")
    url = request.uri
    scheme = url.partition(":")[0].lower()
    if scheme == "sdp":
        if not Path(request.place).is_file():
            raise SourceError(f"{name}: there is no such file")
        url = f"file:{request.place}"
    elif not request.place.removeprefix("//"):
        raise SourceError(f"{name}: it names no server")
    connect = partial(_listen, url, _options(scheme, request.patience), request.patience)
    return LiveSource(name, connect, request.patience, request.on_state)


def _options(scheme: str, patience: Patience) -> dict[str, str]:
    """FFmpeg's options; each protocol heeds another one of the time-outs, in microseconds, and ignores the rest."""
    limit = str(round(patience.read_seconds * 1e6))
    match scheme:
        case "rtsp":
            return {"rtsp_transport": "tcp", "timeout": limit, "allowed_media_types": "audio"}
        case "sdp":
            return {"protocol_whitelist": "file,udp,rtp"}
        case "udp":
            return {"timeout": limit}
    return {
        "timeout": limit,
        "rw_timeout": limit,
        "live_start_index": "-1",
        # Resumes a recording where it broke, if its server knows byte ranges; leaves live streams alone.
        "reconnect": "1",
        "analyzeduration": "1000000",
    }


def _listen(url: str, options: dict[str, str], patience: Patience, feed: Feed) -> None:
    """One connection, from its opening to its end."""
    began = time.monotonic()
    # HTTP has a time-out of its own, and this one must leave room for HLS.
    quiet_seconds = patience.read_seconds * (_HLS_FACTOR if "rw_timeout" in options else 1)
    try:
        with AudioReader(url, options, (patience.open_seconds, quiet_seconds)) as reader:
            if reader.format == "hls":
                feed.quiet_seconds *= _HLS_FACTOR
            if _is_recording(reader):
                _fetch(reader, feed)
                return
            for piece in live_pieces(_arrivals(reader), began):
                if feed.closed.is_set():
                    return
                feed.put(piece)
    except ReadError as error:
        raise Lost(str(error), stalled=error.timed_out) from None
    raise Lost("the stream ended")


def _is_recording(reader: AudioReader) -> bool:
    """Whether it has an end: a response of known length, or an HLS playlist that is complete."""
    if reader.format == "hls":
        return bool(reader.seconds)
    return reader.format not in ("rtsp", "sdp") and reader.bytes > 0


def _fetch(reader: AudioReader, feed: Feed) -> None:
    read_seconds = 0.0
    for chunk in reader.chunks(_BLOCK_SECONDS):
        if feed.closed.is_set():
            return
        feed.put(Piece(chunk.samples, chunk.rate, 0.0, time.monotonic()), wait=True)
        read_seconds += len(chunk.samples) / chunk.rate
    # HLS hides a broken connection as a plain end.
    if reader.format == "hls" and reader.seconds and read_seconds < reader.seconds - 1.0:
        raise Lost(f"the recording broke off after {read_seconds:.1f} s of {reader.seconds:.1f} s")


def _arrivals(reader: AudioReader) -> Iterator[Piece]:
    for chunk in reader.chunks(_BLOCK_SECONDS):
        yield Piece(chunk.samples, chunk.rate, chunk.skipped_seconds, time.monotonic())
