"""Between FFmpeg's RTSP and a server: FFmpeg goes wherever a server sends it, and this does not.

FFmpeg follows a redirect to any address (and shows it the user's password), looks for a name's addresses by itself, and
by UDP sends where the server says that the sound comes from; none of it can be switched off. So it is given an address
of this machine, where a thread passes on what the two say. The connection to the server is made here, where it may
lead, and with TLS where it is asked for.

What the server is told is what FFmpeg would have told it: its own address, and passwords that are signed for that.
"""

import selectors
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from streamtag.sources.connecting import connect
from streamtag.sources.reach import Reach, host_and_port
from streamtag.sources.reasons import ReadError
from streamtag.sources.rtsp_messages import Message, Parser, RtspError, signed
from streamtag.sources.trust import trusting
from streamtag.sources.web import connection_error
from streamtag.threads import Worker

__all__ = ["RtspRelay"]

_MOST_BYTES: Final = 1 << 16
_REST_SECONDS: Final = 0.05
"""Packets gather for so long: hundreds of connections would wake this process for each of them."""


class RtspRelay:
    """One connection to a server, for one connection of FFmpeg's; it ends with either of them.

    Attributes:
        url: What FFmpeg opens.
        location: Where the server said that the stream is, before it was left; None if it did not.
    """

    def __init__(self, url: str, seconds: float, ca_file: str | None, reach: Reach) -> None:
        """Connect to the server.

        Args:
            url: `rtsp` or `rtsps`, perhaps with user and password.
            seconds: to connect, and for every answer on the way to the first sound.
            ca_file: see `trust.trusted`.
            reach: where the server may lead.

        Raises:
            ReadError: it cannot be connected to, or may not be, or cannot prove to be that server.
        """
        parts = urlsplit(url)
        host, port = host_and_port(parts)
        self.location: str | None = None
        self._reach = reach
        self._seconds = seconds
        self._account = parts.netloc.rpartition("@")[0]
        self._there = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        try:
            self._server = connect(host, port, seconds, reach)
            if parts.scheme == "rtsps":
                self._server = trusting(ca_file).wrap_socket(self._server, server_hostname=host)
            self._peer = str(self._server.getpeername()[0])
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        except OSError as error:
            raise connection_error(error) from None
        here = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._here = f"rtsp://{here}"
        netloc = f"{self._account}@{here}" if "@" in parts.netloc else here
        self.url = urlunsplit(parts._replace(scheme="rtsp", netloc=netloc))
        Worker("RTSP relay", self._run, on_failure=lambda _: None).start()

    def _run(self) -> None:
        with self._server, suppress(OSError, RtspError):
            with self._listener as listener:
                listener.settimeout(self._seconds)
                ffmpeg, _ = listener.accept()
            with ffmpeg:
                self._pass_on(ffmpeg)

    def _pass_on(self, ffmpeg: socket.socket) -> None:
        """Pass on what both say until one of them leaves, or the server leads elsewhere."""
        told, asked = Parser(), Parser()
        with selectors.DefaultSelector() as selector:
            selector.register(ffmpeg, selectors.EVENT_READ)
            selector.register(self._server, selectors.EVENT_READ)
            while True:
                selector.select()
                from_ffmpeg, from_server = self._receive(ffmpeg), self._receive(self._server)
                for part in asked.feed(from_ffmpeg or b""):
                    self._server.sendall(self._request(part) if isinstance(part, Message) else part)
                has_sound = False
                for part in told.feed(from_server or b""):
                    has_sound |= isinstance(part, bytes)
                    ffmpeg.sendall(self._reply(part) if isinstance(part, Message) else part)
                if b"" in (from_ffmpeg, from_server):
                    return
                if has_sound:
                    time.sleep(_REST_SECONDS)

    def _receive(self, connection: socket.socket) -> bytes | None:
        """What there is; none at the end, and None where there is nothing yet."""
        connection.settimeout(0)
        try:
            data = connection.recv(_MOST_BYTES)
            while isinstance(connection, ssl.SSLSocket) and connection.pending():
                data += connection.recv(_MOST_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        finally:
            connection.settimeout(self._seconds)
        return data

    def _request(self, message: Message) -> bytes:
        """What FFmpeg asks, as it would ask the server itself."""
        method, address, version = message.first
        if address.startswith(self._here):
            address = self._there + address.removeprefix(self._here)
        sign = partial(signed, method=method, address=address, account=self._account)
        return replace(message, first=(method, address, version)).with_values("authorization", sign).encode()

    def _reply(self, message: Message) -> bytes:
        """What the server says, without what would lead FFmpeg elsewhere."""
        if message.status is not None and 300 <= message.status < 400:
            self.location = message.value("location")
            raise RtspError
        return message.with_values("transport", self._transport).encode()

    def _transport(self, value: str) -> str:
        """Where sound comes from by UDP, which is where FFmpeg sends its reports: the server, or where it may lead."""
        ways = []
        for way in value.split(","):
            pairs = [pair.partition("=") for pair in map(str.strip, way.split(";"))]
            kept = ["".join(pair) for pair in pairs if pair[0].strip().lower() not in ("source", "destination")]
            source = next((told.strip() for name, _, told in pairs if name.strip().lower() == "source"), self._peer)
            ways.append(";".join([*kept, f"source={self._allowed(source)}"]))
        return ",".join(ways)

    def _allowed(self, source: str) -> str:
        if source == self._peer:
            return source
        try:
            return self._reach.addresses(source, 0)[0]
        except ReadError:
            return self._peer
