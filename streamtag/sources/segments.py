"""The pieces of an HLS stream, each opened with the same care as its playlist.

Left to itself FFmpeg asks for a certificate where the playlist is opened, and for none when it fetches the pieces.
"""

from collections.abc import Mapping
from typing import Any

import av

from streamtag.sources.connecting import in_numbers
from streamtag.sources.listing import Listing
from streamtag.sources.reach import Reach
from streamtag.sources.reasons import ReadError, read_error
from streamtag.sources.web import redirect_of

__all__ = ["HLS_OPTIONS", "NO_REDIRECTS", "Segments"]

NO_REDIRECTS = {"max_redirects": "0"}
"""FFmpeg follows redirects wherever they lead; here they are followed by hand."""

HLS_OPTIONS = {
    "http_persistent": "0",
    "http_multiple": "0",
    "max_reload": "1000000",
    "m3u8_hold_counters": "1000000",
}
"""FFmpeg's HLS reuses connections by ways of its own, which would lead past `Segments`; and it gives up after so many
looks without anything new, where how long nothing comes is what counts."""
_SCHEMES = ("http", "https", "data")
_MOST_REDIRECTS = 8
_ENCRYPTED = "crypto+"
_MOST_TEXT = 4 << 20


class Segments:
    """What FFmpeg's HLS asks to open a playlist, a key or a piece (`io_open` of PyAV)."""

    def __init__(
        self, options: Mapping[str, str], timeout: tuple[float, float], reach: Reach, listing: Listing
    ) -> None:
        """Prepare to open.

        Args:
            options: FFmpeg's, for every connection.
            timeout: seconds to open a connection, and to wait for more on it.
            reach: where the playlist may lead.
            listing: told what the playlist lists and what of it is opened; says when to look again.
        """
        self._options = {**options, **NO_REDIRECTS}
        self._timeout = timeout
        self._reach = reach
        self._listing = listing
        self._playlist: str | None = None  # the first that is asked for
        self._form: bytes | None = None  # what says how to decode the sound

    def __call__(self, url: str, flags: int, options: Mapping[str, str]) -> "_Bytes | _Text":
        """Open an address.

        Raises:
            ReadError: it cannot be opened, or may not be; or nobody listens any more.
        """
        if self._playlist is None:
            self._playlist = url
        if url == self._playlist:
            return self._look(url, options)
        address = url.removeprefix(_ENCRYPTED)
        if not address.startswith("data:"):
            self._reach.check(address, _SCHEMES)
        offset = int(options.get("offset", "0"))
        if self._listing.is_form(address, offset):
            return self._read_form(self._fetch(url, options))
        opened = self._open(url, options)
        self._listing.open(address, offset)
        return opened

    def _look(self, url: str, options: Mapping[str, str]) -> "_Text":
        listing = self._listing
        if not listing.has_more:
            if not listing.wait():
                raise ReadError("nobody listens any more")
            listing.look(self._fetch(url, options).decode("utf-8", "replace"), url)
        return _Text(listing.serve().encode())

    def _read_form(self, data: bytes) -> "_Text":
        """Take what says how to decode what follows; FFmpeg heeds the first alone, and would decode noise."""
        if self._form not in (None, data):
            raise ReadError("its sound takes another form", in_data=True)
        self._form = data
        return _Text(data)

    def _open(self, url: str, options: Mapping[str, str]) -> "_Bytes":
        """Open an address that was looked at, and wherever its server redirects as far as it may lead."""
        prefix = _ENCRYPTED if url.startswith(_ENCRYPTED) else ""
        address = url.removeprefix(prefix)
        for _ in range(_MOST_REDIRECTS):
            number, naming = in_numbers(address, self._timeout[0], self._reach)
            try:
                return _Bytes(prefix + number, {**options, **self._options, **naming}, self._timeout)
            except ReadError as error:
                leads_to = None
                if error.broke_off:
                    leads_to = redirect_of(address, self._timeout[0], self._options.get("ca_file"), self._reach)
                if leads_to is None:
                    raise
                address = leads_to
        raise ReadError(f"its server leads on to others, more than {_MOST_REDIRECTS} times")

    def _fetch(self, url: str, options: Mapping[str, str]) -> bytes:
        playlist = self._open(url, options)
        try:
            data = b""
            while len(data) <= _MOST_TEXT and (more := playlist.read(_MOST_TEXT)):
                data += more
        finally:
            playlist.close()
        return data


class _Text:
    """What is known already, in the form of a file."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; none at the end."""
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def close(self) -> None:
        """Nothing is open."""


class _Bytes:
    """The bytes behind an address, in the form of a file, by way of FFmpeg's own protocols."""

    def __init__(self, url: str, options: dict[str, str], timeout: tuple[float, float]) -> None:
        try:
            self._container = av.open(
                url, format="data", options={**options, "raw_packet_size": "32768"}, timeout=timeout
            )
        except (av.error.FFmpegError, OSError) as error:
            raise read_error(error, is_file=False) from None
        self._packets: Any = self._container.demux()
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return at least one byte and at most `size`; none at the end."""
        while not self._rest:
            try:
                packet = next(self._packets, None)
            except av.error.EOFError:
                return b""
            except (av.error.FFmpegError, OSError) as error:
                raise read_error(error, is_file=False) from None
            if packet is None:
                return b""
            self._rest = bytes(packet)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def close(self) -> None:
        """End the connection."""
        self._container.close()
