"""A fleet on simulated nodes of this machine: radio stations that send recordings, scored by several services as one.

    python -m benchmarks.fleet --nodes 3 --streams 300 --recordings FOLDER

The nodes are Ray's own test cluster, and share this machine's cores: the figures tell what a fleet costs beside its
services and how long a lost node's streams are unheard, not what more machines bring.
"""

import argparse
import asyncio
import io
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
from av.audio import AudioStream
from numpy.typing import NDArray

from benchmarks.network_streams import BIT_RATE, PATCH_SECONDS, RATE, Station
from streamtag.audio.resample import to_mono
from streamtag.benchmark.machine import describe_machine
from streamtag.program import Program
from streamtag.sources.ffmpeg import AudioReader
from streamtag.wire import Subscriber
from tests.ray_nodes import Nodes, ray_nodes

_RECORDED_SECONDS = 300.0
_START_SECONDS = 180.0
_LOST_SECONDS = 60.0


def sound_of(recordings: Sequence[Path]) -> bytes:
    """Return recordings one after the other as MP3, as a station sends them."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("mp3", rate=RATE, bit_rate=BIT_RATE, layout="mono")
        assert isinstance(stream, AudioStream)
        left = _RECORDED_SECONDS
        for recording in recordings:
            if left <= 0:
                break
            samples, rate = _read(recording)
            left -= len(samples) / rate
            resampler = av.AudioResampler("s16p", "mono", RATE, frame_size=stream.frame_size or 1152)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[np.newaxis], format="s16", layout="mono")
            frame.sample_rate = rate
            for part in resampler.resample(frame):
                part.pts = None
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def _read(recording: Path) -> tuple[NDArray[np.int16], int]:
    with AudioReader(str(recording)) as reader:
        chunks = list(reader.chunks(1.0))
        mono = np.concatenate([to_mono(chunk.samples) for chunk in chunks])
        return np.rint(mono * 32767).astype(np.int16), chunks[0].rate


def broadcast(sound: bytes, told: "Connection[int, int]") -> None:
    """Run the station, as a process of its own."""
    asyncio.run(Station(sound).serve(told))


class Front:
    """What is heard at the endpoint of all nodes."""

    def __init__(self, endpoint: str) -> None:
        self.patches: Counter[str] = Counter()
        self.sessions: dict[str, str] = {}
        self.service: dict[str, Any] = {}
        self._subscriber = Subscriber(endpoint, kinds=["scores", "service"])

    def hear(self, seconds: float, until: Any = lambda: False) -> float:
        """Hear for so long, or until something is so; return how long that was."""
        begin = time.monotonic()
        while (left := begin + seconds - time.monotonic()) > 0 and not until():
            message = self._subscriber.receive(min(left, 0.5))
            if message is None:
                continue
            header = message.header
            if header["kind"] == "service":
                self.service = header
            else:
                self.patches[header["stream"]] += 1
                self.sessions[header["stream"]] = header["session"]
        return time.monotonic() - begin


def measure(nodes: Nodes, members: list[Any], port: int, streams: int, seconds: float, bundle: str) -> dict[str, str]:
    """Score so many streams for so many seconds, then kill a node."""
    with tempfile.TemporaryDirectory() as folder:
        file, endpoint = Path(folder) / "FLEET.toml", f"ipc://{folder}/scores"
        tables = "".join(
            f'[[stream]]\nid = "radio{number}"\nsource = "http://127.0.0.1:{port}/"\n' for number in range(streams)
        )
        file.write_text(
            f'[service]\nendpoint = "{endpoint}"\n[fleet]\nloopback = true\nstreams_per_node = {streams}\n'
            f'[model]\nbundle = "{bundle}"\n{tables}'
        )
        command = [sys.executable, "-m", "streamtag", "--log-level", "warning", "fleet", "run", str(file)]
        fleet = Program([*command, "--ray", nodes.address], environment=nodes.environment, stop_seconds=60.0)
        try:
            front, names = Front(endpoint), {f"radio{number}" for number in range(streams)}
            all_after = front.hear(_START_SECONDS, lambda: front.patches.keys() >= names)
            front.hear(5.0)
            front.patches.clear()
            busy = _cpu_seconds(fleet, nodes)
            took = front.hear(seconds)
            now = _cpu_seconds(fleet, nodes)
            percent = 100 * front.patches.total() / (streams * took / PATCH_SECONDS)
            placed = [node["streams"] for node in front.service["nodes"]]
            dropped = front.service["dropped_patches"]
            lost = members[-1]
            (name,) = [each["name"] for each in front.service["nodes"] if lost.node_id.startswith(each["name"])]
            before = dict(front.sessions)
            nodes.kill(lost)
            begin = time.monotonic()
            front.hear(_LOST_SECONDS, lambda: _state(front, name) == "lost" and not front.service["homeless"])
            placed_after = time.monotonic() - begin
            front.patches.clear()
            front.hear(_LOST_SECONDS, lambda: front.patches.keys() >= names)
            heard_after = time.monotonic() - begin
            moved = sum(front.sessions[stream] != session for stream, session in before.items())
        finally:
            fleet.end()
    return {
        "streams": str(streams),
        "on the nodes": ", ".join(map(str, placed)),
        "all scored after": f"{all_after:.0f} s",
        "patches": f"{percent:.1f} %",
        "dropped": str(dropped),
        "cores: services": f"{(now['services'] - busy['services']) / took:.2f}",
        "front": f"{(now['fleet run'] - busy['fleet run']) / took:.2f}",
        "Ray": f"{(now['ray'] - busy['ray']) / took:.2f}",
        "killed: moved": str(moved),
        "placed after": f"{placed_after:.1f} s",
        "all scored again after": f"{heard_after:.1f} s",
    }


def _state(front: Front, name: str) -> str:
    return next((str(node["state"]) for node in front.service["nodes"] if node["name"] == name), "")


def _cpu_seconds(fleet: Program, nodes: Nodes) -> dict[str, float]:
    """Return what each part has used of the processor so far."""
    found = {"fleet run": sum(psutil.Process(fleet.pid).cpu_times()[:2]), "ray": 0.0, "services": 0.0}
    infos = [info for node in nodes._cluster.list_all_nodes() for each in node.all_processes.values() for info in each]
    for process in {process for info in infos for process in _family(info.process.pid)}:
        try:
            words = " ".join(process.cmdline())
            part = "services" if "streamtag" in words and "ray::" not in words else "ray"
            found[part] += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return found


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--streams", type=int, nargs="+", default=[300])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--bundle", default="fast")
    demo = Path(__file__).parent.parent / "streamtag" / "bundles" / "default"
    parser.add_argument("--recordings", type=Path, default=demo, help="a folder (default: the demo's recording)")
    options = parser.parse_args()
    kinds = (".wav", ".flac", ".ogg", ".mp3", ".opus")
    recordings = sorted(path for path in options.recordings.rglob("*") if path.suffix in kinds)
    if not recordings:
        parser.error(f"{options.recordings}: no recordings are there")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    station = context.Process(target=broadcast, args=(sound_of(recordings), there), daemon=True)
    station.start()
    port = here.recv()
    print(f"{describe_machine()}; {options.nodes} simulated nodes, {options.bundle}\n", flush=True)
    rows = []
    for streams in options.streams:
        with ray_nodes() as nodes:
            members = [nodes.add(1) for _ in range(options.nodes)]
            rows.append(measure(nodes, members, port, streams, options.seconds, options.bundle))
    print(f"| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        print(f"| {' | '.join(row.values())} |")


if __name__ == "__main__":
    main()
