"""Stations of live sound that behave as the world's do: they pause, die, hold sound up, and have clocks of their own.

The level of what they send tells when it was made: it rises by 1 dB a second for a minute, again and again.
"""

import asyncio
import io
import random
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable

import av
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from numpy.typing import NDArray

RATE = 16000
PERIOD_SECONDS = 60.0
TICK_SECONDS = 0.1
_TONE_HZ = 1000.0
_SINE_DB = 3.01
_SEGMENT_SECONDS = 28 * 1152 / RATE  # whole frames of MP2
_SEGMENTS = 5
_WAV = (
    b"RIFF\xff\xff\xff\xffWAVE"
    + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    + b"data\xff\xff\xff\xff"
)

Writer = asyncio.StreamWriter


def sound_of(begin: float, samples: int) -> NDArray[np.int16]:
    """Return the sound of the moment `begin` (Unix seconds) and after it."""
    times = begin + np.arange(samples) / RATE
    level = times % PERIOD_SECONDS - PERIOD_SECONDS
    wave = 10 ** (level / 20) * np.sin(2 * np.pi * _TONE_HZ * np.arange(samples) / RATE)
    return np.rint(32767 * wave).astype(np.int16)


def moment_of(rms_dbfs: float) -> float:
    """Return when sound of that level was made, in seconds of its minute."""
    return rms_dbfs + _SINE_DB + PERIOD_SECONDS


class TransportStream:
    """Encodes sound as MPEG-TS, with time stamps that run as fast as is wished."""

    def __init__(self, speed: float = 1.0, ahead_seconds: float = 0.0) -> None:
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="mpegts")
        track = self._container.add_stream("mp2", rate=RATE, layout="mono")
        assert isinstance(track, AudioStream)
        self._track = track
        self._speed = speed
        self._ahead = ahead_seconds
        self._rest = np.empty(0, np.int16)
        self._encoded = 0

    def encode(self, sound: NDArray[np.int16]) -> bytes:
        """Return what so much more sound makes."""
        self._rest = np.concatenate([self._rest, sound])
        size = self._track.codec_context.frame_size or 1152
        while len(self._rest) >= size:
            frame = av.AudioFrame.from_ndarray(self._rest[np.newaxis, :size], format="s16", layout="mono")
            frame.sample_rate = RATE
            frame.pts, self._encoded = self._encoded, self._encoded + size
            self._rest = self._rest[size:]
            self._mux(self._track.encode(frame))
        return self._taken()

    def finish(self) -> bytes:
        """Return what is left."""
        self._mux(self._track.encode(None))
        self._container.close()
        return self._taken()

    def _mux(self, packets: "list[Packet[AudioStream]]") -> None:
        for packet in packets:
            assert packet.pts is not None
            assert packet.time_base is not None
            packet.pts = round(packet.pts * self._speed + self._ahead / packet.time_base)
            packet.dts = packet.pts
            self._container.mux(packet)

    def _taken(self) -> bytes:
        data = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return data


class Sending:
    """One listener's connection, as PCM or as whatever `encode` makes of it."""

    def __init__(self, writer: Writer, encode: Callable[[NDArray[np.int16]], bytes] | None = None) -> None:
        self._writer = writer
        self.encode = encode or (lambda sound: sound.tobytes())
        self._carry = 0.0

    async def play(self, seconds: float, speed: float = 1.0) -> None:
        """Send the sound of now for so long, by a clock that runs so fast."""
        sent = time.time()
        end = sent + seconds
        while sent < end:
            await asyncio.sleep(TICK_SECONDS)
            now = time.time()
            due = (now - sent) * RATE * speed + self._carry
            self._carry = due % 1
            self._writer.write(self.encode(sound_of(sent, int(due))))
            await self._writer.drain()
            sent = now

    async def hold_up(self, seconds: float) -> None:
        """Send nothing for so long, and then all of its sound at once."""
        begin = time.time()
        await asyncio.sleep(seconds)
        self.send(begin, time.time() - begin)

    def send(self, begin: float, seconds: float) -> None:
        """Send the sound of another time at once."""
        self._writer.write(self.encode(sound_of(begin, round(seconds * RATE))))


async def steady(writer: Writer) -> None:
    """A decent station."""
    await Sending(writer).play(float("inf"))


async def pausing(writer: Writer) -> None:
    """What it pauses is lost; the longest pauses stall."""
    sending = Sending(writer)
    while True:
        await sending.play(random.uniform(10, 40))
        await asyncio.sleep(random.choice([1.0, 3.0, 8.0, 25.0]))


async def held_up(writer: Writer) -> None:
    """A network that hands sound over late, and then all at once."""
    sending = Sending(writer)
    while True:
        await sending.play(random.uniform(5, 20))
        await sending.hold_up(random.uniform(1, 9))


async def slow(writer: Writer) -> None:
    """A sender whose clock is half a percent slow."""
    await Sending(writer).play(float("inf"), 0.995)


async def fast(writer: Writer) -> None:
    """A sender whose clock is half a percent fast."""
    await Sending(writer).play(float("inf"), 1.005)


async def dying(writer: Writer) -> None:
    """It dies within a minute, and stores five seconds for whoever comes."""
    sending = Sending(writer)
    sending.send(time.time() - 5.0, 5.0)
    await sending.play(random.uniform(15, 60))


async def wrong_stamps(writer: Writer) -> None:
    """Time stamps that run 1.2 times too fast, jump by an hour and begin anew."""
    sending = Sending(writer)
    for number in range(10**6):
        stream = TransportStream(1.2, 3600.0 * (number % 3))
        sending.encode = stream.encode
        await sending.play(random.uniform(20, 60))
        writer.write(stream.finish())


class Hls:
    """A playlist of segments of two seconds, whose encoder pauses now and then."""

    def __init__(self) -> None:
        self._segments: deque[tuple[int, bytes]] = deque(maxlen=_SEGMENTS)

    async def make(self) -> None:
        """Make segments for ever."""
        number, begin = 0, time.time()
        stream = TransportStream()
        while True:
            await asyncio.sleep(begin + _SEGMENT_SECONDS - time.time())
            self._segments.append((number, stream.encode(sound_of(begin, round(_SEGMENT_SECONDS * RATE)))))
            number += 1
            begin += _SEGMENT_SECONDS
            if number % 20 == 0:
                await asyncio.sleep(random.choice([3.0, 12.0]))
                begin = time.time()

    async def serve(self, writer: Writer, name: str) -> None:
        """Answer with the playlist or a segment."""
        body = next((data for number, data in self._segments if name == f"{number}.ts"), None)
        if body is None:
            first = self._segments[0][0] if self._segments else 0
            lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{round(_SEGMENT_SECONDS)}"]
            lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
            lines += [f"#EXTINF:{_SEGMENT_SECONDS:.3f},\n{number}.ts" for number, _ in self._segments]
            body = "\n".join([*lines, ""]).encode()
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()


STATIONS: dict[str, Callable[[Writer], Awaitable[None]]] = {
    "steady": steady,
    "pausing": pausing,
    "held-up": held_up,
    "slow": slow,
    "fast": fast,
    "dying": dying,
    "stamps": wrong_stamps,
}
PLAYLISTS = ("hls-a", "hls-b")


async def serve(told: Callable[[int], None]) -> None:
    """Serve all stations over HTTP for ever; `told` hears of the port."""
    playlists = {name: Hls() for name in PLAYLISTS}
    away: dict[str, float] = {}

    async def welcome(reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            name, _, rest = head.split()[1].decode().lstrip("/").partition("/")
            if name in playlists:
                await playlists[name].serve(writer, rest)
            elif time.time() >= away.get(name, 0.0):
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + (b"" if name == "stamps" else _WAV))
                await STATIONS[name](writer)
                away[name] = time.time() + random.uniform(3, 15)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(welcome, "127.0.0.1", 0)
    told(server.sockets[0].getsockname()[1])
    await asyncio.gather(*(playlist.make() for playlist in playlists.values()))
