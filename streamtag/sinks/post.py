"""One POST over HTTP, within a time that no server can stretch."""

import base64
import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from streamtag.threads import Worker

__all__ = ["Post", "Response"]

_STEP_SECONDS: Final = 10.0
_WHOLE_SECONDS: Final = 30.0


class Response(NamedTuple):
    """What came of it: a status of HTTP, or 0 and why there was none."""

    status: int
    reason: str = ""
    retry_after: float | None = None
    """Seconds."""


class Post:
    """Posts to one address; redirects are not followed."""

    def __init__(self, url: str, token: str | None, content_type: str) -> None:
        """Prepare it.

        Args:
            url: The address; a user and password in it are sent as HTTP's basic authentication.
            token: Sent as a bearer token.
            content_type: Of all bodies.
        """
        self._url = urlsplit(url)
        self._headers = {"Content-Type": content_type, "User-Agent": "streamtag", "Connection": "close"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        elif self._url.username is not None:
            account = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(account.encode()).decode()}"

    def send(self, body: str) -> Response:
        """Post a body and return the answer, within half a minute."""
        connection = _connection(self._url)
        # A server that sends a byte now and then would hold us for ever.
        over = threading.Event()
        Worker("post", partial(_cut_if_late, connection, over), on_failure=lambda _: None).start()
        try:
            path = self._url.path or "/"
            connection.request(
                "POST", f"{path}?{self._url.query}" if self._url.query else path, body.encode(), self._headers
            )
            response = connection.getresponse()
            return Response(response.status, response.reason, _seconds(response.getheader("Retry-After")))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Response(0, _in_words(error))
        finally:
            over.set()
            connection.close()


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, url.port, timeout=_STEP_SECONDS, context=context)
    return http.client.HTTPConnection(host, url.port, timeout=_STEP_SECONDS)


def _cut_if_late(connection: http.client.HTTPConnection, over: threading.Event) -> None:
    if not over.wait(_WHOLE_SECONDS) and (sock := connection.sock) is not None:
        with suppress(OSError):  # it is over already
            sock.shutdown(socket.SHUT_RDWR)


def _in_words(error: Exception) -> str:
    """Say what went wrong without the address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, OSError):
        return error.strerror or "the connection was lost"
    return "what it answered is no HTTP"


def _seconds(retry_after: str | None) -> float | None:
    """Read `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
