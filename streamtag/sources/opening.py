"""From a stream's address to a reader of its sound: FFmpeg's options, playlists, certificates, and what goes wrong."""

import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from streamtag.source_kinds import PLAYLIST
from streamtag.sources import playlists
from streamtag.sources.connecting import in_numbers
from streamtag.sources.ffmpeg import PLAIN_FORMATS, AudioReader
from streamtag.sources.listing import Listing
from streamtag.sources.reach import NO_SUCH_HOST, Reach
from streamtag.sources.reasons import NOT_AUDIO, ReadError
from streamtag.sources.rtsp_relay import RtspRelay
from streamtag.sources.segments import HLS_OPTIONS, NO_REDIRECTS, Segments
from streamtag.sources.source import Timeouts
from streamtag.sources.trust import trusted, trusting
from streamtag.sources.web import distrust, fetch_text, redirect_of, with_account

__all__ = ["HLS_FACTOR", "open_reader"]

HLS_FACTOR = 3
"""HLS comes in lumps of one segment, and a segment may be 6 s and more."""
_WEB = ("http", "https")
_RTSP = ("rtsp", "rtsps")
_FOLLOWED = (*_WEB, *_RTSP)
_MOST_PLAYLISTS = 5
_MOST_REDIRECTS = 8
_MOST_BYTES = 4 << 20
_DIAGNOSIS_SECONDS = 5.0
_TLS_PORTS = {"https": 443, "rtsps": 322}


def open_reader(url: str, timeouts: Timeouts, ca_file: str | None, listing: Listing, reach: Reach) -> AudioReader:
    """Open a network stream.

    Args:
        url: its scheme in lower case; `file:` for a session description, `PLAYLIST` for a file that names a stream.
        timeouts: how long the server may take.
        ca_file: see `trust.trusted`.
        listing: told what an HLS playlist lists.
        reach: where its server may lead; the source's own, for all its connections.

    Raises:
        ReadError: it cannot be opened.
    """
    if url.startswith(f"{PLAYLIST}:"):
        return open_reader(_named_in(Path(url.removeprefix(f"{PLAYLIST}:"))), timeouts, ca_file, listing, reach)
    try:
        if urlsplit(url).scheme in _FOLLOWED:
            reach.begin(url)
        if urlsplit(url).scheme not in _WEB:
            return _open(url, timeouts, ca_file, reach)
        if not playlists.is_playlist_address(url):
            try:
                return _open(url, timeouts, ca_file, reach)
            except ReadError as error:
                # It may be a playlist by another name.
                if not error.not_audio or (reader := _open_playlist(url, timeouts, ca_file, listing, reach)) is None:
                    raise
                return reader
        return _open_playlist(url, timeouts, ca_file, listing, reach) or _open(url, timeouts, ca_file, reach)
    except ValueError:
        raise ReadError("its address cannot be read") from None


def _named_in(path: Path) -> str:
    """The first network stream that a playlist of the user's own names."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise ReadError((error.strerror or "it cannot be read").lower()) from None
    for address in playlists.entries(text, is_playlist=True):
        scheme, _, rest = address.partition(":")
        if scheme.lower() in _FOLLOWED:
            return f"{scheme.lower()}:{rest}"
    raise ReadError("it is a playlist that names no stream of http, https, rtsp or rtsps")


def _open_playlist(
    url: str, timeouts: Timeouts, ca_file: str | None, listing: Listing, reach: Reach
) -> AudioReader | None:
    """Open what a playlist leads to; None where it is no playlist."""
    found = _follow(url, timeouts, ca_file, reach)
    if found is None:
        return None
    address, is_hls = found
    if not is_hls:
        return _open(address, timeouts, ca_file, reach)
    options = _options(urlsplit(address).scheme, timeouts, ca_file)
    timeout = (_connect_seconds(timeouts), timeouts.read_seconds * HLS_FACTOR)
    opener = Segments(_secure(ca_file), (timeouts.open_seconds, timeouts.read_seconds), reach, listing)
    return AudioReader(address, {**options, **HLS_OPTIONS}, timeout, container="hls", open_more=opener)


def _follow(url: str, timeouts: Timeouts, ca_file: str | None, reach: Reach) -> tuple[str, bool] | None:
    """Return the address that a playlist leads to, and whether HLS is there; None where it is no playlist."""
    seen: set[str] = set()
    while len(seen) < _MOST_PLAYLISTS:
        if url in seen:
            raise ReadError("its playlists lead in a circle")
        seen.add(url)
        fetched = fetch_text(url, timeouts.open_seconds, ca_file, reach)
        if fetched is None:
            return (url, False) if len(seen) > 1 else None
        location, text = with_account(fetched[0], url), fetched[1]
        if playlists.is_hls(text):
            variant = playlists.choose_variant(text)
            if variant is None:
                return location, True
            address = urljoin(location, variant)
        else:
            named = playlists.entries(text, is_playlist=playlists.is_playlist_address(url))
            if not named:
                if len(seen) == 1:
                    return None
                raise ReadError("its playlist names no stream")
            address = urljoin(location, named[0])
        scheme, colon, rest = address.partition(":")
        address = with_account(f"{scheme.lower()}{colon}{rest}", location)
        reach.check(address, _FOLLOWED, is_entry=not playlists.is_hls(text))
        if urlsplit(address).scheme not in _WEB or not (
            playlists.is_hls(text) or playlists.is_playlist_address(address)
        ):
            return address, False
        url = address
    raise ReadError(f"its playlists lead on to others, more than {_MOST_PLAYLISTS} times")


def _open(url: str, timeouts: Timeouts, ca_file: str | None, reach: Reach) -> AudioReader:
    """Open what is no playlist, through as many redirects as its server may make."""
    for _ in range(_MOST_REDIRECTS):
        open_once = _open_rtsp if urlsplit(url).scheme in _RTSP else _open_other
        opened = open_once(url, timeouts, ca_file, reach)
        if isinstance(opened, AudioReader):
            return opened
        url = opened
    raise ReadError(f"its server leads on to others, more than {_MOST_REDIRECTS} times")


def _open_rtsp(url: str, timeouts: Timeouts, ca_file: str | None, reach: Reach) -> AudioReader | str:
    """Open an address, or return where its server leads."""
    begin = time.monotonic()
    relay = RtspRelay(url, _connect_seconds(timeouts), ca_file, reach)
    try:
        return AudioReader(relay.url, _options(urlsplit(url).scheme, timeouts, ca_file), _waiting(timeouts))
    except ReadError as error:
        if relay.location is None:
            raise _explained(error, url, timeouts, time.monotonic() - begin, ca_file) from None
    scheme, colon, rest = urljoin(url, relay.location).partition(":")
    leads_to = with_account(f"{scheme.lower()}{colon}{rest}", url)
    reach.check(leads_to, _RTSP)
    return leads_to


def _open_other(url: str, timeouts: Timeouts, ca_file: str | None, reach: Reach) -> AudioReader | str:
    """Open an address, or return where its server leads."""
    scheme = urlsplit(url).scheme
    number, naming = in_numbers(url, timeouts.open_seconds, reach)
    options = {**_options(scheme, timeouts, ca_file), **naming}
    if scheme in _WEB:
        options["format_whitelist"] = PLAIN_FORMATS
    begin = time.monotonic()
    try:
        return AudioReader(number, options, _waiting(timeouts))
    except ReadError as error:
        seconds = time.monotonic() - begin
        leads_to = redirect_of(url, timeouts.open_seconds, ca_file, reach) if error.broke_off else None
        if leads_to is None:
            raise _explained(error, url, timeouts, seconds, ca_file) from None
        return leads_to


def _explained(error: ReadError, url: str, timeouts: Timeouts, seconds: float, ca_file: str | None) -> ReadError:
    scheme = urlsplit(url).scheme
    # RTSP takes a server that does not answer for one that answers nonsense.
    late = seconds >= 0.9 * _connect_seconds(timeouts)
    if error.timed_out or (late and (error.broke_off or error.not_audio)):
        return ReadError(f"no answer in {seconds:.0f} s", timed_out=True)
    if error.broke_off:
        return ReadError(_diagnose(url, ca_file) or str(error))
    if str(error) == NOT_AUDIO and scheme in _RTSP:
        return ReadError("the server ends the connection, or does not speak RTSP")
    return error


def _options(scheme: str, timeouts: Timeouts, ca_file: str | None) -> dict[str, str]:
    """FFmpeg's options; each protocol heeds another one of the time-outs, in microseconds, and ignores the rest.

    They hold for every answer on the way to the first sound; silence after that is noticed sooner, by who reads.
    """
    limit = str(round(_connect_seconds(timeouts) * 1e6))
    match scheme:
        case "rtsp":  # by UDP only where a server refuses TCP
            options = {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"}
            return {**options, "timeout": limit, "allowed_media_types": "audio"}
        case "rtsps":  # TLS is the relay's; what comes by UDP would not be encrypted
            return {"rtsp_transport": "tcp", "timeout": limit, "allowed_media_types": "audio"}
        case "file":
            return {"protocol_whitelist": "file,udp,rtp"}
        case "udp":
            return {"timeout": limit}
    return {
        **_secure(ca_file),
        **NO_REDIRECTS,
        "timeout": limit,
        "rw_timeout": limit,
        "live_start_index": "-1",
        # Resumes a recording where it broke, if its server knows byte ranges; leaves live streams alone.
        "reconnect": "1",
        "analyzeduration": "1000000",
    }


def _waiting(timeouts: Timeouts) -> tuple[float, float]:
    """How long FFmpeg may take to open, and to wait for each packet."""
    return _connect_seconds(timeouts), timeouts.read_seconds


def _connect_seconds(timeouts: Timeouts) -> float:
    return timeouts.open_seconds + timeouts.read_seconds


def _secure(ca_file: str | None) -> Mapping[str, str]:
    """Nothing is sent, no password above all, before a server's certificate is found to be good."""
    return {"tls_verify": "1", "ca_file": trusted(ca_file)}


def _diagnose(url: str, ca_file: str | None) -> str | None:
    """Look for the reason once more, by other means; no user or password is sent. None: nothing was found."""
    parts = urlsplit(url)
    try:
        port = parts.port or _TLS_PORTS.get(parts.scheme)
        socket.getaddrinfo(parts.hostname, port)
        if parts.scheme not in _TLS_PORTS:
            return None
        with (
            socket.create_connection((parts.hostname or "", port or 0), _DIAGNOSIS_SECONDS) as plain,
            trusting(ca_file).wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return None
    except (socket.gaierror, UnicodeError):
        return NO_SUCH_HOST
    except ssl.SSLCertVerificationError as error:
        return distrust(error)
    except ssl.SSLError:
        return "it does not speak TLS as it should"
    except (OSError, ValueError):
        return None
