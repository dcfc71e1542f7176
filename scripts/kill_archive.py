"""Kills what makes an archive, at random moments, and looks whether anything is lost or there twice.

    python -m scripts.kill_archive --rounds 10

Each round makes an archive of links to the packaged recording anew, kills one thing while it is made, runs the command
again if it was the one that was killed, and compares the archive row by row with one that nothing befell.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.dataset as ds

from benchmarks.recordings import make_recordings
from streamtag.program import Program, describe_status
from tests.ray_nodes import Nodes, ray_nodes

_LIMIT_SECONDS = 300


@dataclass
class Making:
    """The command that makes an archive, and what it runs on."""

    recordings: Path
    out: Path
    nodes: Nodes | None
    process: Program = field(init=False)

    def start(self) -> None:
        """Start the command, or start it again."""
        command = [sys.executable, "-m", "streamtag", "archive", str(self.recordings), "--out", str(self.out)]
        command += ["--bundle", "fast", "--jobs", "2"]
        if self.nodes is not None:
            command += ["--ray", self.nodes.address]
        self.process = Program(command)

    def wait(self) -> None:
        """Wait for its end."""
        status = self.process.wait(_LIMIT_SECONDS)
        if status is None:
            raise SystemExit(f"the command goes on after {_LIMIT_SECONDS} s")
        if status:
            raise SystemExit(f"the command ended with {describe_status(status)}")

    def parts(self) -> int:
        """How many parts are whole."""
        return len(list(self.out.glob("part-*.parquet")))


def kill_command(making: Making) -> None:
    """Kill the command, and run it again."""
    making.process.kill()
    making.process.wait()
    making.start()


def kill_decoder(making: Making) -> None:
    """Kill a process that decodes and scores."""
    if found := psutil.Process(making.process.pid).children():
        random.choice(found).kill()


def kill_actor(making: Making) -> None:
    """Kill an actor of Ray's."""
    assert making.nodes is not None
    if found := making.nodes.workers("Archivist"):
        random.choice(found).kill()


def kill_node(making: Making) -> None:
    """Kill a node of the cluster, and add one in its place."""
    assert making.nodes is not None
    making.nodes.kill(NODES.pop(random.randrange(len(NODES))))
    NODES.append(making.nodes.add())


NODES: list[object] = []
KINDS: dict[str, tuple[Callable[[Making], None], bool]] = {
    "the command": (kill_command, False),
    "a decoder": (kill_decoder, False),
    "the driver of a cluster": (kill_command, True),
    "an actor": (kill_actor, True),
    "a node": (kill_node, True),
}
"""What is killed: how, and whether on a cluster."""


def rows(out: Path) -> pa.Table:
    """Return all rows of an archive in the order of their paths."""
    return ds.dataset(out).to_table().sort_by("path")


def run(
    kind: str, recordings: Path, expected: pa.Table, nodes: Nodes | None, longest: float
) -> tuple[bool, int, float]:
    """Make an archive and kill something; return whether it is as expected, the parts at the kill, and the seconds."""
    kill, _ = KINDS[kind]
    with tempfile.TemporaryDirectory() as name:
        making = Making(recordings, Path(name) / "out", nodes)
        began = time.monotonic()
        making.start()
        time.sleep(random.uniform(0.0, longest))
        parts = making.parts()
        if making.process.status is None:
            kill(making)
        making.wait()
        return rows(making.out).equals(expected), parts, time.monotonic() - began


def main() -> int:
    """Kill everything as often as is asked, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--recordings", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as name, ray_nodes() as nodes:
        folder = Path(name) / "recordings"
        make_recordings(folder, options.recordings)
        NODES.extend([nodes.add(), nodes.add()])
        whole: dict[bool, float] = {}
        tables = {}
        for on_cluster in (False, True):
            making = Making(folder, Path(name) / f"whole-{on_cluster}", nodes if on_cluster else None)
            began = time.monotonic()
            making.start()
            making.wait()
            whole[on_cluster], tables[on_cluster] = time.monotonic() - began, rows(making.out)
        if not tables[True].equals(tables[False]):
            raise SystemExit("the cluster's rows are not those of one machine")
        print(
            "| killed | rounds | as without | parts at the kill | seconds, undisturbed |\n|---|---|---|---|---|",
            flush=True,
        )
        wrong = 0
        for kind, (_, on_cluster) in KINDS.items():
            cluster = nodes if on_cluster else None
            results = [run(kind, folder, tables[False], cluster, whole[on_cluster]) for _ in range(options.rounds)]
            good = sum(result[0] for result in results)
            wrong += options.rounds - good
            parts = f"{min(result[1] for result in results)} to {max(result[1] for result in results)}"
            seconds = f"{min(result[2] for result in results):.0f} to {max(result[2] for result in results):.0f}"
            print(f"| {kind} | {options.rounds} | {good} | {parts} | {seconds}, {whole[on_cluster]:.0f} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
