"""What network streams cost: radio stations of this program's own, whose listeners are all one service's.

    python -m benchmarks.network_streams --streams 1 30 100 300

They send sound as MP3 over HTTP, at the pace of the clock; the service decodes each connection by itself,
resamples, scores and publishes. Stations and subscriber run beside it on the same machine.
"""

import argparse
import asyncio
import io
import json
import multiprocessing
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection

import av
import numpy as np
from av.audio import AudioStream

from streamtag.audio import PATCH_HOP, SAMPLE_RATE
from streamtag.audio.resample import Resampler, to_mono
from streamtag.benchmark.load_generator import bursts
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.service import ServiceProcess
from streamtag.bundle import Bundle
from streamtag.settings import Config
from streamtag.sources.ffmpeg import AudioReader
from streamtag.wire import Subscriber

PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE
RATE = 44100
BIT_RATE = 128_000
TICK_SECONDS = 0.1
PHASES = 20
LIVE_WITHIN_SECONDS = 120.0
ALONE_ROUNDS = 5


def encoded(seconds: float) -> bytes:
    """Return sound as MP3, at the rate and bit rate that radio stations use."""
    sound = np.repeat(bursts(seconds), 3)[np.newaxis]  # 48 kHz
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("mp3", rate=RATE, bit_rate=BIT_RATE, layout="mono")
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="s16", layout="mono")
        frame.sample_rate = 48000
        resampler = av.AudioResampler("s16p", "mono", RATE, frame_size=stream.frame_size or 1152)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def alone_milliseconds(sound: bytes) -> float:
    """Return what a patch of sound takes one thread to read from a file, decode and convert to 16 kHz."""
    with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
        file.write(sound)
        file.flush()
        times = []
        for _ in range(ALONE_ROUNDS):
            begin, resampler, patches = time.thread_time(), Resampler(RATE), 0.0
            with AudioReader(file.name) as reader:
                for chunk in reader.chunks(TICK_SECONDS):
                    patches += len(resampler.feed(to_mono(chunk.samples))) / PATCH_HOP
            times.append(1000 * (time.thread_time() - begin) / patches)
    return min(times)


class Station:
    """Sends the same sound to all who listen, as twenty stations that are not in step."""

    def __init__(self, sound: bytes) -> None:
        self._sound = sound
        self._listeners: list[list[asyncio.StreamWriter]] = [[] for _ in range(PHASES)]

    async def serve(self, told: "Connection[int, int]") -> None:
        """Tell the port and serve for ever."""
        server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        begin, sent = time.monotonic(), [0] * PHASES
        while True:
            for phase, listeners in enumerate(self._listeners):
                await asyncio.sleep(TICK_SECONDS / PHASES)
                due = int((time.monotonic() - begin) * BIT_RATE / 8)
                piece = bytes(self._sound[at % len(self._sound)] for at in range(sent[phase], due))
                sent[phase] = due
                listeners[:] = [listener for listener in listeners if not listener.is_closing()]
                for listener in listeners:
                    listener.write(piece)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n")
        min(self._listeners, key=len).append(writer)


def broadcast(sound: bytes, told: "Connection[int, int]") -> None:
    """Run the station, as a process of its own."""
    asyncio.run(Station(sound).serve(told))


@dataclass(frozen=True, slots=True)
class Row:
    """What so many streams did and cost."""

    streams: int
    live_after_seconds: float
    patches_percent: float
    """Of those that the time makes."""
    least_percent: float
    """Of the stream that had the fewest."""
    dropped: int
    cores: float
    threads: int
    megabytes: float


def measure(port: int, streams: int, seconds: float) -> Row:
    """Listen to so many streams until each has given a patch, and then for so many seconds."""
    tables = [{"id": f"radio{number}", "source": f"http://127.0.0.1:{port}/"} for number in range(streams)]
    patches: Counter[str] = Counter()
    dropped = 0
    with ServiceProcess(Config(), tables) as service:
        begin = time.monotonic()
        with Subscriber(service.endpoint, kinds=["service", "scores"]) as subscriber:
            while len(patches) < streams:
                service.check()
                message = subscriber.receive(0.5)
                if message is not None and message.header["kind"] == "scores":
                    patches[message.header["stream"]] += 1
                if time.monotonic() - begin > LIVE_WITHIN_SECONDS:
                    raise SystemExit(f"only {len(patches)} of {streams} streams came alive in {LIVE_WITHIN_SECONDS} s")
            live_after = time.monotonic() - begin
            patches.clear()
            cpu, start = service.cpu_seconds(), time.monotonic()
            while (took := time.monotonic() - start) < seconds:
                message = subscriber.receive(0.5)
                if message is not None and message.header["kind"] == "scores":
                    patches[message.header["stream"]] += 1
                elif message is not None:
                    dropped = message.header["dropped_patches"]
            cpu = service.cpu_seconds() - cpu
        threads, memory = service.thread_count(), service.memory_megabytes()
    expected = took / PATCH_SECONDS
    counts = [patches[table["id"]] for table in tables]
    return Row(
        streams=streams,
        live_after_seconds=live_after,
        patches_percent=100 * sum(counts) / streams / expected,
        least_percent=100 * min(counts) / expected,
        dropped=dropped,
        cores=cpu / took,
        threads=threads,
        megabytes=memory,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 30, 100, 300])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement, once all streams are live")
    options = parser.parse_args()

    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    sound = encoded(30 * PATCH_SECONDS)
    station = spawn.Process(target=broadcast, args=(sound, there), daemon=True)
    station.start()
    port = here.recv()
    print(json.dumps(describe_machine()))
    print(f"model {Bundle.open('default').name}; MP3 over HTTP, {RATE} Hz, {BIT_RATE // 1000} kbit/s")
    print(f"one thread by itself reads, decodes and converts a patch's sound in {alone_milliseconds(sound):.2f} ms")
    print("streams  live after s  patches %  least %  dropped  cores  ms a patch  threads   MB")
    for streams in options.streams:
        row = measure(port, streams, options.seconds)
        a_patch = 1000 * row.cores * PATCH_SECONDS / row.streams
        print(
            f"{row.streams:7} {row.live_after_seconds:13.1f} {row.patches_percent:10.1f} {row.least_percent:8.1f} "
            f"{row.dropped:8} {row.cores:6.2f} {a_patch:11.3f} {row.threads:8} {row.megabytes:4.0f}",
            flush=True,
        )
    station.terminate()


if __name__ == "__main__":
    main()
