"""`python -m deploy.gpu_report [FOLDER]`: all that only a machine with a GPU can show, and a page of what came out.

It compiles and verifies the packaged model in each precision, runs the tests that need a GPU, and measures.
"""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.machine import describe
from streamtag.program import finish

MODEL = "default"
NETWORK = "resnet50"


@dataclass(frozen=True, slots=True)
class Step:
    """Something to run.

    Attributes:
        title: what it shows.
        arguments: of Python.
    """

    title: str
    arguments: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of a step.

    Attributes:
        step: what was run.
        status: its exit status; 0 is well done.
        seconds: how long it took.
        output: what it wrote on the screen.
    """

    step: Step
    status: int
    seconds: float
    output: str


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure to reach on an H100 or H200 with the float16 graph of a network.

    Attributes:
        network: the model's name.
        graph: what goes in.
        figure: "patches_a_second" or "median_ms".
        limit: what it is to be at least, or for a time at most.
        batch: of the measurement; None for the best of all.
    """

    network: str
    graph: str
    figure: str
    limit: float
    batch: int | None = None


AIMS = (
    Aim(MODEL, "pcm", "patches_a_second", 500_000),
    Aim(NETWORK, "pcm", "patches_a_second", 60_000),
    Aim(MODEL, "pcm", "median_ms", 0.4, batch=1),
)


def steps(folder: Path) -> list[Step]:
    """Return what is run; the measurements go to `folder`."""
    found = []
    for precision in ("fp32", "fp16", "int8"):
        for what in ("compile", "verify"):
            found.append(Step(f"{what} {precision}", ["-m", "deploy", what, MODEL, "--precision", precision]))
    found.append(Step("tests on the GPU", ["-m", "pytest", "-m", "gpu", "tests/deploy/test_on_a_gpu.py"]))
    bench = ["-m", "deploy", "bench", MODEL, "--networks", NETWORK, "--output", str(folder / "bench")]
    return [*found, Step("measurements", bench)]


def run(step: Step) -> Outcome:
    """Run a step to its end."""
    begin = time.monotonic()
    command = [sys.executable, *step.arguments]
    done = finish(command, merged=True)
    return Outcome(step, done.status, time.monotonic() - begin, done.output.decode(errors="replace"))


def reached(aim: Aim, rows: Iterable[dict[str, Any]]) -> tuple[float | None, bool]:
    """Return what was measured of an aim, if anything was, and whether it is reached."""
    lower = aim.figure == "median_ms"
    values = [
        float(row[aim.figure])
        for row in rows
        if row["runtime"].startswith("TensorRT")
        and (row["network"], row["graph"], row["precision"]) == (aim.network, aim.graph, "float16")
        and aim.batch in (None, row["batch"])
    ]
    if not values:
        return None, False
    best = min(values) if lower else max(values)
    return best, best < aim.limit if lower else best >= aim.limit


def as_page(about: dict[str, str], outcomes: Sequence[Outcome], rows: Sequence[dict[str, Any]]) -> str:
    """Return the page: machine, steps, aims, and what each step wrote."""
    lines = ["# What this machine showed", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += ["| step | command | outcome | s |", "|---|---|---|---:|"]
    for each in outcomes:
        outcome = "well" if each.status == 0 else f"FAILED ({each.status})"
        command = f"`python {' '.join(each.step.arguments)}`"
        lines.append(f"| {each.step.title} | {command} | {outcome} | {each.seconds:.0f} |")
    lines += ["", "| float16, host to host | aim | measured | |", "|---|---:|---:|---|"]
    for aim in AIMS:
        best, there = reached(aim, rows)
        what = f"{aim.network}, {aim.graph}, {aim.figure}" + (f", batch {aim.batch}" if aim.batch else "")
        measured = "not measured" if best is None else f"{best:,.3f}"
        lines.append(f"| {what} | {aim.limit:,g} | {measured} | {'reached' if there else 'NOT REACHED'} |")
    for each in outcomes:
        lines += ["", f"## {each.step.title}", "", "```", each.output.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def main(folder: Path) -> int:
    """Run everything, write `folder`/README.md, and return the exit status: 0 when every step went well."""
    folder.mkdir(parents=True, exist_ok=True)
    measured = folder / "bench.json"
    measured.unlink(missing_ok=True)
    outcomes: list[Outcome] = []
    for step in steps(folder):
        print(f"==> {step.title}", flush=True)
        outcomes.append(run(step))
        rows = json.loads(measured.read_text())["rows"] if measured.is_file() else []
        (folder / "README.md").write_text(as_page(describe(), outcomes, rows))
    print(f"written: {folder / 'README.md'}")
    return 0 if all(each.status == 0 for each in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "gpu-report")))
