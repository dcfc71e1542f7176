"""The pieces of an HLS stream, each opened with the same care as its playlist.

Left to itself FFmpeg asks for a certificate where the playlist is opened, and for none when it fetches the pieces.
"""

from collections.abc import Mapping
from typing import Any

import av

from streamtag.sources.reach import Reach
from streamtag.sources.reasons import read_error

__all__ = ["HLS_OPTIONS", "Segments"]

HLS_OPTIONS = {"http_persistent": "0", "http_multiple": "0"}
"""FFmpeg's HLS reuses connections by ways of its own, which would lead past `Segments`."""
_SCHEMES = ("http", "https", "data")
_ENCRYPTED = "crypto+"


class Segments:
    """What FFmpeg's HLS asks to open a playlist, a key or a piece (`io_open` of PyAV)."""

    def __init__(self, options: Mapping[str, str], timeout: tuple[float, float], reach: Reach) -> None:
        """Prepare to open.

        Args:
            options: FFmpeg's, for every connection.
            timeout: seconds to open a connection, and to wait for more on it.
            reach: where the playlist may lead.
        """
        self._options = dict(options)
        self._timeout = timeout
        self._reach = reach

    def __call__(self, url: str, flags: int, options: Mapping[str, str]) -> "_Bytes":
        """Open an address.

        Raises:
            ReadError: it cannot be opened, or may not be.
        """
        address = url.removeprefix(_ENCRYPTED)
        if not address.startswith("data:"):
            self._reach.check(address, _SCHEMES)
        return _Bytes(url, {**options, **self._options}, self._timeout)


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
