"""Requests that no browser sends: a real one, with something in it changed at random."""

import base64
import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

__all__ = ["ROUTES", "ask", "odd_request", "odd_socket"]

ROUTES: Final = (
    "/", "/config", "/theme.css", "/login", "/logout", "/assets/x.js", "/static/img/logo.svg", "/gradio_api/info",
    "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/file=/etc/passwd", "/streamtag/static/main.js",
    "/streamtag/live", "/streamtag/microphone?rate=48000", "/streamtag/recording", "/streamtag/history?text=a&stream=b",
    "/streamtag/history?before_time=1&before_id=2&since=3&until=4", "/streamtag/history/export?form=csv",
    "/streamtag/history/clips/1", "/streamtag/history/clips/1?download", "/streamtag/tuning?stream=demo&label=Music",
    "/streamtag/tuning/preview?stream=demo&label=Music&on=0.5&off=0.3",
    "/streamtag/tuning/save?label=Music&on=0.5&off=0.3", "/streamtag/alerts", "/streamtag/alerts/try?alert={}",
    "/streamtag/alerts/try?alert=[[", "/streamtag/alerts/save?alert={}&before=x", "/streamtag/alerts/remove?name=x",
    "/api/v1/streams", "/api/v1/labels", "/api/v1/clips/x",
    "/api/v1/events?label=a&stream=b&since=1&until=2&limit=3", "/api/v1/openapi.json",
)  # fmt: skip
"""Every kind of path that the page has."""
_POSTED: Final = (
    "/streamtag/recording",
    "/streamtag/tuning/save",
    "/streamtag/alerts/save",
    "/streamtag/alerts/remove",
    "/log",
)
_HUGE: Final = "9" * 5000
_DEEP: Final = "[" * 20_000
_ODD: Final = (
    "", "0", "-1", _HUGE, "1e999", "nan", "-inf", "%00", "%ff%fe", "%", "..", "../../etc/passwd", "%2e%2e%2f", "//",
    "\\", "'", "<script>", "${7*7}", "{{7*7}}", "\u00e4\u4e2d", "\u202e", "a" * 9000, "%0d%0aX: y", "2026-13-45T99:99",
    "0x10", "\u0663", "true", "null", "[]", "{}", "*", "?", "#", ";", " ", "\t",
    "[" * 9000, '{"a":' * 2000, '{"name":"x","when":"Dog","for_seconds":1e999}', '{"name":5,"when":[[]],"on":"x"}',
)  # fmt: skip
_HOSTS: Final = (
    "[", "]", "[::1", "[::1]:99999", "evil.example", "127.0.0.1:x", "127.0.0.1:", ":", "a b", "\u00e4", "", "%00",
    "localhost@evil", "[fe80::1%25eth0]", "127.0.0.1, 127.0.0.1", "." * 300, "0x7f.1", "localhost:0",
)  # fmt: skip
_ORIGINS: Final = (
    "null",
    "http://[",
    "://",
    "http://",
    "file://",
    "http://127.0.0.1:x",
    "\u00e4",
    "http://a@b",
    "x" * 5000,
)
_HEADERS: Final = {
    "Authorization": ("Basic", "Basic \u00e4", "Basic !!!!", "Basic YQ==", "Basic //79", "Bearer", "Bearer \u00e4"),
    "Cookie": ("=", ";;;;", "a=\u00e4", "streamtag=x; " * 300, '"', "\\"),
    "Content-Length": ("-1", "x", "1e9", _HUGE, "+5", "5, 5", "\u0665"),
    "Transfer-Encoding": ("chunked", "gzip", "chunked, chunked", "x"),
    "Range": ("bytes=0-", "bytes=-", "bytes=5-2", f"bytes={_HUGE}-", "bytes=" + "0-1," * 1000, "items=1"),
    "If-None-Match": ('"', "*", "W/"),
    "If-Modified-Since": ("x", "Thu, 99 Nov 9999 99:99:99 GMT", "\u00e4"),
    "Accept": ("text/html", "*/*;q=x", ""),
    "Accept-Language": ("\u00e4", "x" * 5000),
    "X-Forwarded-For": ("x", "1.2.3.4, ,", "\u00e4", "::" * 300, "[::1]:5"),
    "X-Forwarded-Proto": ("https", "gopher", "\u00e4"),
    "X-Forwarded-Host": ("evil.example", "[", "\u00e4"),
    "Expect": ("100-continue", "x"),
    "Upgrade": ("websocket", "h2c", "\u00e4"),
    "Connection": ("upgrade", "close", "keep-alive, Upgrade", ""),
    "Sec-WebSocket-Version": ("13", "-1", "x"),
    "Sec-WebSocket-Key": ("x", "", "\u00e4", "dGhlIHNhbXBsZSBub25jZQ=="),
    "Sec-WebSocket-Protocol": (",,,", "\u00e4"),
    "Sec-WebSocket-Extensions": ("permessage-deflate; x=" + "9" * 99, ";;"),
    "Content-Type": ("application/json", "multipart/form-data", "multipart/form-data; boundary=\u00e4", "x/y"),
    "Last-Event-ID": ("x", "a~1~b~on", f"porch~{_HUGE}~0~off", "\u00e4"),
    "Referer": ("\u00e4", "http://["),
}  # fmt: skip
_METHODS: Final = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "\u00c4", "A" * 300)
_BODIES: Final = (
    b"",
    b"x" * 5000,
    _DEEP.encode(),
    b"\xff\xfe" * 300,
    b"user=a&password=b",
    b"user=%ff&password=%00",
    b"=&=&",
)
_TARGETS: Final[tuple[Callable[[str], str], ...]] = (
    lambda path: path.replace("/", "//"),
    lambda path: f"http://evil.example{path}",
    lambda path: "*",
    lambda path: path.lstrip("/"),
    lambda path: path + "?" + "&".join(f"a{number}=b" for number in range(500)),
    lambda path: path + "/" * 200,
    lambda path: path.upper(),
)


def odd_request(dice: random.Random, host: str) -> bytes:
    """Return a request's bytes; at `host` it would be answered if nothing in it were changed."""
    path = dice.choice(ROUTES)
    method = "POST" if path.startswith(_POSTED) else "GET"
    headers = {"Host": host}
    body = b""
    for _ in range(dice.choice((1, 1, 2, 3))):
        change = dice.randrange(7)
        if change == 0:
            path = _with_odd_value(path, dice)
        elif change == 1:
            path = dice.choice(_TARGETS)(path)
        elif change == 2:
            method = dice.choice(_METHODS)
        elif change == 3:
            headers[dice.choice(("Host", "Origin"))] = dice.choice(_HOSTS + _ORIGINS)
        elif change == 4:
            body = dice.choice(_BODIES)
            headers.setdefault("Content-Length", str(len(body)))
        else:
            name = dice.choice(list(_HEADERS))
            headers[name] = dice.choice(_HEADERS[name])
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + body


def _with_odd_value(path: str, dice: random.Random) -> str:
    parts = path.replace("?", "/").replace("&", "/").split("/")
    part = dice.choice([part for part in parts if part] or [""])
    odd = dice.choice(_ODD)
    name, equals, _ = part.partition("=")
    return path.replace(part, f"{name}={odd}" if equals else odd, 1) if part else f"/{odd}"


def odd_socket(dice: random.Random, host: str) -> Iterator[bytes]:
    """Yield a WebSocket's beginning, and then frames of which not all are ones."""
    path = dice.choice(("/streamtag/live", "/streamtag/microphone?rate=48000", "/streamtag/microphone?rate=" + _HUGE))
    key = base64.b64encode(dice.randbytes(16)).decode()
    yield (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()
    texts = (
        b'{"watch": "demo"}',
        b'{"watch": 5}',
        b"{",
        b"[" * 5000,
        b"\xff\xfe",
        b"9" * 6000,
        b'{"watch": "\\ud800"}',
        b"",
    )
    for _ in range(dice.randrange(1, 6)):
        opcode = dice.choice((1, 1, 1, 2, 2, 0, 8, 9, 10, 3, 15))
        first = dice.choice((0x80, 0x80, 0x80, 0x00, 0xC0, 0xF0)) | opcode
        data = dice.choice(
            (*texts, dice.randbytes(dice.randrange(300)), struct.pack("<d", dice.choice((0.0, -1.0, 1e300))))
        )
        length = dice.choice((None, None, None, None, 1 << 40))
        yield _frame(first, data, length)


def _frame(first: int, data: bytes, claimed: int | None) -> bytes:
    mask = b"\x01\x02\x03\x04"
    length = len(data) if claimed is None else claimed
    if length < 126:
        head = struct.pack("!BB", first, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + mask + bytes(byte ^ mask[number % 4] for number, byte in enumerate(data))


def ask(address: tuple[str, int], parts: Iterator[bytes], source: str = "127.0.0.1", seconds: float = 1.0) -> bytes:
    """Send this to the page and return how the answer begins, nothing where there is none."""
    answer = b""
    with suppress(OSError), socket.create_connection(address, seconds, (source, 0)) as connection:
        for part in parts:
            connection.sendall(part)
        while len(answer) < 64 and (more := connection.recv(4096)):
            answer += more
    return answer
