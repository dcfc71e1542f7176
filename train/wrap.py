"""`python -m train wrap`: a published tagger with its front end put into its graph, as a bundle that takes sound."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import onnx.compose
import onnx.version_converter
import torch
from torch import Tensor, nn

from streamtag.bundle import Bundle
from streamtag.errors import ConfigError
from streamtag.foreign.description import ModelDescription
from streamtag.foreign.onnx_file import write_onnx_bundle
from streamtag.foreign.store import fitting_name
from streamtag.graph_contract import Activation
from streamtag.runtimes.onnx_session import reason_of
from streamtag.toml_tables import TableReader
from train.export.graphs import OPSET, write_graph
from train.front_ends import FRONT_ENDS, FrontEndKind
from train.published.efficientat import Mn04, read_mn04

__all__ = ["WrapOptions", "wrap"]

_HOP_SECONDS = 1.0
_INPUT = "waveform"
_AXES = {"b": "batch", "c": "1", "f": "bands", "t": "frames"}


@dataclass(frozen=True, slots=True)
class WrapOptions:
    """What may be said beside the files; None: as the front end's taggers have it.

    Attributes:
        seconds: of a window.
        hop: seconds from one window's start to the next one's.
        scores: the output's name.
        embedding: the output's name.
        activation: "none", "sigmoid" or "softmax".
        name: of the model.
    """

    seconds: float | None = None
    hop: float | None = None
    scores: str | None = None
    embedding: str | None = None
    activation: Activation | None = None
    name: str | None = None


class _FromSound(nn.Module):
    """EfficientAT's mn04 from samples to probabilities, embedding and logits."""

    def __init__(self, published: Mn04) -> None:
        super().__init__()
        self.features = FRONT_ENDS["efficientat"].make()
        self.published = published

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores [n, 527], embedding [n, 384] and logits [n, 527] of samples [n, s] at 32 kHz."""
        heard = self.published.judge(self.features(waveform))
        # ONNX Runtime's own sigmoid is a hundredth off where scores are tiny.
        return 1 / (1 + torch.exp(-heard.logits)), heard.features, heard.logits


def wrap(
    front_end: str, source: Path, labels: Path, target: Path, options: WrapOptions, note: Callable[[str], None]
) -> Bundle:
    """Write a bundle whose graph takes sound, out of a tagger that takes features.

    Args:
        front_end: one of `FRONT_ENDS`.
        source: the tagger in ONNX, or `mn04_as.safetensors`.
        labels: its labels, in the order of its scores.
        target: the bundle's folder, which must not be there or empty.
        options: what else is to be said.
        note: takes what the user should know.

    Raises:
        ConfigError: a file cannot be used, or does not fit the front end.
        BundleError: ONNX Runtime does not take the graph.
    """
    kind = FRONT_ENDS[front_end]
    samples = round((options.seconds or kind.seconds) * kind.rate)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target}: it is there already: name a folder that is not, or an empty one")
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / source.with_suffix(".onnx").name
        if source.suffix == ".safetensors":
            if front_end != "efficientat":
                raise ConfigError(f"{source}: weights are read of efficientat's mn04 alone; give a graph in ONNX")
            _write_mn04(source, graph, samples)
            options = replace(options, scores="scores", embedding="embedding", activation="none")
        else:
            _write_joined(front_end, source, graph, samples)
        said = ModelDescription(
            file=str(graph),
            labels=str(labels.absolute()),
            rate=kind.rate,
            samples=samples,
            hop=round((options.hop or min(_HOP_SECONDS, samples / kind.rate)) * kind.rate),
            input=_INPUT,
            layout="bn",
            scores=options.scores,
            embedding=options.embedding,
            activation=options.activation or kind.activation,
        )
        target.mkdir(parents=True, exist_ok=True)
        name = options.name or fitting_name(target.name) or source.stem
        write_onnx_bundle(said, TableReader(source, ""), name, target, note)
    return Bundle(target)


def _write_mn04(source: Path, graph: Path, samples: int) -> None:
    """Write the graph of mn04; it takes any number of samples."""
    module = _FromSound(read_mn04(source))
    outputs = ("scores", "embedding", "logits")
    write_graph(module, torch.zeros(2, samples), _INPUT, graph, outputs, free={_INPUT: {1: "samples"}})


def _write_joined(front_end: str, source: Path, graph: Path, samples: int) -> None:
    """Write a graph with its front end before it."""
    kind = FRONT_ENDS[front_end]
    tail = _load(source)
    weights = {each.name for each in tail.graph.initializer}
    inputs = [each for each in tail.graph.input if each.name not in weights]
    outputs = kind.make()(torch.zeros(1, samples))
    features = outputs[0] if isinstance(outputs, tuple) else outputs
    _check_input(front_end, source, inputs, list(features.shape), kind)
    lengths = [each.name for each in inputs[1:]]
    if len(lengths) != (1 if isinstance(outputs, tuple) else 0):
        taken = ", ".join(each.name for each in inputs)
        raise ConfigError(f"{source}: it takes {taken}, which front end {front_end} does not give")
    with tempfile.TemporaryDirectory() as folder:
        front = Path(folder) / "front.onnx"
        names: tuple[str, ...] = ("front_features", *(["front_lengths"] if lengths else []))
        write_graph(kind.make(), torch.zeros(2, samples), _INPUT, front, names)
        head = onnx.load(front)
    try:
        joined = _joined(head, tail, list(zip(names, [each.name for each in inputs], strict=True)))
        batch = inputs[0].type.tensor_type.shape.dim[0]
        if batch.HasField("dim_value"):
            joined.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch.dim_value
        onnx.save(joined, graph)
    except Exception as error:  # onnx's errors, and protobuf's, share no base class
        raise ConfigError(f"{source}: its graph and the front end cannot be joined: {reason_of(error)}") from error


def _load(source: Path) -> onnx.ModelProto:
    try:
        return onnx.load(source)
    except Exception as error:
        reason = reason_of(error) if str(error) else type(error).__name__
        raise ConfigError(f"{source}: not an ONNX graph that can be read: {reason}") from error


def _check_input(front_end: str, source: Path, inputs: Sequence[Any], shape: list[int], kind: FrontEndKind) -> None:
    if not inputs:
        raise ConfigError(f"{source}: its graph takes nothing")
    taken = inputs[0]
    axes = [axis.dim_value or axis.dim_param or "?" for axis in taken.type.tensor_type.shape.dim]
    fits = len(axes) == len(shape) and all(
        not isinstance(axis, int) or axis == size or index == 0
        for index, (axis, size) in enumerate(zip(axes, shape, strict=True))
    )
    if not fits:
        wanted = ", ".join(_AXES[axis] for axis in kind.axes)
        raise ConfigError(
            f"{source}: its input {taken.name} is {axes}, and front end {front_end} gives [{wanted}], "
            f"of this window {shape}: another front end, or --seconds"
        )


def _joined(head: onnx.ModelProto, tail: onnx.ModelProto, ends: list[tuple[str, str]]) -> onnx.ModelProto:
    """Return both as one graph of the newer opset."""
    opset = max(OPSET, next((each.version for each in tail.opset_import if each.domain in ("", "ai.onnx")), OPSET))
    head, tail = (_of_opset(each, opset) for each in (head, tail))
    domains = {each.domain: each for each in tail.opset_import}
    del head.opset_import[:]
    head.opset_import.extend(domains.values())
    head.ir_version = tail.ir_version = max(head.ir_version, tail.ir_version)
    head = onnx.compose.add_prefix(head, "front/", rename_inputs=False, rename_outputs=False)
    return onnx.compose.merge_models(head, tail, ends)


def _of_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    there = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    return model if there == opset else onnx.version_converter.convert_version(model, opset)
