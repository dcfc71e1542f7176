"""Streamtag beside what others run for the same task: the same audio, the same core, in turn within one run.

    python -m benchmarks.side_by_side --yamnet yamnet.tflite --output benchmarks/results

Each round gives every contender the same 64 patches (0.96 s each) and counts the CPU seconds of its whole process, so a
busy neighbour slows nobody's count much and slows all alike. The others classify waveforms that lie in memory, and
publish nothing. Streamtag does the same and more: it cuts samples in memory into patches, scores them, finds events and
publishes every message to a subscriber. As a service, in a process of its own, it also takes the PCM over ZeroMQ.
"""

import argparse
import json
import os
import platform
import re
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import contenders
from streamtag.bundle import Bundle
from streamtag.machine import features, processor, version_of

PATCHES = 64
PACKAGES = ("streamtag", "numpy", "scipy", "onnxruntime", "ai-edge-litert", "mediapipe", "librosa", "torch")


def main() -> None:
    """Run the comparison and write `side_by_side_BUNDLE_KIND.json` and `.md`, for this kind of processor."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--yamnet", type=Path, required=True, help="the published yamnet.tflite")
    parser.add_argument("--bundle", default="default", help="the bundle to run")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--core", type=int, default=0, help="the core that every contender is held to")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()

    os.sched_setaffinity(0, {options.core})
    windows = contenders.demo_windows(PATCHES)
    bundle = Bundle.open(options.bundle)
    others = contenders.others(options.yamnet, bundle)
    for run in others.values():  # some take long to warm up, and the service would take its streams for stalled
        run(windows)
    with (
        contenders.InProcess(options.bundle) as in_process,
        contenders.Streamtag(options.bundle, options.core) as service,
    ):
        runs: dict[str, Callable[[NDArray[np.float32]], float]] = {
            **others,
            "Streamtag, from samples in memory to published messages": in_process.run,
            "Streamtag, service: PCM in over ZeroMQ, 64 streams": service.many_streams,
            "Streamtag, service: PCM in over ZeroMQ, one stream alone": service.one_stream,
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(options.rounds + 1):
            for name, run in runs.items():
                spent = run(windows) / len(windows)
                if number:  # the first round warms up
                    seconds[name].append(spent)
            print(f"round {number} of {options.rounds}", flush=True)
    write(options.output, bundle, seconds)


def kind() -> str:
    """Return what results on this kind of processor are called: its maker and the widest of its instructions."""
    maker = re.sub(r"[^a-z]+", "_", re.sub(r"\(.*?\)", "", processor().lower())).strip("_").split("_")[0]
    return "_".join([maker or "other", *features()[-1:]]).lower().replace("-", "").replace(" ", "_")


def write(folder: Path, bundle: Bundle, seconds: dict[str, list[float]]) -> None:
    """Write the figures of a bundle as JSON and as a table."""
    reference = next(iter(seconds))
    rows = []
    for name, values in seconds.items():
        ratios = [base / value for base, value in zip(seconds[reference], values, strict=True)]
        low, middle, high = (float(np.quantile(ratios, share)) for share in (0.1, 0.5, 0.9))
        rows.append({"name": name, "ms": 1000 * statistics.median(values), "ratio": middle, "low": low, "high": high})
    measured: dict[str, Any] = {
        "bundle": f"{bundle.name} {bundle.version}",
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "features": features(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := version_of(name))},
        "rounds": len(seconds[reference]),
        "patches_a_round": PATCHES,
    }
    folder.mkdir(parents=True, exist_ok=True)
    name = f"side_by_side_{bundle.name}_{kind()}"
    (folder / f"{name}.json").write_text(
        json.dumps({"machine": measured, "rows": rows, "seconds": seconds}, indent=1) + "\n"
    )
    lines = [
        "# Side by side",
        "",
        f"Bundle {measured['bundle']} on {measured['processor']} ({', '.join(measured['features'])}), one core, "
        f"Python {measured['python']}, {measured['date']}; "
        + ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
        + ".",
        f"CPU time a 960 ms patch, median of {measured['rounds']} interleaved rounds of {PATCHES} patches; speed as a "
        "ratio to YAMNet in the same round, median (10 % to 90 % of the rounds).",
        "",
        "| what | CPU ms a patch | times YAMNet's speed |",
        "|---|---|---|",
        *(
            f"| {row['name']} | {row['ms']:.3f} | {row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f}) |"
            for row in rows
        ),
        "",
        "Made by `make benchmark`.",
    ]
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
