"""Patches in, scores out: one file a library, and the function that chooses."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import RuntimeUnavailableError

__all__ = ["RUNTIMES", "Runtime", "open_runtime"]


class Runtime(Protocol):
    """A compiled model.

    Attributes:
        name: the library, as `[model] runtime` names it.
        device: where it runs, such as "CPU".
        precision: the arithmetic, such as "int8".
    """

    name: str
    device: str
    precision: str

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score log-mel patches, float32 [n, 96, 64]; return float32 [n, labels] in [0, 1]."""
        ...

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the embeddings of log-mel patches, float32 [n, 96, 64] to [n, d]."""
        ...


RUNTIMES = {
    "onnxruntime": "streamtag.runtimes.onnx",
}
"""By name, the module whose `open_model(bundle, threads, max_batch)` opens a bundle with that library."""


def open_runtime(bundle: Bundle, name: str = "auto", threads: int = 1, max_batch: int = 256) -> Runtime:
    """Open a bundle's model.

    Args:
        bundle: the model.
        name: a library's name, or "auto" for the fastest that is there.
        threads: how many threads one call may use.
        max_batch: the most patches that one call will be given.

    Raises:
        RuntimeUnavailableError: the library or its device is not there, or there is no such runtime.
        BundleError: the bundle has no file for it.
    """
    if name == "auto":
        name = "onnxruntime"
    if name not in RUNTIMES:
        raise RuntimeUnavailableError(f"no runtime {name!r}: it may be auto, {', '.join(RUNTIMES)}")
    open_model = cast(Callable[[Bundle, int, int], Runtime], import_module(RUNTIMES[name]).open_model)
    return open_model(bundle, threads, max_batch)
