"""What a process that decodes costs, forked from one that has imported what it runs, and started as a program.

    python -m benchmarks.forked [--processes 20]

Each plays a recording. What is printed is of one process: the wall time until it gives its first sound, where all begin
one after the other; the processor time of all until then; and the memory that it has to itself.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from streamtag.benchmark.machine import describe_machine
from streamtag.cli.bench_view import heading
from streamtag.forked import Forked
from streamtag.process import Process
from streamtag.program import Program, python
from streamtag.sources.receiver_messages import Open, Sound, Word
from tests.sounds import tone, write

_MODULE = "streamtag.sources.receiver_process"


def _as_program(module: str, link: int) -> Program:
    code = f"import streamtag.sources.decoder, {module}; {module}.main()"
    return Program(python("-c", code, str(link)), files=[link], own_session=True)


def _measured(start: Callable[[str, int], Program | Forked], path: Path, count: int) -> str:
    before = _processor_seconds()
    begun = time.monotonic()
    processes = [Process(_MODULE, Word, start) for _ in range(count)]
    for number, process in enumerate(processes):
        process.link.send(Open(number, str(path), realtime=True, loop=True))
    for process in processes:
        while not isinstance(process.link.receive()[0], Sound):
            pass
    wall = time.monotonic() - begun
    spent = _processor_seconds() - before
    held = sum(psutil.Process(process.pid).memory_full_info().uss for process in processes)
    for process in processes:
        process.kill()
        process.end()
    return f"{1000 * wall / count:12.1f}{1000 * spent / count:16.1f}{held / count / (1 << 20):14.1f}"


def _processor_seconds() -> float:
    """Return what those that this process started have taken."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return float(sum(time.user + time.system for time in times))


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=20)
    count = parser.parse_args().processes
    print(heading(describe_machine()))
    print(f"{'one process that decodes':30}{'wall, ms':>12}{'processor, ms':>16}{'own, MB':>14}")
    with tempfile.TemporaryDirectory(prefix="streamtag-bench-") as folder:
        path = write(Path(folder) / "tone.flac", tone(10.0))
        ways = (("started as a program", _as_program), ("forked, server and all", Forked), ("forked", Forked))
        for name, start in ways:
            print(f"{name:30}{_measured(start, path, count)}", flush=True)


if __name__ == "__main__":
    main()
