"""The libraries that run a model: their names, where they live, and what to do where one is missing.

A new one is one module in `streamtag/runtimes` with `open_model(bundle, threads, max_batch)`, and one line here.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final, Literal, NamedTuple

__all__ = ["AUTO", "FOR_SOUND", "RUNTIMES", "RUNTIME_NAMES", "RuntimeKind", "is_installed", "meant_by"]

AUTO: Final = "auto"
"""The name that lets the program choose."""
FOR_SOUND: Final = "onnxruntime"
"""What runs other people's graphs, which take sound as it is."""


class RuntimeKind(NamedTuple):
    """One library.

    Attributes:
        module: In `streamtag.runtimes`.
        package: What is imported of it; None where it comes with Streamtag.
        remedy: How to install it.
        device: Where it runs a model; on a server its `open_model` takes the server's address too.
        is_automatic: Whether `auto` may take it: a GPU's before the CPU's, of which it measures the fastest.
        runs_any_file: Whether its `open_file(bundle, file, threads)` runs any graph of patches that a bundle holds.
    """

    module: str
    package: str | None
    remedy: str
    device: Literal["CPU", "GPU", "server"] = "CPU"
    is_automatic: bool = False
    runs_any_file: bool = False


RUNTIMES: Final = {
    "onnxruntime": RuntimeKind("onnx", None, "install Streamtag again", is_automatic=True, runs_any_file=True),
    "openvino": RuntimeKind(
        "openvino", "openvino", "pip install 'streamtag[openvino]'", is_automatic=True, runs_any_file=True
    ),
    "tensorrt": RuntimeKind(
        "tensorrt",
        "tensorrt",
        "pip install 'streamtag[tensorrt]', and TensorRT 10 or 11 from its vendor (docs/deploy.md)",
        device="GPU",
        is_automatic=True,
    ),
    "triton": RuntimeKind("triton", "tritonclient", "pip install 'streamtag[triton]'", device="server"),
    "torch": RuntimeKind("torch", "torch", "pip install 'streamtag[train]'"),
}
RUNTIME_NAMES: Final = (AUTO, *RUNTIMES)
"""What `[model] runtime` and `--runtime` may be."""


def meant_by(name: str) -> list[str]:
    """Return the libraries that a name may mean, in the order in which they are tried: those for GPUs first."""
    if name != AUTO:
        return [name]
    return sorted((each for each in RUNTIMES if RUNTIMES[each].is_automatic), key=lambda x: RUNTIMES[x].device == "CPU")


def is_installed(name: str) -> bool:
    """Tell whether a library is there, without loading it."""
    package = RUNTIMES[name].package
    return package is None or package in sys.modules or find_spec(package) is not None
