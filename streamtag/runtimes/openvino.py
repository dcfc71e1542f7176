"""OpenVINO on the CPU."""

import numpy as np
import openvino
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.runtimes.choice import faster_file

__all__ = ["OpenVinoModel", "open_file", "open_model"]


class OpenVinoModel:
    """One ONNX file of a bundle, compiled for this processor."""

    name = "openvino"
    device = "CPU"

    def __init__(self, bundle: Bundle, file: str, threads: int) -> None:
        """Compile `file`.

        Raises:
            BundleError: it is missing, damaged, or not a model that OpenVINO takes.
        """
        core = openvino.Core()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # It takes bfloat16 by itself where the processor knows it: other scores, and slower without AMX.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        content = bundle.read(file)
        try:
            self._model = core.compile_model(core.read_model(content, b""), "CPU", options)
        except RuntimeError as error:
            first = str(error).strip().splitlines()[-1]
            raise BundleError(f"bundle {bundle.path}: OpenVINO cannot load {file}: {first}") from error
        self._request = self._model.create_infer_request()
        self._file = f"bundle {bundle.path}: {file}"
        self.precision = str(bundle.files[file].get("precision", "float32"))

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score log-mel patches, float32 [n, 96, 64]; return float32 [n, labels] in [0, 1]."""
        return self._output("scores", patches)

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the embeddings of log-mel patches, float32 [n, 96, 64] to [n, d]."""
        return self._output("embedding", patches)

    def _output(self, name: str, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            results = self._request.infer({"patches": patches[:, np.newaxis]}, share_inputs=True)
            return np.array(results[name], np.float32)
        except (RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise BundleError(f"{self._file} cannot be computed by OpenVINO: {reason}") from error


def open_file(bundle: Bundle, file: str, threads: int) -> OpenVinoModel:
    """Open one file of the bundle."""
    return OpenVinoModel(bundle, file, threads)


def open_model(bundle: Bundle, threads: int, max_batch: int) -> OpenVinoModel:
    """Open the bundle's fastest file that keeps its accuracy; OpenVINO takes batches of any size."""
    return OpenVinoModel(bundle, faster_file(bundle, threads, OpenVinoModel), threads)
