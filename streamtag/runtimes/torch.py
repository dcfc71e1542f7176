"""PyTorch, from a bundle's `model.onnx`: see `streamtag.runtimes.torch_graph`."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.runtimes import Embedded
from streamtag.runtimes.torch_graph import Graph, GraphError

__all__ = ["FILE", "TorchModel", "open_model"]

FILE = "model.onnx"


class TorchModel:
    """A bundle's float32 network, on the GPU where there is one."""

    name = "torch"
    precision = "float32"

    def __init__(self, bundle: Bundle, device: str) -> None:
        """Build the network on a device, as torch names it.

        Raises:
            BundleError: the bundle has none, or one with operations that are not known here.
        """
        self._path = bundle.path
        try:
            self._graph = Graph(bundle.read(FILE), device)
        except GraphError as error:
            raise self._error(error) from error
        self._device = device
        self.device = "CPU" if device == "cpu" else torch.cuda.get_device_name(device)

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score log-mel patches, float32 [n, 96, 64]; return float32 [n, labels] in [0, 1]."""
        (scores,) = self._outputs(("scores",), patches)
        return scores

    def embed(self, patches: NDArray[np.float32]) -> Embedded:
        """Return the scores and the embeddings of log-mel patches, float32 [n, 96, 64], in one call."""
        return Embedded(*self._outputs(("scores", "embedding"), patches))

    @torch.inference_mode()
    def _outputs(self, names: Sequence[str], patches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        try:
            outputs = self._graph.run(torch.from_numpy(patches[:, np.newaxis]).to(self._device), *names)
        except GraphError as error:
            raise self._error(error) from error
        return [output.cpu().numpy() for output in outputs]

    def _error(self, what: GraphError) -> BundleError:
        return BundleError(f"bundle {self._path}: {FILE} {what}; take another runtime")


def open_model(bundle: Bundle, threads: int, max_batch: int) -> TorchModel:
    """Open the bundle's network; torch takes batches of any size."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # its 10-bit mantissas are not float32
    return TorchModel(bundle, "cuda" if torch.cuda.is_available() else "cpu")
