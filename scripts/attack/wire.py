"""What may be tried at the service's two ports: without a key, and with one by somebody who means ill."""

import random
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

import zmq

from scripts.attack.honest import PUSHED
from scripts.attack.target import Target
from streamtag.keys import read_client_key

__all__ = ["ATTACKS"]

_GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
_NO_KEY: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_RESET: Final = struct.pack("ii", 1, 0)


def tries(target: Target, until: float, dice: random.Random) -> int:
    """Connect without a key and leave again, as fast as one process can."""
    count = 0
    while time.monotonic() < until:
        count += 1
        with suppress(OSError), socket.create_connection(("127.0.0.1", dice.choice(target.ports)), 1) as connection:
            connection.sendall(dice.choice((_GREETING, _NO_KEY, b"GET / HTTP/1.1\r\n\r\n", dice.randbytes(64), b"")))
            if dice.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return count


def halves(target: Target, until: float, dice: random.Random) -> int:
    """Begin as many handshakes as the system lets one process, and end none."""
    count = 0
    with ExitStack() as stack:
        while time.monotonic() < until and count < 800:
            with suppress(OSError):
                made = stack.enter_context(socket.create_connection(("127.0.0.1", dice.choice(target.ports)), 1))
                made.sendall(dice.choice((_GREETING, b"\xff", b"")))
                count += 1
        time.sleep(max(0.0, until - time.monotonic()))
    return count


def endless(target: Target, until: float, dice: random.Random) -> int:
    """Send frames of gigabytes, and messages of ever more parts, without a key."""
    count = 0
    while time.monotonic() < until:
        count += 1
        with suppress(OSError), socket.create_connection(("127.0.0.1", dice.choice(target.ports)), 1) as connection:
            connection.sendall(dice.choice((_GREETING, _NO_KEY)))
            frame = dice.choice((b"\x02" + struct.pack(">Q", 4 << 30), b"\x01\x08" + bytes(8)))
            for _ in range(100):
                connection.sendall(frame + bytes(1 << 16))
    return count


@contextmanager
def _peer(target: Target, kind: int, endpoint: str) -> Iterator["zmq.Socket[bytes]"]:
    key = read_client_key(target.mallory_key)
    with zmq.Context() as context, context.socket(kind) as made:
        made.set(zmq.LINGER, 0)
        made.set(zmq.SNDHWM, 0)
        made.curve_publickey, made.curve_secretkey, made.curve_serverkey = key.public, key.secret, key.server
        made.set(zmq.HEARTBEAT_IVL, 50)
        made.connect(endpoint)
        yield made


def subscriptions(target: Target, until: float, dice: random.Random) -> int:
    """With a key: subscribe to tens of thousands of topics, and leave in the middle."""
    count = 0
    while time.monotonic() < until:
        with _peer(target, zmq.SUB, target.endpoint) as peer:
            form = dice.choice(("levels/stream-%d/", "scores/stream-%d/", "levels/%d", "x" * 200 + "%d"))
            for number in range(30_000):
                peer.subscribe(form % number)
                count += 1
            while time.monotonic() < until and dice.random() < 0.9:
                time.sleep(0.1)
    return count


def sound(target: Target, until: float, dice: random.Random) -> int:
    """With a key: feed and end somebody else's stream, and send what is no sound."""
    headers = (
        b'{"v": 1, "stream": "%s", "end": true}' % PUSHED.encode(),
        b'{"v": 1, "stream": "%s", "rate": 16000, "channels": 1, "format": "s16le", "start": null}' % PUSHED.encode(),
        b'{"v": 1, "stream": "other", "rate": 1e99, "channels": -1, "format": "s16le", "start": null}',
        b"[" * 5000, b"", b"\xff", b"{}", b'{"v": 1, "stream": "' + b"a" * 5000 + b'"}',
        b'{"v": 1, "stream": "stream-0", "rate": 16000, "channels": 1, "format": "s16le", "start": 99999999999999999}',
    )  # fmt: skip
    count = 0
    with _peer(target, zmq.PUSH, target.input) as peer:
        while time.monotonic() < until:
            parts = [dice.choice(headers), bytes(2 * dice.randrange(2000))]
            for _ in range(dice.choice((0, 0, 0, 1, 20))):
                parts.append(b"more")
            with suppress(zmq.Again):
                peer.send_multipart(parts, zmq.NOBLOCK)
                count += 1
            time.sleep(0.001)
    return count


ATTACKS: Final = {
    "connections without a key": tries,
    "handshakes that never end": halves,
    "frames and messages without end": endless,
    "tens of thousands of topics, with a key": subscriptions,
    "others' streams and no sound, with a key": sound,
}
