"""Our YAMNet beside LiteRT's, out of the same file: whether it hears the same, and how fast.

    python -m benchmarks.yamnet --yamnet yamnet.tflite [RECORDING or FOLDER …]

Scores of real windows are compared: behind our front end, and from LiteRT's own log-mel, for which the networks alone
differ. CPU time is counted in turn on one core: LiteRT one window a call, as it takes them, ours in batches of eight.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import demo_windows
from streamtag.audio import Patcher, log_mel_windows
from streamtag.bundle import Bundle
from streamtag.foreign.yamnet_bundle import write_yamnet_bundle
from streamtag.machine import processor, version_of
from streamtag.runtimes.onnx import open_file
from streamtag.runtimes.scorer import Scorer
from streamtag.sources import open_source

_BATCH = 8
_SILENT = 1e-4


def main() -> None:
    """Compare, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recordings", nargs="*", type=Path, help="recordings, or folders of them (default: the demo's)")
    parser.add_argument("--yamnet", type=Path, required=True, help="the published yamnet.tflite")
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--core", type=int, default=0, help="the core that both are held to")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    windows = _windows(options.recordings, options.windows)
    packages = ", ".join(f"{name} {version_of(name)}" for name in ("onnxruntime", "ai-edge-litert", "numpy"))
    print(f"{processor()}, one core; {packages}; {len(windows)} windows")
    with tempfile.TemporaryDirectory() as folder:
        write_yamnet_bundle(options.yamnet, "yamnet", Path(folder), lambda _: None)
        bundle = Bundle(Path(folder))
        _parity(options.yamnet, bundle, windows)
        _speed(options.yamnet, bundle, windows[: 8 * _BATCH], options.rounds)


def _parity(yamnet: Path, bundle: Bundle, windows: NDArray[np.float32]) -> None:
    published = LiteRt(yamnet, keeps_all=True)
    rows = [published.run(window) for window in windows]
    scores = np.stack([row for row, _ in rows])
    theirs = np.stack([log_mel for _, log_mel in rows if log_mel is not None])
    ours = log_mel_windows(windows, log_offset=bundle.log_offset)
    whole, real = open_file(bundle, "model.int8.onnx", 1), open_file(bundle, "model.onnx", 1)
    print(f"log-mel: {np.abs(ours - theirs).max():.2g} apart at most, {np.abs(ours - theirs).mean():.2g} in the mean")
    for what, patches in (("int8, from LiteRT's own log-mel", theirs), ("int8, behind our front end", ours)):
        found = np.concatenate([whole.run(patches[at : at + _BATCH]) for at in range(0, len(patches), _BATCH)])
        apart = np.abs(found - scores)
        print(
            f"{what}: {apart.max():.4f} apart at most, {apart.mean():.2g} in the mean; "
            f"{int((apart > 0.02).sum())} of {apart.size} scores in {int((apart.max(axis=1) > 0.02).sum())} windows "
            f"more than 0.02; best label the same in {100 * (found.argmax(1) == scores.argmax(1)).mean():.1f} %"
        )
    float32 = np.concatenate([real.run(ours[at : at + _BATCH]) for at in range(0, len(ours), _BATCH)])
    print(f"float32 from int8: {np.abs(float32 - scores).mean():.2g} in the mean, which 8 bits cost the published file")


def _speed(yamnet: Path, bundle: Bundle, windows: NDArray[np.float32], rounds: int) -> None:
    published = LiteRt(yamnet)
    runtime = open_file(bundle, "model.int8.onnx", 1)
    scorer = Scorer(runtime, _BATCH, bundle.geometry, bundle.log_offset)
    patches = log_mel_windows(windows, log_offset=bundle.log_offset)
    parts = [list(windows[at : at + _BATCH]) for at in range(0, len(windows), _BATCH)]
    spent: list[tuple[float, float, float]] = []
    for _ in range(rounds + 2):
        marks = [time.process_time()]
        for window in windows:
            published.run(window)
        marks.append(time.process_time())
        for part in parts:
            scorer.run(part)
        marks.append(time.process_time())
        for at in range(0, len(patches), _BATCH):
            runtime.run(patches[at : at + _BATCH])
        marks.append(time.process_time())
        spent.append(tuple(np.diff(marks) / len(windows) * 1000))
    ms = np.array(spent[2:])  # the first rounds warm up
    for what, column in (("LiteRT", 0), ("ours, front end and network", 1), ("ours, network alone", 2)):
        ratios = ms[:, 0] / ms[:, column]
        low, high = np.percentile(ratios, (10, 90))
        times = f"{np.median(ratios):.2f} times LiteRT's speed ({low:.2f} to {high:.2f})"
        print(f"{what}: {np.median(ms[:, column]):.3f} ms a window, {times}")


class LiteRt:
    """The published file through LiteRT, one thread."""

    def __init__(self, path: Path, *, keeps_all: bool = False) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keeping all tensors, which is the way to the log-mel
            self._interpreter: Any = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=keeps_all)
        self._interpreter.allocate_tensors()
        self._source = self._interpreter.get_input_details()[0]["index"]
        self._result = self._interpreter.get_output_details()[0]["index"]
        shapes = {tuple(each["shape"]): each["index"] for each in self._interpreter.get_tensor_details()
                  if each["dtype"] == np.float32}  # fmt: skip
        self._log_mel = shapes.get((1, 96, 64)) if keeps_all else None

    def run(self, window: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return scores [521], and log-mel [96, 64] where all is kept."""
        self._interpreter.set_tensor(self._source, window)
        self._interpreter.invoke()
        scores = self._interpreter.get_tensor(self._result)[0]
        return scores, None if self._log_mel is None else self._interpreter.get_tensor(self._log_mel)[0]


def _windows(paths: list[Path], count: int) -> NDArray[np.float32]:
    """Return real windows, each with sound in it, float32 [count, 15600]."""
    if not paths:
        return demo_windows(31)
    found: list[NDArray[np.float32]] = []
    for window in _of_files(paths):
        if np.abs(window).max() > _SILENT:
            found.append(window)
        if len(found) == count:
            break
    return np.stack(found)


def _of_files(paths: list[Path]) -> Iterator[NDArray[np.float32]]:
    for path in sorted(each for given in paths for each in (given.rglob("*") if given.is_dir() else [given])):
        if not path.is_file():
            continue
        patcher = Patcher()
        with open_source(f"file:{path}") as source:
            for block in source:
                for patch in patcher.feed(block):
                    yield patch.window


if __name__ == "__main__":
    main()
