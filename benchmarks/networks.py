"""`python -m benchmarks.networks --yamnet FILE`: the packaged networks alone beside YAMNet, one thread, in one run."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import contenders
from streamtag.audio.frontend import log_mel_windows
from streamtag.benchmark.machine import describe_machine
from streamtag.bundle import Bundle, installed
from streamtag.runtimes.onnx_session import open_session


def main() -> None:
    """Print each network's median time a patch and its share of YAMNet's."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--yamnet", type=Path, required=True, help="the published yamnet.tflite")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    windows = contenders.demo_windows(options.batch)
    patches = log_mel_windows(windows)[:, None]
    runs: dict[str, Callable[[], object]] = {"YAMNet, LiteRT": lambda: yamnet(windows)}
    yamnet = contenders.yamnet(options.yamnet)
    for name in installed():
        bundle = Bundle.open(name)
        for file in ("model.onnx", "model.int8.onnx"):
            runs[f"{name}, {file}"] = _session(bundle.read(file), patches)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(options.rounds + 5):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if number >= 5:  # the first rounds warm up
                times[name].append((time.perf_counter() - begin) / options.batch * 1e3)
    base = np.array(times["YAMNet, LiteRT"])
    print(*(f"{name}: {value}" for name, value in describe_machine().items()), sep="; ")
    print(f"{'network alone':<28}{'ms a patch':>12}{'of YAMNet':>11}   (10 to 90 %)")
    for name, each in times.items():
        share = np.array(each) / base
        low, high = np.percentile(share, (10, 90))
        print(f"{name:<28}{np.median(each):>12.3f}{np.median(share):>11.3f}   ({low:.3f} to {high:.3f})")


def _session(content: bytes, patches: np.ndarray) -> Callable[[], object]:
    session = open_session(content, threads=1)
    return lambda: session.run(None, {"patches": patches})


if __name__ == "__main__":
    main()
