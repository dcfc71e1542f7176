"""`model.toml`: the lines beside somebody's ONNX file that say how it is run."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from streamtag.errors import ConfigError
from streamtag.graph_contract import SCALE, SCALE_FORM
from streamtag.manifest import HIGHEST_RATE, LOWEST_RATE, MOST_SAMPLES
from streamtag.setting_types import Text, whole
from streamtag.toml_tables import TableReader

__all__ = ["ModelDescription", "description_name", "read_description"]

_MOST_BYTES: Final = 1 << 20
_MOST_SKIPPED: Final = 1000
_Name = Annotated[str, Meta(pattern=r"\A[^\x00]{1,200}\Z", description="a text of at most 200 characters")]
_LAYOUT: Final = '"n" (one window by itself), "bn" (a batch of them) or "bcn" (a batch, with one channel)'


class ModelDescription(Struct, frozen=True, kw_only=True):
    """What the file says; what it leaves out is found in the graph.

    Attributes:
        name: of the model; None: the file's own.
        file: the ONNX file.
        labels: the file of its labels.
        rate: samples a second of what it hears.
        samples: in a window.
        hop: from one window's start to the next one's; None: as many as in a window.
        input: its input's name; None: its only one.
        layout: of the input; None: by how many axes it has.
        scores: the name of the output with a number for each label; None: the one whose last axis is their count.
        activation: what makes probabilities of these numbers.
        embedding: the name of the output that they are made of.
        scale: of the samples.
        skip_labels: how many lines of the labels' file are no labels.
    """

    file: Text
    labels: Text
    rate: Annotated[int, whole(LOWEST_RATE, HIGHEST_RATE)]
    samples: Annotated[int, whole(1, MOST_SAMPLES)]
    hop: Annotated[int, whole(1, MOST_SAMPLES)] | None = None
    name: Text | None = None
    input: _Name | None = None
    layout: Annotated[Literal["n", "bn", "bcn"], Meta(description=_LAYOUT)] | None = None
    scores: _Name | None = None
    activation: Annotated[Literal["none", "sigmoid", "softmax"], Meta(description='"none", "sigmoid" or "softmax"')] = (
        "none"
    )
    embedding: _Name | None = None
    scale: Annotated[str, Meta(pattern=SCALE, description=SCALE_FORM)] = "unit"
    skip_labels: Annotated[int, whole(0, _MOST_SKIPPED)] = 0


def read_description(path: Path) -> tuple[ModelDescription, TableReader]:
    """Read a `model.toml`; return what it says, and what makes errors with the line of a key.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has a key that is unknown, missing or out of range.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ConfigError(f"{path}: it is larger than a model.toml ever is")
        text = content.decode("utf-8-sig")
        document: dict[str, Any] = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is not a text in UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: it is not TOML: {' '.join(str(error).split())}") from error
    tables = TableReader(path, text)
    return tables.read(ModelDescription, document, (), "model"), tables


def description_name(said: ModelDescription, path: Path) -> str:
    """Return what a model is called by its description: its name, or else its file's or folder's."""
    return said.name or (path.stem if path.stem != "model" else path.absolute().parent.name)
