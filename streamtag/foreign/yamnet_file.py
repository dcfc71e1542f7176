"""The published `yamnet.tflite`: its tables read, as whole numbers with their scales.

The file is a FlatBuffer of TensorFlow Lite's schema, which `ai-edge-litert` brings; nothing in it is run.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_SAMPLES, mel_weights
from streamtag.errors import BundleError, RuntimeUnavailableError

__all__ = ["Layer", "Levels", "Yamnet", "read_yamnet_labels", "read_yamnet_tables"]

LABELS: Final = 521
_MOST_BYTES: Final = 64 << 20
_LABEL_FILE: Final = "yamnet_label_list.txt"
_MOST_LABEL_BYTES: Final = 1 << 20
_SEPARABLE: Final = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
"""Width of each depthwise-separable layer of MobileNetV1."""
_STRIDES: Final = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_RELU6: Final = 3
_NOTHING: Final = 0
_SAME: Final = 0


@dataclass(frozen=True, slots=True)
class Levels:
    """How real numbers stand for whole ones: `scale * (number - zero)`; signed numbers of 8 bits."""

    scale: float
    zero: int

    @property
    def low(self) -> float:
        """The least real number that can be said."""
        return self.scale * (-128 - self.zero)

    @property
    def high(self) -> float:
        """The greatest."""
        return self.scale * (127 - self.zero)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A convolution, or the last layer, in whole numbers.

    Attributes:
        weight: int8 [out, in, height, width], depthwise [channels, 1, height, width], dense [out, in].
        weight_scale: float32 [out].
        bias: int32 [out], of the scale `weight_scale` times that of what comes in.
        stride: 1 or 2; of both axes.
        groups: 1, or as many as channels.
        taken: the levels of what comes in.
        given: the levels of what goes out, after the rectifier.
    """

    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    stride: int
    groups: int
    taken: Levels
    given: Levels

    @property
    def bias_scale(self) -> NDArray[np.float32]:
        """float32 [out]."""
        return np.asarray(self.weight_scale * np.float32(self.taken.scale), np.float32)

    @property
    def real_weight(self) -> NDArray[np.float32]:
        """The weight in real numbers, float32."""
        shape = (-1, *[1] * (self.weight.ndim - 1))
        return np.asarray(self.weight * self.weight_scale.reshape(shape), np.float32)

    @property
    def real_bias(self) -> NDArray[np.float32]:
        """The bias in real numbers, float32 [out]."""
        return np.asarray(self.bias * self.bias_scale.astype(np.float64), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Yamnet:
    """What the file holds.

    Attributes:
        log_offset: what its front end adds before the logarithm.
        patches: the levels of log-mel.
        convolutions: in the order in which they run.
        embedding: the levels of the embedding, which is the mean of what the last convolution gives.
        last: the last layer, from the embedding to logits.
        scores: the levels of the sigmoid of these.
    """

    log_offset: float
    patches: Levels
    convolutions: list[Layer]
    embedding: Levels
    last: Layer
    scores: Levels


def read_yamnet_tables(path: Path) -> Yamnet:
    """Read the published file.

    Raises:
        BundleError: it cannot be read, or is another network.
        RuntimeUnavailableError: `ai-edge-litert` is not installed.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        if content[4:8] != b"TFL3" or len(content) > _MOST_BYTES:
            raise ValueError("it is no TensorFlow Lite file of its size")
        return _Reader(content).yamnet()
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"{path}: what reads TensorFlow Lite's tables is not installed: pip install 'streamtag[models]'"
        ) from error
    except Exception as error:  # a damaged FlatBuffer raises whatever its numbers lead to
        reason = " ".join(str(error).split()) if isinstance(error, ValueError) else type(error).__name__
        raise BundleError(f"{path}: it is not the published yamnet.tflite ({reason:.200})") from error


def read_yamnet_labels(path: Path) -> list[str]:
    """Return the label names that the published file carries behind its tables.

    Raises:
        BundleError: it carries none, or not as many as it scores.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_LABEL_FILE) as file:
            names = file.read(_MOST_LABEL_BYTES).decode().splitlines()
    except (OSError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path}: no list of labels is in it, as there is in the published yamnet.tflite") from error
    if len(names) != LABELS:
        raise BundleError(f"{path}: it has {len(names)} labels, and the published yamnet.tflite {LABELS}")
    return names


class _Reader:
    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self._graph = self._model.subgraphs[0]
        kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
        self._operators = [(kinds[self._code(each)], each) for each in self._graph.operators]

    def yamnet(self) -> Yamnet:
        """Return the network, once every layer is as YAMNet's.

        Raises:
            ValueError: it is another one.
        """
        (graph_input,) = (self._graph.tensors[index] for index in self._graph.inputs)
        if list(graph_input.shape) != [PATCH_SAMPLES]:
            raise ValueError(f"it takes {list(graph_input.shape)} and not {PATCH_SAMPLES} samples")
        mel, last = list(self._of("FULLY_CONNECTED"))
        convolutions = [self._layer(kind, each) for kind, each in self._operators if kind.endswith("CONV_2D")]
        _check_shapes(convolutions)
        (quantise,), (mean,), (logistic,) = self._of("QUANTIZE"), self._of("MEAN"), self._of("LOGISTIC")
        found = Yamnet(
            log_offset=self._front_end(mel),
            patches=self._levels(quantise.outputs[0]),
            convolutions=convolutions,
            embedding=self._levels(mean.outputs[0]),
            last=self._layer("FULLY_CONNECTED", last),
            scores=self._levels(logistic.outputs[0]),
        )
        if found.last.weight.shape != (LABELS, _SEPARABLE[-1]):
            raise ValueError(f"its last layer is {list(found.last.weight.shape)}")
        return found

    def _of(self, kind: str) -> Iterator[Any]:
        return (each for name, each in self._operators if name == kind)

    def _code(self, operator: Any) -> int:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def _front_end(self, operator: Any) -> float:
        """Return what is added before the logarithm, once the bands are ours."""
        _, weight, bias = operator.inputs
        bands, offsets = self._constant(weight, np.float32), self._constant(bias, np.float32)
        if bands.shape != mel_weights().T.shape or np.abs(bands - mel_weights().T).max() > 1e-5:
            raise ValueError("its mel bands are others")
        if not (offsets == offsets[0]).all() or not 0 < offsets[0] < 1:
            raise ValueError("it adds no constant before the logarithm")
        return round(float(offsets[0]), 9)

    def _layer(self, kind: str, operator: Any) -> Layer:
        taken, weight, bias = operator.inputs
        numbers = self._constant(weight, np.int8)
        options = operator.builtinOptions
        is_dense = kind == "FULLY_CONNECTED"
        if options.fusedActivationFunction != (_NOTHING if is_dense else _RELU6):
            raise ValueError("a layer has another rectifier")
        if not is_dense:
            if options.padding != _SAME or options.strideW != options.strideH:
                raise ValueError("a layer is padded otherwise")
            # TensorFlow's order is [out, height, width, in], and of depthwise layers [1, height, width, channels].
            numbers = numbers.transpose(3, 0, 1, 2) if kind.startswith("DEPTHWISE") else numbers.transpose(0, 3, 1, 2)
        scales, zeros = self._quantisation(weight)
        if zeros.any():
            raise ValueError("its weights are not symmetric")
        return Layer(
            weight=np.ascontiguousarray(numbers),
            weight_scale=np.broadcast_to(scales, len(numbers)).copy(),
            bias=self._constant(bias, np.int32),
            stride=1 if is_dense else int(options.strideW),
            groups=len(numbers) if kind.startswith("DEPTHWISE") else 1,
            taken=self._levels(taken),
            given=self._levels(operator.outputs[0]),
        )

    def _levels(self, index: int) -> Levels:
        scales, zeros = self._quantisation(index)
        if self._graph.tensors[index].type != self._schema.TensorType.INT8 or len(scales) != 1:
            raise ValueError("it is not the one of 8 bits")
        return Levels(float(scales[0]), int(zeros[0]))

    def _quantisation(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        found = self._graph.tensors[index].quantization
        if found is None or found.scale is None or not len(found.scale):
            raise ValueError("it is not the one of 8 bits")
        return np.asarray(found.scale, np.float32), np.asarray(found.zeroPoint, np.int64)

    def _constant(self, index: int, kind: type[np.generic]) -> NDArray[Any]:
        tensor = self._graph.tensors[index]
        names = {np.int8: "INT8", np.int32: "INT32", np.float32: "FLOAT32"}
        if tensor.type != getattr(self._schema.TensorType, names[kind]):
            raise ValueError("it is not the one of 8 bits")
        return np.frombuffer(bytes(self._model.buffers[tensor.buffer].data), kind).reshape(tensor.shape)


def _check_shapes(layers: list[Layer]) -> None:
    wanted = [((32, 1, 3, 3), 2)]
    width = 32
    for outputs, stride in zip(_SEPARABLE, _STRIDES, strict=True):
        wanted += [((width, 1, 3, 3), stride), ((outputs, width, 1, 1), 1)]
        width = outputs
    if [(layer.weight.shape, layer.stride) for layer in layers] != wanted:
        raise ValueError("its layers are not those of MobileNetV1")
