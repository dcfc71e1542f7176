"""An ONNX file and its `model.toml` as a bundle."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from streamtag.bundle import Bundle
from streamtag.bundle_files import MOST_BYTES
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.foreign.bundle_folder import write_bundle
from streamtag.foreign.description import ModelDescription
from streamtag.foreign.graph_check import contract_of
from streamtag.foreign.label_files import read_labels
from streamtag.foreign.trial import trial_windows
from streamtag.runtimes.onnx_session import open_session, reason_of
from streamtag.runtimes.onnx_window import OnnxWindowModel
from streamtag.toml_tables import TableReader

__all__ = ["write_onnx_bundle"]

_GRAPH: Final = "model.onnx"
_SLACK: Final = 1e-3
"""How far a probability may lie outside 0 to 1 by rounding."""


def write_onnx_bundle(
    said: ModelDescription, tables: TableReader, name: str, folder: Path, note: Callable[[str], None]
) -> None:
    """Write the bundle of an ONNX file, checked, to an empty folder.

    Args:
        said: the description.
        tables: makes errors with the description's lines.
        name: of the model.
        folder: where to write.
        note: takes what the user should know.

    Raises:
        ConfigError: the description does not fit the graph or the labels.
        BundleError: a file cannot be read, or ONNX Runtime does not take the graph.
    """
    labels = read_labels(Path(tables.absolute(said.labels)), said.skip_labels)
    source = Path(tables.absolute(said.file))
    session = _copy(source, folder / _GRAPH)
    contract = contract_of(session, said, len(labels.names), tables)
    taken = session.get_inputs()[0]
    batch = taken.shape[0] if contract.layout != "n" else 1
    if isinstance(batch, int):
        windows = "one window" if batch == 1 else f"{batch} windows"
        note(f"{source.name} takes {windows} at once: many streams cost more than they could")
    write_bundle(folder, name, labels, {_GRAPH: _entry(session, folder / _GRAPH)}, {
        "summary": f"from {source.name}",
        "window": {"rate": said.rate, "samples": said.samples, "hop": said.hop or said.samples},
        "graph": msgspec.to_builtins(contract),
    })  # fmt: skip
    _check_scores(OnnxWindowModel(Bundle(folder), contract, 0), said, tables, note)


def _copy(source: Path, target: Path) -> Any:
    """Copy a graph, with its weights in it, and return a session of it."""
    try:
        size = source.stat().st_size
        if size > MOST_BYTES:
            raise BundleError(f"{source}: it has {size / 1e9:.1f} GB, and a graph at most {MOST_BYTES / 1e9:.1f} GB")
        shutil.copyfile(source, target)
    except OSError as error:
        raise BundleError(f"{source}: cannot be read: {error.strerror}") from error
    try:
        return open_session(target.read_bytes())
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        if "external" not in str(error).lower():
            raise _refusal(source, error) from error
    _join_weights(source, target)
    try:
        return open_session(target.read_bytes())
    except Exception as error:
        raise _refusal(source, error) from error


def _join_weights(source: Path, target: Path) -> None:
    """Write a graph whose weights lie in files beside it with the weights in it."""
    try:
        import onnx
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"{source}: its weights are in another file, and what puts both into one is not installed: "
            "pip install 'streamtag[models]'"
        ) from error
    try:
        onnx.save(onnx.load(source), target)
    except Exception as error:  # its errors and protobuf's share no base class
        remedy = "its weights are in another file, which belongs beside it"
        raise BundleError(f"{source}: {remedy} ({reason_of(error)})") from error


def _refusal(source: Path, error: Exception) -> BundleError:
    reason = reason_of(error)
    lower = reason.lower()
    remedy = ""
    if "external" in lower or ("data" in lower and "no such file" in lower):
        remedy = ": its weights are in another file, which belongs beside it"
    elif "opset" in lower:
        remedy = ": export it for an older opset, such as 17"
    elif "no op registered" in lower or "not a registered function" in lower or "notimplemented" in lower:
        remedy = ": it has an operator that ONNX Runtime does not know"
    return BundleError(f"{source}: ONNX Runtime cannot load it{remedy} ({reason})")


def _entry(session: Any, path: Path) -> dict[str, Any]:
    def shapes(nodes: Any) -> dict[str, list[Any]]:
        return {node.name: [axis if isinstance(axis, int | str) else None for axis in node.shape] for node in nodes}

    precision = "int8" if b"DequantizeLinear" in path.read_bytes() else "float32"
    if any(node.type == "tensor(float16)" for node in session.get_inputs()):
        precision = "float16"
    inputs, outputs = shapes(session.get_inputs()), shapes(session.get_outputs())
    return {"precision": precision, "inputs": inputs, "outputs": outputs}


def _check_scores(
    model: OnnxWindowModel, said: ModelDescription, tables: TableReader, note: Callable[[str], None]
) -> None:
    """Let pass what gives probabilities for noise and for silence."""
    windows = trial_windows(said.samples)
    scores = model.raw(windows)
    for row, what in zip(scores, ("noise", "silence"), strict=True):
        if not np.isfinite(row).all():
            raise tables.error(("file",), f"{said.file} gives scores that are not finite for {what}")
    if scores.min() < -_SLACK or scores.max() > 1 + _SLACK:
        text = f"{said.file} gives scores from {scores.min():.3g} to {scores.max():.3g}: looks like logits: set "
        remedy = 'activation = "sigmoid", or "softmax" where exactly one label is right'
        raise tables.error(("activation",) if said.activation != "none" else ("file",), text + remedy)
    if said.activation == "sigmoid" and scores.min() >= 0.5:
        note(f'{said.file} has no score below 0.5 after the sigmoid: if it has one of its own, set activation = "none"')
    if said.embedding is not None:
        embeddings = model.embed_windows(windows).embeddings
        if len(embeddings) != len(windows) or not np.isfinite(embeddings).all():
            raise tables.error(("embedding",), f"{said.embedding} is not one row of finite numbers for each window")
