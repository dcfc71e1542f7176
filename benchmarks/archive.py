"""Recordings a minute of an archive: one process, two, Ray on one node and on two; and a process pool beside.

    python -m benchmarks.archive --recordings 200 --rounds 3

Each round runs all of them one after the other, so that whatever else the machine does befalls all; a round's ratios
are compared. The process pool is what most taggers of archives do, BirdNET-Analyzer among them: every process opens
the model once, decodes a whole recording, and writes a result a recording; here with the same model, as CSV.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.recordings import make_recordings
from streamtag.benchmark.machine import describe_machine
from streamtag.event_tables import csv_row
from streamtag.program import output_of
from streamtag.tagger import Tagger
from tests.ray_nodes import ray_nodes

_taggers: list[Tagger] = []


def _open(bundle: str) -> None:
    _taggers.append(Tagger(bundle))


def _tag(job: tuple[Path, Path]) -> None:
    path, out = job
    result = _taggers[0].tag(path)
    rows = [csv_row(str(event.onset), str(event.offset), event.label, f"{event.peak:.4f}") for event in result.events]
    (out / f"{path.name}.csv").write_text("".join(rows))


def pool(recordings: Path, out: Path, bundle: str, processes: int) -> None:
    """Tag as a process pool with a result a recording does."""
    out.mkdir()
    jobs = [(path, out) for path in sorted(recordings.iterdir())]
    with multiprocessing.get_context("spawn").Pool(processes, _open, (bundle,)) as workers:
        workers.map(_tag, jobs, chunksize=8)


def archive(recordings: Path, out: Path, bundle: str, *options: str) -> None:
    """Tag with the command."""
    command = [sys.executable, "-m", "streamtag", "archive", str(recordings), "--out", str(out), "--bundle", bundle]
    output_of([*command, *options])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bundle", default="fast")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ray_nodes() as nodes:
        folder = Path(name) / "recordings"
        demo = make_recordings(folder, options.recordings)
        nodes.add()
        nodes.add()
        hours = options.recordings * Tagger(options.bundle).tag(demo).seconds / 3600
        runs: dict[str, Callable[[Path], None]] = {
            "one process": lambda out: archive(folder, out, options.bundle, "--jobs", "1"),
            "two processes": lambda out: archive(folder, out, options.bundle, "--jobs", "2"),
            "Ray, a node of two processes": lambda out: archive(
                folder, out, options.bundle, "--jobs", "2", "--ray", "local"
            ),
            "Ray, two nodes of a process": lambda out: archive(folder, out, options.bundle, "--ray", nodes.address),
            "a pool of two, a file a recording": lambda out: pool(folder, out, options.bundle, 2),
        }
        seconds: dict[str, list[float]] = {kind: [] for kind in runs}
        for number in range(options.rounds):
            for kind, run in runs.items():
                began = time.monotonic()
                run(Path(name) / f"{number} {kind}")
                seconds[kind].append(time.monotonic() - began)
    machine = describe_machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items() if isinstance(value, str | int | float)), "\n")
    print(f"{options.recordings} recordings, {hours:.1f} hours, `{options.bundle}`, {options.rounds} rounds in turns\n")
    print("| | recordings a minute | hours a minute | against one process, round by round |\n|---|---|---|---|")
    for kind, taken in seconds.items():
        ratios = [one / other for one, other in zip(seconds["one process"], taken, strict=True)]
        minutes = median(taken) / 60
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {kind} | {options.recordings / minutes:.0f} | {hours / minutes:.1f} | {spread} |")


if __name__ == "__main__":
    main()
