"""Ten network streams for a long time: whether time, counts and memory hold.

    python -m benchmarks.soak --minutes 60

The stations are this program's own, on this machine: over HTTP one that is decent, one that pauses, one whose network
holds sound up, two with clocks half a percent slow and fast, one that dies again and again, one whose time stamps are
wrong; two HLS playlists whose encoders pause; and RTSP that pauses, where GStreamer's RTSP server is there (Debian's
gir1.2-gst-rtsp-server-1.0). The level of their sound tells when it was made.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.stations import PERIOD_SECONDS, PLAYLISTS, STATIONS, moment_of, serve
from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE
from streamtag.benchmark.machine import describe_machine
from streamtag.benchmark.service import ServiceProcess
from streamtag.program import Program
from streamtag.settings import Config
from streamtag.wire import Subscriber

PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE
# From the middle of what a patch's level is of to its last sample.
_MIDDLE_SECONDS = (PATCH_SAMPLES - PATCH_HOP / 2) / SAMPLE_RATE
# Where the level falls back, a patch's is of two minutes.
_EDGE_SECONDS = 3.0
_WARM_UP_SECONDS = 60.0
_SURPLUS = {"fast": 0.005}
_ALLOWED_SECONDS = 1.0
_ALLOWED_GROWTH = 1.15
_SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass
class Heard:
    """What came of one stream."""

    starts: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    lost_samples: int = 0
    first_lost: int = 0
    dropped: int = 0

    def errors(self) -> np.ndarray:
        """Seconds by which each patch's time differs from when its sound was made; of whole patches alone."""
        starts, times, levels = np.array(self.starts), np.array(self.times), np.array(self.levels)
        is_whole = np.diff(starts, append=0.0) < PATCH_SECONDS + 0.001  # the last one before a hole may be padded
        is_whole &= np.diff(starts, append=0.0) > 0
        moments = np.array([moment_of(level) for level in levels])
        told = (times - _MIDDLE_SECONDS) % PERIOD_SECONDS
        is_plain = np.minimum(moments, told) > _EDGE_SECONDS
        is_plain &= np.maximum(moments, told) < PERIOD_SECONDS - _EDGE_SECONDS
        late = (times - _MIDDLE_SECONDS - moments + PERIOD_SECONDS / 2) % PERIOD_SECONDS - PERIOD_SECONDS / 2
        return np.asarray(late[is_whole & is_plain])


def broadcast(told: "Connection[int, int]") -> None:
    """Run the stations, as a process of their own."""
    asyncio.run(serve(told.send))


@contextmanager
def stations() -> Iterator[dict[str, str]]:
    """Run all stations; gives their URIs."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    http = spawn.Process(target=broadcast, args=(there,), daemon=True)
    http.start()
    port = here.recv()
    uris = {name: f"http://127.0.0.1:{port}/{name}" for name in STATIONS}
    uris |= {name: f"http://127.0.0.1:{port}/{name}/live.m3u8" for name in PLAYLISTS}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        rtsp_port = probe.getsockname()[1]
    script = Path(__file__).parent / "rtsp_station.py"
    rtsp = Program([_SYSTEM_PYTHON, script, str(rtsp_port)], stderr=subprocess.DEVNULL, stop_seconds=1.0)
    try:
        time.sleep(2.0)
        if rtsp.status is None:
            uris["rtsp"] = f"rtsp://127.0.0.1:{rtsp_port}/live"
        else:
            print("no RTSP: GStreamer's RTSP server is not there", file=sys.stderr)
        yield uris
    finally:
        rtsp.end()
        http.terminate()
        http.join()


def soak(uris: dict[str, str], seconds: float) -> tuple[dict[str, Heard], list[tuple[float, float]]]:
    """Listen for so long; what came of each stream, and (seconds, MB) from time to time."""
    heard = {name: Heard() for name in uris}
    memory: list[tuple[float, float]] = []
    tables = [{"id": name, "source": uri} for name, uri in uris.items()]
    with (
        ServiceProcess(Config(), tables) as service,
        Subscriber(service.endpoint, kinds=["scores", "status"]) as subscriber,
    ):
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            if not memory or passed >= memory[-1][0] + 30.0:
                service.check()
                memory.append((passed, service.memory_megabytes()))
            message = subscriber.receive(0.5)
            if message is not None:
                record(heard[message.header["stream"]], message.header)
        memory.append((seconds, service.memory_megabytes()))
    return heard, memory


def record(stream: Heard, header: dict[str, object]) -> None:
    """Keep what a message says."""
    if header["kind"] == "status":
        state = str(header["state"])
        if not stream.states or stream.states[-1] != state:
            stream.states.append(state)
        stream.dropped = int(str(header["dropped_patches"]))
        return
    start, captured, level, lost = (float(str(header[key])) for key in ("start", "time", "rms_dbfs", "lost_samples"))
    if not stream.starts:
        stream.first_lost = int(lost)
    elif start <= stream.starts[-1]:
        return  # told again
    stream.starts.append(start)
    stream.times.append(captured)
    stream.levels.append(level)
    stream.ages.append(time.time() - captured)
    stream.lost_samples = int(lost)


def report(name: str, stream: Heard) -> bool:
    """Print a stream's row; whether it holds."""
    errors = np.abs(stream.errors())
    if not len(errors):
        print(f"{name:8} nothing was heard: {stream.states}")
        return False
    elapsed = stream.times[-1] - stream.times[0]
    surplus = elapsed * _SURPLUS.get(name, 0.0)
    kept = stream.starts[-1] - stream.starts[0] - elapsed - surplus
    lost = (stream.lost_samples - stream.first_lost) / SAMPLE_RATE
    counted = PATCH_SECONDS * (len(stream.starts) - 1 + stream.dropped) + lost - elapsed - surplus
    holes = int(np.sum(np.diff(stream.starts) > PATCH_SECONDS + 0.001))
    worst = float(np.percentile(errors, 99))
    good = worst < _ALLOWED_SECONDS and abs(kept) < _ALLOWED_SECONDS
    breaks = stream.states.count("stalled") + stream.states.count("reconnecting")
    print(
        f"{name:8} {len(stream.starts):7} {np.median(errors):7.2f} {worst:8.2f} {errors.max():8.2f} "
        f"{errors[-20:].max():8.2f} {kept:8.2f} {holes:6} {lost:8.1f} {counted:8.2f} {stream.dropped:8} "
        f"{np.median(stream.ages):5.1f} {breaks:6}   {'holds' if good else 'DOES NOT HOLD'}"
    )
    return good


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    print(json.dumps(describe_machine()))
    with stations() as uris:
        heard, memory = soak(uris, 60 * options.minutes)
    print(f"{len(heard)} streams for {options.minutes:g} minutes; seconds unless said")
    print("                  error of the time: median, 99 %, most, lately; stream time and counts less what passed")
    print(
        "stream   patches   median     99 %     most   lately     time  holes     lost   counts  dropped   age breaks"
    )
    good = [report(name, stream) for name, stream in heard.items()]
    warm = next((megabytes for passed, megabytes in memory if passed >= _WARM_UP_SECONDS), memory[0][1])
    last = memory[-1][1]
    print(f"memory of all processes: {memory[0][1]:.0f} MB, after a minute {warm:.0f} MB, at the end {last:.0f} MB")
    steady = last <= _ALLOWED_GROWTH * warm
    print("it holds" if all(good) and steady else "it does not hold")
    if not (all(good) and steady):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
