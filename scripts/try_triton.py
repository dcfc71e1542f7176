"""Try the Triton runtime against a real server on the CPU: the one in NVIDIA's `nvidia-pytriton` package.

    python -m pip download --no-deps --dest wheels nvidia-pytriton
    python -m scripts.try_triton wheels/nvidia_pytriton-*.whl

That server has no backend for ONNX, so a model of its Python backend runs the bundle by ONNX Runtime: the protocol, the
shared memory, the time-outs and the server's return are real, and its speed says nothing.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import log_mel_windows
from streamtag.bundle import Bundle
from streamtag.program import Program
from streamtag.runtimes import ServerUnavailableError, open_runtime
from streamtag.runtimes.parity import trial_windows
from streamtag.runtimes.triton import TritonModel

_PORT = 18_001
_MODEL = """
import sys
sys.path[:0] = {path!r}
import numpy as np
import triton_python_backend_utils as backend
from streamtag.audio import log_mel_windows
from streamtag.bundle import Bundle
from streamtag.runtimes import open_runtime


class TritonPythonModel:
    def initialize(self, args):
        self.model = open_runtime(Bundle.open({bundle!r}), "onnxruntime")

    def execute(self, requests):
        answers = []
        for request in requests:
            windows = np.from_dlpack(backend.get_input_tensor_by_name(request, "waveform"))
            both = self.model.embed(log_mel_windows(windows))
            tensors = {{"scores": both.scores, "embedding": both.embeddings}}
            names = request.requested_output_names()
            # By DLPack: that server's own arrays are NumPy 1's.
            made = [backend.Tensor.from_dlpack(name, tensors[name]) for name in names]
            answers.append(backend.InferenceResponse(made))
        return answers
"""
_CONFIG = """
name: "streamtag"
backend: "python"
max_batch_size: 64
input [ {{ name: "waveform" data_type: TYPE_FP32 dims: [ 15600 ] }} ]
output [ {{ name: "scores" data_type: TYPE_FP32 dims: [ {labels} ] }},
         {{ name: "embedding" data_type: TYPE_FP32 dims: [ {width} ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
"""


def main() -> None:
    """Start the server, compare scores, freeze it, kill it, start it again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--bundle", default="fast")
    options = parser.parse_args()
    bundle = Bundle.open(options.bundle)
    windows = trial_windows()[:100]
    here = open_runtime(bundle, "onnxruntime").embed(log_mel_windows(windows))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with zipfile.ZipFile(options.wheel) as wheel:
            wheel.extractall(root)
        _repository(root, options.bundle, here.scores.shape[1], here.embeddings.shape[1])
        server = _start(root)
        try:
            model = _open(bundle)
            both = model.embed_windows(windows)
            most = np.abs(both.scores - here.scores).max()
            print(f"scores differ by {most:.2g} at most, shared memory: {_shared(model)}")
            os.killpg(server.pid, signal.SIGSTOP)
            print("frozen:", _refusal(model, windows[:1]))
            os.killpg(server.pid, signal.SIGCONT)
            print(f"thawed: scores again after {_until_back(model, windows[:1]):.1f} s")
            server.kill()
            server.wait()
            print("killed:", _refusal(model, windows[:1]))
            server = _start(root)
            print(f"started: scores again after {_until_back(model, windows[:1]):.1f} s, shared: {_shared(model)}")
            again = np.abs(model.run_windows(windows) - here.scores).max()
            print(f"scores differ by {again:.2g} at most")
        finally:
            server.kill()
            server.wait()


def _repository(root: Path, bundle: str, labels: int, width: int) -> None:
    triton, model = root / "pytriton" / "tritonserver", root / "models" / "streamtag"
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").write_text(_MODEL.format(path=[str(Path.cwd()), *sys.path], bundle=bundle))
    (model / "config.pbtxt").write_text(_CONFIG.format(labels=labels, width=width))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = triton / "python_backend_stubs" / version / "triton_python_backend_stub"
    stub.rename(triton / "backends" / "python" / stub.name)
    for program in (triton / "bin" / "tritonserver", triton / "backends" / "python" / stub.name):
        program.chmod(0o755)


def _start(root: Path) -> Program:
    triton = root / "pytriton" / "tritonserver"
    command = [
        str(triton / "bin" / "tritonserver"),
        f"--model-repository={root / 'models'}",
        f"--backend-directory={triton / 'backends'}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={_PORT}",
        "--allow-http=false",
        "--allow-metrics=false",
    ]
    libraries = f"{root / 'nvidia_pytriton.libs'}:{Path(sys.base_prefix) / 'lib'}"
    environment = {"LD_LIBRARY_PATH": libraries}
    with (root / "log").open("ab") as log:
        return Program(command, environment=environment, stdout=log, stderr=log, own_session=True)


def _open(bundle: Bundle) -> TritonModel:
    for _ in range(300):
        try:
            return TritonModel(bundle, 256, f"127.0.0.1:{_PORT}")
        except ServerUnavailableError:
            time.sleep(0.2)
    raise SystemExit("the server did not start within a minute")


def _shared(model: TritonModel) -> bool:
    return model._memory is not None


def _refusal(model: TritonModel, windows: NDArray[np.float32]) -> str:
    begin = time.monotonic()
    try:
        model.run_windows(windows)
    except ServerUnavailableError as error:
        return f"{error} (told after {time.monotonic() - begin:.1f} s)"
    raise SystemExit("it scored though the server cannot answer")


def _until_back(model: TritonModel, windows: NDArray[np.float32]) -> float:
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        try:
            model.run_windows(windows)
        except ServerUnavailableError:
            time.sleep(0.1)
        else:
            return time.monotonic() - begin
    raise SystemExit("no scores within a minute")


if __name__ == "__main__":
    main()
