"""OpenVINO on the CPU."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as operations
from openvino.frontend.onnx import ConversionExtension

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.runtimes import Embedded
from streamtag.runtimes.fastest import fastest

__all__ = ["OpenVinoModel", "open_file", "open_model"]


class OpenVinoModel:
    """One ONNX file of a bundle, compiled for this processor.

    Attributes:
        batch: how many patches are best given to it at once; None where that was not measured.
    """

    name = "openvino"
    device = "CPU"

    def __init__(self, bundle: Bundle, file: str, threads: int, batch: int | None = None) -> None:
        """Compile `file`.

        Raises:
            BundleError: it is missing, damaged, or not a model that OpenVINO takes.
        """
        core = _core()
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
        self.batch = batch
        self._request = self._model.create_infer_request()
        self._file = f"bundle {bundle.path}: {file}"
        self.precision = str(bundle.files[file].get("precision", "float32"))

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score log-mel patches, float32 [n, 96, 64]; return float32 [n, labels] in [0, 1]."""
        (scores,) = self._outputs(("scores",), patches)
        return scores

    def embed(self, patches: NDArray[np.float32]) -> Embedded:
        """Return the scores and the embeddings of log-mel patches, float32 [n, 96, 64], in one call."""
        return Embedded(*self._outputs(("scores", "embedding"), patches))

    def _outputs(self, names: Sequence[str], patches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        try:
            results = self._request.infer({"patches": patches[:, np.newaxis]}, share_inputs=True)
            return [np.array(results[name], np.float32) for name in names]
        except (RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise BundleError(f"{self._file} cannot be computed by OpenVINO: {reason}") from error


@cache
def _core() -> openvino.Core:
    """Return the one of this process, which keeps it.

    OpenVINO gives the thread that loads it another stack for signals, and with the last model it frees that stack,
    whichever thread lets go of the model: the first one's next signal would end the process without a word.
    """
    core = openvino.Core()
    core.add_extension(ConversionExtension("ReduceLogSumExp", _log_sum_exp))
    return core


def _log_sum_exp(node: Any) -> list[Any]:
    """Translate a ReduceLogSumExp: OpenVINO 2026.4 does not see the attribute `axes`, and reduces over the batch too.

    https://github.com/openvinotoolkit/openvino/issues/38238
    """
    values, keeps = node.get_input(0), bool(node.get_attribute("keepdims", 1))
    axes = (
        node.get_input(1)
        if node.get_input_size() > 1
        else operations.constant(np.array(node.get_attribute("axes"), np.int64))
    )
    top = operations.reduce_max(values, axes, True)
    total = operations.log(operations.reduce_sum(operations.exp(operations.subtract(values, top)), axes, keeps))
    return [operations.add(total, top if keeps else operations.squeeze(top, axes)).output(0)]


def open_file(bundle: Bundle, file: str, threads: int) -> OpenVinoModel:
    """Open one file of the bundle."""
    return OpenVinoModel(bundle, file, threads)


def open_model(bundle: Bundle, threads: int, max_batch: int) -> OpenVinoModel:
    """Open the bundle's fastest file that keeps its accuracy; OpenVINO takes batches of any size."""
    file, batch = fastest(bundle, threads, OpenVinoModel)
    return OpenVinoModel(bundle, file, threads, batch)
