"""Fetching a short text over HTTP: a playlist. Sound never comes this way."""

import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from functools import partial
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from streamtag.sources.connecting import connect
from streamtag.sources.reach import NO_SUCH_HOST, Reach, asks_proxy
from streamtag.sources.reasons import ReadError, status_reason
from streamtag.sources.trust import trusting

__all__ = ["connection_error", "distrust", "fetch_text", "redirect_of", "with_account", "without_account"]

_WEB = ("http", "https")
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_BYTES = 4 << 20
_FIRST_BYTES = 4096
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")
_HEADERS = {"User-Agent": "streamtag", "Accept": "*/*"}


def fetch_text(url: str, seconds: float, ca_file: str | None, reach: Reach) -> tuple[str, str] | None:
    """Fetch a text of at most 4 MiB.

    Args:
        url: `http` or `https`, perhaps with user and password, which only its own host gets.
        seconds: to fetch it.
        ca_file: see `trust.trusted`.
        reach: where the server may lead.

    Returns:
        The address that it came from in the end, and the text; None where it is no text, such as sound.

    Raises:
        ReadError: it cannot be fetched.
    """
    until = time.monotonic() + seconds
    request = urllib.request.Request(without_account(url), headers=_HEADERS)  # noqa: S310 - http or https
    try:
        with _opener(url, ca_file, reach).open(request, timeout=seconds) as response:
            data = response.read1(_FIRST_BYTES)
            if _NO_TEXT.search(data) or not data:
                return None
            while len(data) <= _MOST_BYTES and (more := response.read1(_MOST_BYTES)):
                if time.monotonic() > until:
                    raise ReadError("no answer in time", timed_out=True)
                data += more
            return (response.url, data.decode("utf-8", "replace")) if len(data) <= _MOST_BYTES else None
    except (http.client.HTTPException, ValueError):
        return None  # not HTTP as Python knows it, such as SHOUTcast's
    except OSError as error:
        raise connection_error(error) from None


def redirect_of(url: str, seconds: float, ca_file: str | None, reach: Reach) -> str | None:
    """Return where a server redirects, with the account that it may have there; None if it does not.

    FFmpeg would follow a redirect wherever it leads: it is told not to, and this is asked where it could not connect.

    Args:
        url: `http` or `https`, perhaps with user and password; for any other scheme None is returned.
        seconds: to ask.
        ca_file: see `trust.trusted`.
        reach: where the server may lead.

    Raises:
        ReadError: it may not be followed.
    """
    if urlsplit(url).scheme not in _WEB:
        return None
    request = urllib.request.Request(without_account(url), headers=_HEADERS)  # noqa: S310 - http or https
    try:
        with _opener(url, ca_file, reach, follows=False).open(request, timeout=seconds):
            return None
    except urllib.error.HTTPError as error:
        with error:
            location = error.headers.get("Location") if error.code in _REDIRECTS else None
    except (http.client.HTTPException, ValueError, OSError):
        return None  # FFmpeg's own reason is told
    if not location:
        return None
    scheme, colon, rest = urljoin(url, location).partition(":")
    address = with_account(f"{scheme.lower()}{colon}{rest}", url)
    reach.check(address, _WEB)
    return address


def without_account(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def with_account(url: str, of: str) -> str:
    """The address with the user and password of another one on the same host, unless it is less well kept there."""
    parts, given = urlsplit(url), urlsplit(of)
    account, at, _ = given.netloc.rpartition("@")
    if not at or "@" in parts.netloc or parts.hostname != given.hostname or parts.scheme not in (given.scheme, "https"):
        return url
    return urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc}"))


def _opener(url: str, ca_file: str | None, reach: Reach, *, follows: bool = True) -> urllib.request.OpenerDirector:
    parts = urlsplit(url)
    handlers: list[urllib.request.BaseHandler] = [_Redirects(reach if follows else None)]
    if asks_proxy(url):
        handlers.append(urllib.request.HTTPSHandler(context=trusting(ca_file)))
    else:
        handlers += [_Http(reach), _Https(reach, trusting(ca_file))]
    if parts.username is not None or parts.password is not None:
        accounts = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        accounts.add_password(None, origin, unquote(parts.username or ""), unquote(parts.password or ""))
        handlers += [urllib.request.HTTPBasicAuthHandler(accounts), urllib.request.HTTPDigestAuthHandler(accounts)]
    return urllib.request.build_opener(*handlers)


class _Connection(http.client.HTTPConnection):
    """Connects where `reach` lets it."""

    def __init__(self, host: str, *, reach: Reach, trust: ssl.SSLContext | None = None, **options: Any) -> None:
        self.default_port = http.client.HTTP_PORT if trust is None else http.client.HTTPS_PORT
        super().__init__(host, **options)
        self._reach, self._trust = reach, trust

    def connect(self) -> None:
        self.sock = connect(self.host, self.port, self.timeout or 0.0, self._reach)
        if self._trust is not None:
            self.sock = self._trust.wrap_socket(self.sock, server_hostname=self.host)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, reach: Reach) -> None:
        super().__init__()
        self._connection: Any = partial(_Connection, reach=reach)

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, reach: Reach, trust: ssl.SSLContext) -> None:
        super().__init__(context=trust)
        self._connection: Any = partial(_Connection, reach=reach, trust=trust)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, request)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as far as they may lead; none without a reach."""

    def __init__(self, reach: Reach | None) -> None:
        self._reach = reach

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if self._reach is None:
            return None
        try:
            self._reach.check(newurl, _WEB)
        except ReadError:
            fp.close()  # nobody else would
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def connection_error(error: OSError) -> ReadError:
    """Return what an error of Python's own connections means."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return ReadError(status_reason(error.code))
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    match cause:
        case socket.gaierror():
            return ReadError(NO_SUCH_HOST)
        case TimeoutError():
            return ReadError("no answer in time", timed_out=True)
        case ssl.SSLCertVerificationError():
            return ReadError(distrust(cause))
        case ssl.SSLError():
            return ReadError("it does not speak TLS as it should")
        case OSError() if cause.strerror:
            return ReadError(cause.strerror.lower())
    return ReadError("the connection broke off")


def distrust(error: ssl.SSLCertVerificationError) -> str:
    """Why a server's certificate is not believed, and what to do."""
    reason = (error.verify_message or "unknown").rstrip(".").lower()
    return f"its certificate is not to be trusted ({reason}); if it is your own, name its CA's file with ca_file"
