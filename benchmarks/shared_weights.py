"""What two processes with the same model would save if they shared its weights.

    python -m benchmarks.shared_weights

ONNX Runtime can write a graph as it optimised it, with the weights as it packed them in a file beside it, and map that
file where the graph is opened again. Each way is opened in two processes at once, which score a batch; what the system
says of their memory then, and the processor time of a patch, are printed.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from streamtag.audio import BANDS, FRAMES
from streamtag.benchmark.machine import describe_machine
from streamtag.bundle import Bundle
from streamtag.cli.bench_view import heading
from streamtag.runtimes.onnx_session import open_session

__all__ = ["main"]

_BATCH: Final = 16
_ROUNDS: Final = 20
_FIELDS: Final = ("Rss", "Pss", "Private_Dirty", "Shared_Clean")
_MODELS: Final = (("default", "model.onnx"), ("fast", "model.int8.onnx"))


def _write_packed(graph: bytes, folder: Path) -> Path:
    path = folder / "packed.onnx"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "packed.data")
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    options.add_session_config_entry("session.save_external_prepacked_constant_initializers", "1")
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return path


def _score(path: Path) -> None:
    """Open a graph and score with it; say what that took, once somebody has read that it is done."""
    session = open_session(path if path.name == "packed.onnx" else path.read_bytes(), threads=1)
    patches = np.random.default_rng(0).standard_normal((_BATCH, 1, FRAMES, BANDS)).astype(np.float32)
    session.run(["scores"], {"patches": patches})
    begin = time.process_time()
    for _ in range(_ROUNDS):
        session.run(["scores"], {"patches": patches})
    milliseconds = 1000 * (time.process_time() - begin) / (_ROUNDS * _BATCH)
    print("ready", flush=True)
    sys.stdin.readline()
    lines = (line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    held = {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines}
    print(*(f"{held[name]:14.0f}" for name in _FIELDS), f"{milliseconds:12.3f}", flush=True)


def _beside_each_other(path: Path) -> str:
    """Score in two processes at once, and return what the first says."""
    command = [sys.executable, "-m", "benchmarks.shared_weights", str(path)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)
    ]
    for each in both:
        assert each.stdout is not None
        each.stdout.readline()
    said, _ = (each.communicate("\n")[0].rstrip() for each in both)
    return said


def main() -> None:
    """Print a row for each model and way."""
    if len(sys.argv) > 1:
        _score(Path(sys.argv[1]))
        return
    print(heading(describe_machine()))
    print(f"{'':26}", *(f"{name:>14}" for name in _FIELDS), "  ms a patch   (MB of one of two processes)")
    for name, file in _MODELS:
        bundle = Bundle.open(name)
        with tempfile.TemporaryDirectory(prefix="streamtag-bench-") as folder:
            print(f"{name + ', as it is':26}", _beside_each_other(bundle.path / file), flush=True)
            packed = _write_packed(bundle.read(file), Path(folder))
            print(f"{name + ', packed and mapped':26}", _beside_each_other(packed), flush=True)


if __name__ == "__main__":
    main()
