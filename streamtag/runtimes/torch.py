"""PyTorch, from a bundle that carries `model.pt2`: the network as `torch.export` saves it."""

import io

import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.bundle import Bundle

__all__ = ["FILE", "TorchModel", "open_model"]

FILE = "model.pt2"


class TorchModel:
    """A bundle's exported program, on the GPU where there is one."""

    name = "torch"
    precision = "float32"

    def __init__(self, bundle: Bundle, device: str) -> None:
        """Load the program onto a device, as torch names it.

        Raises:
            BundleError: the bundle has none.
        """
        if FILE not in bundle.files:
            raise bundle.lacks(f"{FILE} for torch")
        self._model = torch.export.load(io.BytesIO(bundle.read(FILE))).module().to(device)
        self._device = device
        self.device = "CPU" if device == "cpu" else torch.cuda.get_device_name(device)

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score log-mel patches, float32 [n, 96, 64]; return float32 [n, labels] in [0, 1]."""
        return self._outputs(patches)[0]

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the embeddings of log-mel patches, float32 [n, 96, 64] to [n, d]."""
        return self._outputs(patches)[1]

    @torch.inference_mode()
    def _outputs(self, patches: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scores, embedding = self._model(torch.from_numpy(patches[:, np.newaxis]).to(self._device))
        return scores.cpu().numpy(), embedding.cpu().numpy()


def open_model(bundle: Bundle, threads: int, max_batch: int) -> TorchModel:
    """Open the bundle's exported program; torch takes batches of any size."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # its 10-bit mantissas are not float32
    return TorchModel(bundle, "cuda" if torch.cuda.is_available() else "cpu")
