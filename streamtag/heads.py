"""A taught label: a small head on a model's embedding, kept in a file of its own; NumPy alone scores it."""

import json
import math
import zipfile
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.atomic_file import write_whole
from streamtag.errors import InputError, StreamtagError

__all__ = [
    "MOST_NAME",
    "Examples",
    "Figures",
    "Head",
    "HeadError",
    "Heads",
    "PackedHead",
    "check_name",
    "head_file",
    "read_head",
    "read_heads",
    "remove_head",
    "write_head",
]

MOST_NAME: Final = 80
"""Most characters of a taught label's name."""
_FORMAT: Final = 1
_SUFFIX: Final = ".head.npz"
_MOST_BYTES: Final = 64 << 20
_MOST_FILE_NAME: Final = 150
_LEAST: Final = np.float32(1e-12)
_HALF: Final = np.float32(0.5)


class HeadError(StreamtagError):
    """A taught label cannot be made, kept or used: too few examples, a damaged file, another model's."""


class Examples(NamedTuple):
    """What a head was taught with, window by window.

    Attributes:
        vectors: float32 [n, d], embeddings.
        sources: of each, the recording that it is from: windows of one recording say nothing of each other.
    """

    vectors: NDArray[np.float32]
    sources: Sequence[str]

    @classmethod
    def none(cls, size: int = 0) -> "Examples":
        """Return no examples, of embeddings of a size."""
        return cls(np.empty((0, size), np.float32), [])

    def __add__(self, others: "Examples") -> "Examples":  # type: ignore[override]
        """Return both."""
        parts = [each for each in (self, others) if len(each.sources)] or [self]
        return Examples(
            np.concatenate([each.vectors for each in parts]), [name for each in parts for name in each.sources]
        )


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of how well a head hears; by windows that it was not taught with, where there are enough.

    Attributes:
        positives: windows that it was taught are the label.
        recordings: recordings that these are from.
        negatives: windows that it was taught are not.
        weak: windows of other sound that are hardly ever the label.
        average_precision: area under precision over recall, 0 to 1; None where it cannot be known.
        precision: which part of the windows that reach `on` is right.
        recall: which part of the label's windows reaches `on`.
        verdicts: what people said of its events that was taken in.
        taught: Unix seconds at which it was made.
        words: how sure it is, for people.
    """

    positives: int
    recordings: int
    negatives: int
    weak: int
    average_precision: float | None = None
    precision: float | None = None
    recall: float | None = None
    verdicts: int = 0
    taught: float = 0.0
    words: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A taught label.

    Attributes:
        name: the label.
        embedder: what names the embeddings that it scores: see `Bundle.embedder`.
        weights: float32 [d], of the embedding divided by its length.
        bias: what is added. The score is the logistic function of the sum.
        on: the score from which on an event begins.
        off: the score below which it ends.
        figures: how well it hears.
        positives: what it was taught with, to teach it again.
        negatives: likewise.
    """

    name: str
    embedder: str
    weights: NDArray[np.float32]
    bias: float
    on: float
    off: float
    figures: Figures
    positives: Examples
    negatives: Examples

    def score(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n] in [0, 1] of embeddings, float32 [n, d]."""
        scores: NDArray[np.float32] = Heads([self]).score(vectors)[:, 0]
        return scores


class PackedHead(msgspec.Struct, frozen=True):
    """What scores a taught label, as it goes to another process."""

    name: str
    weights: bytes
    bias: float
    on: float
    off: float


class Heads:
    """The taught labels of one model.

    Attributes:
        names: the labels.
        thresholds: by name, the `on` and the `off` of each.
    """

    def __init__(self, heads: Sequence[Head | PackedHead]) -> None:
        """Take one head or more, all of one embedder."""
        self.names = [head.name for head in heads]
        self.thresholds = {head.name: {"on": head.on, "off": head.off} for head in heads}
        rows = [np.frombuffer(each, np.float32) for each in (head.weights for head in heads)]
        self._half_weights = np.stack(rows, axis=1) * _HALF
        self._half_biases = np.array([head.bias for head in heads], np.float32) * _HALF

    @classmethod
    def of(cls, heads: Iterable[Head], embedder: str, taken: Collection[str]) -> "Heads | None":
        """Return those of a model; None where it has none.

        Args:
            heads: of whatever models.
            embedder: what names the model's embeddings.
            taken: names that are labels or groups already.
        """
        fitting = [head for head in heads if head.embedder == embedder and head.name not in taken]
        return cls(fitting) if fitting else None

    def pack(self) -> list[PackedHead]:
        """Return what another process makes the same of."""
        rows = zip(self.names, self._half_weights.T / _HALF, (self._half_biases / _HALF).tolist(), strict=True)
        return [
            PackedHead(name, weights.tobytes(), bias, self.thresholds[name]["on"], self.thresholds[name]["off"])
            for name, weights, bias in rows
        ]

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, names] in [0, 1] of embeddings, float32 [n, d]."""
        lengths = np.sqrt(np.einsum("nd,nd->n", embeddings, embeddings))
        scores: NDArray[np.float32] = embeddings @ self._half_weights
        scores /= np.maximum(lengths, _LEAST)[:, np.newaxis]
        scores += self._half_biases
        np.tanh(scores, scores)  # the logistic function of x is half of 1 + tanh(x / 2), and nothing overflows
        scores *= _HALF
        scores += _HALF
        return scores


def check_name(name: str) -> str:
    """Return the name of a label without space around it.

    Raises:
        InputError: it is empty, too long, or has characters that cannot be shown.
    """
    name = name.strip()
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise InputError(f"{name[:MOST_NAME]!r} cannot name a label: use 1 to {MOST_NAME} characters that can be shown")
    return name


def head_file(folder: Path, name: str) -> Path:
    """Return where a head lies."""
    plain = quote(name, safe=" ()',;!+=@")
    plain = plain.replace(".", "%2E", 1) if plain.startswith(".") else plain  # it would be hidden
    if len(plain) > _MOST_FILE_NAME:
        plain = f"{plain[:_MOST_FILE_NAME]}~{zlib.crc32(name.encode()):08x}"
    return folder / f"{plain}{_SUFFIX}"


def write_head(folder: Path, head: Head) -> Path:
    """Keep a head, whole or not at all; it takes the place of the one of the same name.

    Raises:
        OSError: the disk is full, or the folder cannot be written to; what was there stays.
    """
    about = {
        "format": _FORMAT,
        "name": head.name,
        "embedder": head.embedder,
        "bias": head.bias,
        "on": head.on,
        "off": head.off,
        "figures": msgspec.to_builtins(head.figures),
        "positives": list(head.positives.sources),
        "negatives": list(head.negatives.sources),
    }
    content = BytesIO()
    np.savez(
        content,
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        weights=head.weights,
        positives=head.positives.vectors.astype(np.float16),
        negatives=head.negatives.vectors.astype(np.float16).reshape(len(head.negatives.sources), len(head.weights)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = head_file(folder, head.name)
    write_whole(path, content.getvalue(), mode=0o644)
    return path


def remove_head(folder: Path, name: str) -> bool:
    """Remove a taught label, and tell whether there was one.

    Raises:
        OSError: the folder cannot be written to.
    """
    try:
        head_file(folder, name).unlink()
    except FileNotFoundError:
        return False
    return True


def read_heads(folder: Path) -> tuple[list[Head], list[HeadError]]:
    """Return the heads of a folder in the order of their names, and what is wrong with those that cannot be read.

    A folder that is not there holds none.
    """
    heads: list[Head] = []
    errors: list[HeadError] = []
    for path in _files(folder):
        try:
            heads.append(read_head(path))
        except HeadError as error:
            errors.append(error)
    return sorted(heads, key=lambda head: head.name), errors


def read_head(path: Path) -> Head:
    """Read a head's file.

    Raises:
        HeadError: there is none, or it is damaged or of a later form; the text is one line.
    """
    try:
        return _parse(path)
    except OSError as error:
        raise HeadError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (
        InputError,
        ValueError,
        KeyError,
        TypeError,
        zipfile.BadZipFile,
        msgspec.ValidationError,
        EOFError,
    ) as error:
        raise HeadError(f"{path}: it is no taught label, or damaged: {' '.join(str(error).split())[:200]}") from error


def _files(folder: Path) -> Iterable[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIX) and path.name[0] != ".")
    except OSError:
        return []


def _parse(path: Path) -> Head:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is too large")
    with zipfile.ZipFile(path) as whole:
        if sum(each.file_size for each in whole.infolist()) > _MOST_BYTES:
            raise ValueError("it is too large")
    with np.load(path, allow_pickle=False) as arrays:
        about: dict[str, Any] = json.loads(arrays["about"].tobytes())
        if about["format"] != _FORMAT:
            raise HeadError(
                f"{path}: another Streamtag made it (form {about['format']}, this one knows {_FORMAT}): teach it again"
            )
        weights = np.asarray(arrays["weights"], np.float32)
        examples = {key: np.asarray(arrays[key], np.float32) for key in ("positives", "negatives")}
    numbers = {key: float(about[key]) for key in ("bias", "on", "off")}
    if weights.ndim != 1 or not np.isfinite(weights).all() or not all(map(math.isfinite, numbers.values())):
        raise ValueError("its weights are no numbers")
    if not 0 <= numbers["off"] <= numbers["on"] <= 1:
        raise ValueError("its thresholds are not from 0 to 1")
    for key, vectors in examples.items():
        if vectors.shape != (len(about[key]), len(weights)):
            raise ValueError("its examples are not as many as it says")
    return Head(
        name=check_name(about["name"]),
        embedder=str(about["embedder"]),
        weights=weights,
        bias=numbers["bias"],
        on=numbers["on"],
        off=numbers["off"],
        figures=msgspec.convert(about["figures"], Figures),
        positives=Examples(examples["positives"], [str(each) for each in about["positives"]]),
        negatives=Examples(examples["negatives"], [str(each) for each in about["negatives"]]),
    )
