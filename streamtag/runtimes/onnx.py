"""ONNX Runtime on the CPU."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.runtimes import Embedded
from streamtag.runtimes.fastest import fastest
from streamtag.runtimes.onnx_session import open_session, reason_of
from streamtag.runtimes.onnx_window import OnnxWindowModel

__all__ = ["OnnxModel", "open_file", "open_model"]


class OnnxModel:
    """One ONNX file of a bundle in a session of its own.

    Attributes:
        batch: how many patches are best given to it at once; None where that was not measured.
    """

    name = "onnxruntime"
    device = "CPU"

    def __init__(self, bundle: Bundle, file: str, threads: int, batch: int | None = None) -> None:
        """Load `file`.

        Raises:
            BundleError: it is missing, damaged, not a model that ONNX Runtime takes, or one of other labels.
        """
        content = bundle.read(file)
        try:
            self._session = open_session(content, threads)
        except Exception as error:  # its exceptions share no base class of their own
            raise BundleError(f"bundle {bundle.path}: ONNX Runtime cannot load {file}: {reason_of(error)}") from error
        inputs = {each.name for each in self._session.get_inputs()}
        outputs = {each.name: each.shape for each in self._session.get_outputs()}
        if inputs != {"patches"} or not outputs.keys() >= {"scores", "embedding"}:
            raise BundleError(f"bundle {bundle.path}: {file} does not turn patches into scores and embedding")
        if outputs["scores"][-1:] != [len(bundle.labels)]:
            counts = f"{next(iter(outputs['scores'][-1:]), 'no')} labels and labels.csv has {len(bundle.labels)}"
            raise BundleError(f"bundle {bundle.path}: {file} scores {counts}")
        self.batch = batch
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
            results = self._session.run(names, {"patches": patches[:, np.newaxis]})
        except Exception as error:
            raise BundleError(f"{self._file} cannot be computed by ONNX Runtime: {reason_of(error)}") from error
        return [np.asarray(result, np.float32) for result in results]


def open_file(bundle: Bundle, file: str, threads: int) -> OnnxModel:
    """Open one file of the bundle."""
    return OnnxModel(bundle, file, threads)


def open_model(bundle: Bundle, threads: int, max_batch: int) -> OnnxModel | OnnxWindowModel:
    """Open the bundle's fastest file that keeps its accuracy; ONNX Runtime takes batches of any size."""
    if bundle.graph is not None:
        return OnnxWindowModel(bundle, bundle.graph, threads)
    file, batch = fastest(bundle, threads, OnnxModel)
    return OnnxModel(bundle, file, threads, batch)
