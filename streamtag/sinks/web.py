"""A small web server for a few pages that are only read, whose visitors cannot hold it up."""

import http.server
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import Message
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from streamtag.threads import Worker

__all__ = ["Page", "WebServer", "is_loopback"]

_MOST_CONNECTIONS: Final = 32
_STEP_SECONDS: Final = 5.0
_WHOLE_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.2
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Page(NamedTuple):
    """What is answered."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    encoding: str | None = None


def is_loopback(host: str) -> bool:
    """Tell whether an address is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class WebServer:
    """Answers GET and HEAD; a thread for each of a few connections, each of which has a few seconds.

    Bound to loopback, it answers under the names of this machine alone: another name leads here by a trick.
    """

    def __init__(
        self,
        host: str,
        port: int,
        pages: Mapping[str, Callable[[Message], Page]],
        whole_seconds: float = _WHOLE_SECONDS,
    ) -> None:
        """Bind the address.

        Args:
            host: Where to listen.
            port: The TCP port.
            pages: What to answer by path; called in several threads with the request's headers.
            whole_seconds: How long a visitor may take in all.

        Raises:
            OSError: The address cannot be had.
        """
        names = _LOOPBACK if is_loopback(host) else None
        self._server = _Server((host, port), partial(_Handler, pages, names), whole_seconds)
        self._worker = Worker("metrics", partial(self._server.serve_forever, _LOOK_SECONDS))

    def start(self) -> None:
        """Begin to answer."""
        self._worker.start()

    @property
    def is_alive(self) -> bool:
        """Whether it answers."""
        return self._worker.is_alive

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._worker.join(1.0)


class _Server(socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: Callable[..., Any], whole_seconds: float) -> None:
        self._whole_seconds = whole_seconds
        self._began: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            is_full = len(self._began) >= _MOST_CONNECTIONS
            if not is_full:
                self._began[request] = time.monotonic()
        if is_full:
            self.shutdown_request(request)
            return
        respond = partial(self._respond, request, client_address)
        Worker("metrics-visitor", respond, on_failure=lambda _: None).start()

    def _respond(self, request: socket.socket, client_address: Any) -> None:
        try:
            with suppress(OSError):  # who asked is gone, or was too slow
                self.finish_request(request, client_address)
        finally:
            with self._lock:
                self._began.pop(request, None)
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out a visitor for whom there is no thread: the next may have one."""
        with self._lock:
            self._began.pop(request, None)

    def service_actions(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [request for request, began in self._began.items() if now - began > self._whole_seconds]
        for request in late:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    server_version, sys_version = "streamtag", ""
    timeout = _STEP_SECONDS

    def __init__(
        self, pages: Mapping[str, Callable[[Message], Page]], names: tuple[str, ...] | None, *connection: Any
    ) -> None:
        self._pages = pages
        self._names = names
        super().__init__(*connection)

    def do_GET(self) -> None:
        self._send(self._page())

    do_HEAD = do_GET  # noqa: N815

    def _page(self) -> Page:
        if self._names is not None and _host(self.headers.get("Host", "")) not in self._names:
            return Page(b"This address is for this machine only.\n", status=403)
        respond = self._pages.get(self.path.partition("?")[0])
        if respond is None:
            return Page(f"Not found. There are {', '.join(self._pages)}.\n".encode(), status=404)
        return respond(self.headers)

    def _send(self, page: Page) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if page.encoding is not None:
            self.send_header("Content-Encoding", page.encoding)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    def log_message(self, *_: object) -> None:
        """Say nothing: what visitors ask for is no news."""


def _host(header: str) -> str | None:
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None
