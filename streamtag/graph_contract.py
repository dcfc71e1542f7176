"""What somebody's graph wants of a window of samples and what it gives, as a bundle's manifest says it."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

__all__ = ["SCALE", "SCALE_FORM", "Activation", "GraphContract", "Layout", "TensorName"]

SCALE: Final = r"\A(unit|int16|peak:(0?\.[0-9]{1,6}|1(\.0{1,6})?))\Z"
SCALE_FORM: Final = '"unit" (-1 to 1), "int16" (-32768 to 32767) or "peak:0.25" (mean taken off, peak at 0.25)'

Layout = Literal["n", "bn", "bcn"]
Activation = Literal["none", "sigmoid", "softmax"]
TensorName = Annotated[str, Meta(min_length=1, max_length=200)]


class GraphContract(Struct, frozen=True, kw_only=True):
    """How a graph that takes waveforms is run.

    Attributes:
        file: of the bundle, the graph.
        input: its input's name.
        layout: of the input: "n" one window by itself, "bn" a batch of them, "bcn" the same with one channel.
        scale: of the samples, see `SCALE_FORM`.
        scores: the name of the output that has a number for each label.
        activation: what makes probabilities of these numbers; "none" where the graph does.
        embedding: the name of the output that the scores are made of; None where there is none.
    """

    file: str = "model.onnx"
    input: TensorName = "waveform"
    layout: Layout = "bn"
    scale: Annotated[str, Meta(pattern=SCALE)] = "unit"
    scores: TensorName = "scores"
    activation: Activation = "none"
    embedding: TensorName | None = "embedding"
