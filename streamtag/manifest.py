"""What a bundle's manifest may say. Unknown keys are ignored; what is known has its type and its range."""

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from streamtag.bundle_files import FILE_NAME, MOST_BYTES
from streamtag.graph_contract import GraphContract

__all__ = ["FORMAT", "HIGHEST_RATE", "LOWEST_RATE", "MOST_LABELS", "MOST_SAMPLES", "check", "is_printable", "parse"]

FORMAT: Final = 1
"""The layout of the folder that this version reads."""
MOST_LABELS: Final = 100_000
LOWEST_RATE: Final = 8_000
HIGHEST_RATE: Final = 96_000
"""Samples a second of what a model may hear."""
MOST_SAMPLES: Final = 60 * HIGHEST_RATE
"""In a window, or from one to the next."""
_MOST_DEPTH: Final = 20
# Control characters, and those that turn the direction of writing or end a line: a terminal obeys them.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")

_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Shape = list[int | str | None]


class _File(Struct, kw_only=True):
    sha256: _Sha256
    bytes: Annotated[int, Meta(ge=0, le=MOST_BYTES)]
    precision: str = ""
    inputs: dict[str, _Shape] = {}
    outputs: dict[str, _Shape] = {}


class _Labels(Struct, kw_only=True):
    count: Annotated[int, Meta(ge=1, le=MOST_LABELS)]
    sha256: _Sha256


class _Window(Struct, frozen=True, kw_only=True):
    rate: Annotated[int, Meta(ge=LOWEST_RATE, le=HIGHEST_RATE)]
    samples: Annotated[int, Meta(ge=1, le=MOST_SAMPLES)]
    hop: Annotated[int, Meta(ge=1, le=MOST_SAMPLES)]


class _Network(Struct, frozen=True, kw_only=True):
    name: str = ""
    weights: int | None = None
    multiplies: int | None = None


class _Parity(Struct, frozen=True, kw_only=True):
    int8_map_points_lost: float | None = None


class _Learnt(Struct, frozen=True, kw_only=True):
    recordings: Annotated[int, Meta(ge=0)]
    sources: Annotated[int, Meta(ge=0)]


class _Data(Struct, frozen=True, kw_only=True):
    labels: dict[str, _Learnt] = {}


class _Manifest(Struct, kw_only=True):
    name: _Name
    version: _Name
    created: str = ""
    summary: str = ""
    weak_labels: list[str] = []
    frontend: dict[str, Any] = {}
    window: _Window | None = None
    graph: GraphContract | None = None
    labels: _Labels
    files: dict[Annotated[str, Meta(pattern=FILE_NAME)], _File]
    network: _Network = _Network()
    parity: _Parity = _Parity()
    metrics: dict[str, Any] = {}
    data: _Data = _Data()


def parse(content: bytes) -> dict[str, Any]:
    """Return the manifest as it stands there, once it is one of this version's.

    Raises:
        ValueError: it is none; the text says why, on one line.
    """
    try:
        manifest = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"manifest.json is not JSON: {error}") from error
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or type(found) is not int or found != FORMAT:
        shown = found if isinstance(found, int | None) else "no number"
        raise ValueError(f"its format is {shown} and this version of streamtag reads {FORMAT}")
    check(manifest)
    return manifest


def check(manifest: dict[str, Any]) -> None:
    """Let pass what is a manifest.

    Raises:
        ValueError: it is none.
    """
    if not _is_clean(manifest, _MOST_DEPTH):
        raise ValueError("its manifest has control characters in it, or is nested too deeply")
    try:
        msgspec.convert(manifest, _Manifest)
    except msgspec.ValidationError as error:
        raise ValueError(f"its manifest is not as it should be: {error}") from error
    if bool(manifest.get("frontend")) == ("window" in manifest):
        raise ValueError(
            "its manifest must say either the front end that makes patches (`frontend`), or rate, samples and hop of "
            "the sound that goes in as it is (`window`)"
        )


def is_printable(text: str) -> bool:
    """Tell whether a terminal shows a text and does nothing else."""
    return _UNPRINTABLE.search(text) is None


def _is_clean(value: object, depth: int) -> bool:
    if isinstance(value, str):
        return is_printable(value)
    if not isinstance(value, dict | list):
        return True
    within = [*value, *value.values()] if isinstance(value, dict) else value
    return depth > 0 and all(_is_clean(each, depth - 1) for each in within)
