"""An RTSP server made of a socket, for what a decent one never does; it plays a tone over its connection."""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from tests.sounds import tone

RATE = 8000
FRAME = 160
_LINES = ("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=x", "t=0 0", "m=audio 0 RTP/AVP 11", "a=rtpmap:11 L16/8000")
_SDP = "".join(f"{line}\r\n" for line in (*_LINES, "a=control:track"))


def ask(connection: socket.socket) -> bytes:
    """One request; what FFmpeg reports of the sound is left out. None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            return b""
        data += more
        while data.startswith(b"$") and len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[2:4]):
            data = data[4 + int.from_bytes(data[2:4]) :]
    return data


@dataclass
class RtspServer:
    """Answers by itself what `answer` does not, and keeps what it was asked."""

    answer: Callable[[str, bytes], str | None] = lambda method, request: None
    """Gives the reply to a request, all but its number, or None for a decent one."""
    asked: list[str] = field(default_factory=list)

    def __call__(self, connection: socket.socket, number: int) -> None:
        while request := ask(connection):
            self.asked.append(request.decode())
            method = request.split()[0].decode()
            reply = self.answer(method, request) or self._decent(method, request)
            sequence = re.search(rb"CSeq: *(\d+)", request)
            first, _, rest = reply.partition("\r\n")
            connection.sendall(f"{first}\r\nCSeq: {sequence[1].decode() if sequence else 0}\r\n{rest}".encode())
            if method == "PLAY":
                threading.Thread(target=play, args=(connection,), daemon=True).start()

    def _decent(self, method: str, request: bytes) -> str:
        match method:
            case "OPTIONS":
                return "RTSP/1.0 200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"
            case "DESCRIBE":
                head = f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}"
                return f"RTSP/1.0 200 OK\r\n{head}\r\n\r\n{_SDP}"
            case "SETUP":
                return "RTSP/1.0 200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
        return "RTSP/1.0 200 OK\r\nSession: 1\r\n\r\n"


def packets(first: int = 0) -> list[bytes]:
    """A second of the tone as RTP packets."""
    pcm = (tone(1.0, rate=RATE) * 32767).astype(">i2")
    parts = np.split(pcm, RATE // FRAME)
    return [
        struct.pack(">BBHII", 0x80, 11, (first + number) & 0xFFFF, FRAME * (first + number), 1) + part.tobytes()
        for number, part in enumerate(parts)
    ]


def play(connection: socket.socket, seconds: float = 60.0) -> None:
    number = 0
    with suppress(OSError):
        while number < seconds * RATE / FRAME:
            for packet in packets(number):
                connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                time.sleep(FRAME / RATE)
                number += 1
