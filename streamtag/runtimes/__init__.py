"""Patches in, scores out: one file a library, and the function that chooses; `runtime_kinds.py` names them all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.runtime_kinds import FOR_SOUND, RUNTIME_NAMES, RUNTIMES, is_installed, meant_by

if TYPE_CHECKING:
    from streamtag.bundle import Bundle

__all__ = [
    "BatchingRuntime",
    "Embedded",
    "ListRuntime",
    "Runtime",
    "ServerUnavailableError",
    "WindowRuntime",
    "load_runtime",
    "open_runtime",
]

logger = logging.getLogger(__name__)


class ServerUnavailableError(RuntimeUnavailableError):
    """A server that runs the model is away for now: what was to be scored is lost, and the next may be scored again."""


class Embedded(NamedTuple):
    """What a network says of a batch.

    Attributes:
        scores: float32 [n, labels] in [0, 1], as `Runtime.run` returns them.
        embeddings: float32 [n, d]: what the scores were made of.
    """

    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]


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

    def embed(self, patches: NDArray[np.float32]) -> Embedded:
        """Return the scores and the embeddings of log-mel patches, float32 [n, 96, 64], in one call."""
        ...


@runtime_checkable
class BatchingRuntime(Protocol):
    """A compiled model of which is known how many patches are best given to it at once.

    Attributes:
        batch: so many; None for as many as there are.
    """

    batch: int | None


@runtime_checkable
class WindowRuntime(Protocol):
    """A compiled model that computes the log-mel by itself."""

    def run_windows(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        """Score samples, float32 in [-1, 1] or int16, [n, 15600]; return float32 [n, labels] in [0, 1]."""
        ...

    def embed_windows(self, windows: NDArray[Any]) -> Embedded:
        """Return the scores and the embeddings of such samples, in one call."""
        ...


@runtime_checkable
class ListRuntime(Protocol):
    """A model that runs elsewhere, and takes windows from where they lie.

    Attributes:
        name: the library, as `[model] runtime` names it.
        device: where it runs, such as "CPU".
        precision: the arithmetic, such as "int8".
    """

    name: str
    device: str
    precision: str

    def run_list(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Score windows, float32 [samples] each; return float32 [n, labels] in [0, 1]."""
        ...

    def embed_list(self, windows: Sequence[NDArray[np.float32]]) -> Embedded:
        """Return the scores and the embeddings of such windows, in one call."""
        ...


def load_runtime(name: str) -> Any:
    """Return a runtime's module.

    Raises:
        RuntimeUnavailableError: its library is not installed or cannot be loaded, or there is no such runtime.
    """
    if name not in RUNTIMES:
        raise RuntimeUnavailableError(f"no runtime {name!r}: it may be {', '.join(RUNTIME_NAMES)}")
    kind = RUNTIMES[name]
    try:
        return import_module(f"streamtag.runtimes.{kind.module}")
    except ImportError as error:  # also what a library says that is there and lacks another one
        raise RuntimeUnavailableError(f"runtime {name} cannot be loaded ({error}): {kind.remedy}") from error


def open_runtime(
    bundle: Bundle, name: str = "auto", threads: int = 1, max_batch: int = 256, server: str | None = None
) -> Runtime:
    """Open a bundle's model.

    Args:
        bundle: the model.
        name: a library's name, or "auto": TensorRT where it and a GPU are there, else ONNX Runtime on the CPU, or
            OpenVINO where it is installed and was measured to be faster. What "auto" takes, and why, is logged.
        threads: how many threads one call may use.
        max_batch: the most patches that one call will be given.
        server: the address of one that runs the model, where the library asks one; None for its default.

    Raises:
        RuntimeUnavailableError: the library or its device is not there, or there is no such runtime.
        BundleError: the bundle has no file for it.
    """
    names = meant_by(name)
    if len(names) == 1:
        return _open(bundle, name, threads, max_batch, server)
    model, reason = None, ""
    for each in (each for each in names if RUNTIMES[each].device != "CPU"):
        try:
            model = _open(bundle, each, threads, max_batch)
            break
        except (RuntimeUnavailableError, BundleError) as error:
            reason = reason or f"; not on a GPU: {error}"
    model = model or _open_on_cpu(
        [each for each in names if RUNTIMES[each].device == "CPU"], bundle, threads, max_batch
    )
    logger.info("runtime %s on %s, %s%s", model.name, model.device, model.precision, reason)
    return model


def _open_on_cpu(names: Sequence[str], bundle: Bundle, threads: int, max_batch: int) -> Runtime:
    there = [each for each in names if is_installed(each)]
    if len(there) == 1 or bundle.hears_sound:
        return _open(bundle, names[0], threads, max_batch)
    # Loaded as the libraries are: it knows this module.
    measuring = import_module("streamtag.runtimes.fastest_library")
    name = measuring.fastest_library(bundle, there, threads, lambda each: _open(bundle, each, threads, max_batch))
    return _open(bundle, name, threads, max_batch)


def _open(bundle: Bundle, name: str, threads: int, max_batch: int, server: str | None = None) -> Runtime:
    if bundle.hears_sound and name != FOR_SOUND:
        raise BundleError(f"bundle {bundle.path}: it takes sound as it is, which runs with runtime {FOR_SOUND} alone")
    open_model = cast("Callable[..., Runtime]", load_runtime(name).open_model)
    where = (server,) if RUNTIMES[name].device == "server" else ()
    return open_model(bundle, threads, max_batch, *where)
