"""What may be tried at the page: by strangers, and by somebody who has logged in and means ill."""

import http.client
import random
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from importlib import resources
from pathlib import Path
from typing import Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from scripts.attack.odd_requests import ask, odd_request, odd_socket
from scripts.attack.target import Target

__all__ = ["ATTACKS"]

_STRANGER, _INSIDER = "127.0.0.66", "127.0.0.67"
_RECORDING: Final = Path(str(resources.files("streamtag"))) / "bundles" / "default" / "demo.flac"


def _open(target: Target, stack: ExitStack, first: bytes) -> socket.socket:
    made = stack.enter_context(socket.create_connection(("127.0.0.1", target.page), 5, (_STRANGER, 0)))
    made.sendall(first)
    return made


def idle(target: Target, until: float, dice: random.Random) -> int:
    """Keep a thousand connections open that ask nothing, or never end their question."""
    count = 0
    host = f"Host: 127.0.0.1:{target.page}\r\n".encode()
    while time.monotonic() < until:
        with ExitStack() as stack, suppress(OSError):
            opened: list[socket.socket] = []
            while time.monotonic() < until and len(opened) < 1100:
                opened.append(_open(target, stack, dice.choice((b"", b"GET / HTTP/1.1\r\n" + host + b"X: "))))
                count += 1
            while time.monotonic() < until and dice.random() < 0.9:
                for each in opened:
                    with suppress(OSError):
                        each.send(b"x")
                time.sleep(1.0)
    return count


def guesses(target: Target, until: float, dice: random.Random) -> int:
    """Guess passwords, by header and by form."""
    count = 0
    with target.client(_STRANGER) as client:
        while time.monotonic() < until:
            guess = f"{dice.random()}"
            if dice.random() < 0.5:
                client.get("/", auth=("anna", guess))
            else:
                client.post("/login", data={"user": "anna", "password": guess})
            count += 1
    return count


def odd(target: Target, until: float, dice: random.Random) -> int:
    """Send requests and WebSockets that no browser sends."""
    count = 0
    host = f"127.0.0.1:{target.page}"
    while time.monotonic() < until:
        parts = iter([odd_request(dice, host)]) if dice.random() < 0.7 else odd_socket(dice, host)
        ask(("127.0.0.1", target.page), parts, _STRANGER, 0.3)
        count += 1
    return count


def slow_uploads(target: Target, until: float, dice: random.Random) -> int:
    """Logged in: upload byte by byte, and ask for tables that are never read."""
    cookie = target.cookie(_INSIDER)
    head = f"Host: 127.0.0.1:{target.page}\r\nCookie: {cookie}\r\n"
    upload = f"POST /streamtag/recording HTTP/1.1\r\n{head}Content-Length: 100000000\r\n\r\n".encode()
    table = f"GET /streamtag/history/export?form=csv HTTP/1.1\r\n{head}\r\n".encode()
    count = 0
    while time.monotonic() < until:
        with ExitStack() as stack, suppress(OSError):
            opened = [_open(target, stack, dice.choice((upload, table))) for _ in range(40)]
            count += len(opened)
            while time.monotonic() < until and dice.random() < 0.95:
                for each in opened:
                    with suppress(OSError):
                        each.send(b"x")
                time.sleep(0.5)
    return count


def watch_requests(target: Target, until: float, dice: random.Random) -> int:
    """Logged in: ask for one view of a stream after the other on twenty sockets, and read none."""
    cookie = target.cookie(_INSIDER)
    address = f"ws://127.0.0.1:{target.page}/streamtag/live"

    def spam(_: int) -> int:
        count = 0
        while time.monotonic() < until:
            with (
                suppress(OSError, WebSocketException),
                connect(address, additional_headers={"Cookie": cookie}, source_address=(_INSIDER, 0)) as made,
            ):
                while time.monotonic() < until:
                    made.send(f'{{"watch": "stream-{count % 4}"}}')
                    count += 1
        return count

    with ThreadPoolExecutor(20) as pool:
        return sum(pool.map(spam, range(20)))


def tables(target: Target, until: float, dice: random.Random) -> int:
    """Logged in: thirty downloads at once, and thresholds tried on the last hour."""
    cookie = {"Cookie": target.cookie(_INSIDER)}
    paths = (
        "/streamtag/history/export?form=csv", "/streamtag/history/export?form=raven", "/streamtag/history?text=a",
        "/streamtag/tuning?stream=stream-0&label=Music", "/api/v1/events?limit=1000",
        "/streamtag/tuning/preview?stream=stream-0&label=Music&on=0.01&off=0.01",
    )  # fmt: skip
    return _at_once(target, until, 30, lambda asked: asked.request("GET", dice.choice(paths), headers=cookie))


def recordings(target: Target, until: float, dice: random.Random) -> int:
    """Logged in: upload what is a recording in its beginning only."""
    cookie = {"Cookie": target.cookie(_INSIDER)}
    whole = _RECORDING.read_bytes()

    def upload(asked: http.client.HTTPConnection) -> None:
        damaged = bytearray(whole[: dice.randrange(len(whole))] + dice.randbytes(1000))
        for _ in range(50):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        asked.request("POST", "/streamtag/recording", bytes(damaged), cookie)

    return _at_once(target, until, 8, upload)


def _at_once(target: Target, until: float, number: int, send: Callable[[http.client.HTTPConnection], None]) -> int:
    def work(_: int) -> int:
        count = 0
        while time.monotonic() < until:
            asked = http.client.HTTPConnection("127.0.0.1", target.page, timeout=20, source_address=(_INSIDER, 0))
            with closing(asked), suppress(OSError, http.client.HTTPException):
                send(asked)
                asked.getresponse().read()
                count += 1
        return count

    with ThreadPoolExecutor(number) as pool:
        return sum(pool.map(work, range(number)))


ATTACKS: Final = {
    "a thousand connections that ask nothing": idle,
    "passwords guessed": guesses,
    "requests that no browser sends": odd,
    "uploads and downloads that never end": slow_uploads,
    "ever new views on twenty sockets": watch_requests,
    "thirty tables and searches at once": tables,
    "damaged recordings": recordings,
}
