"""Whether a graph is what its description says; what the description leaves out is found in the graph."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from streamtag.errors import ConfigError
from streamtag.foreign.description import ModelDescription
from streamtag.foreign.trial import trial_windows
from streamtag.graph_contract import GraphContract, Layout
from streamtag.runtimes.onnx_session import reason_of
from streamtag.runtimes.onnx_window import DTYPES
from streamtag.runtimes.window_values import as_input
from streamtag.toml_tables import TableReader

__all__ = ["contract_of"]

_LAYOUTS: Final[dict[int, Layout]] = {1: "n", 2: "bn", 3: "bcn"}
_WRAP: Final = "it takes features and not samples: put their front end into the graph with `python -m train wrap`"


class _Output(NamedTuple):
    name: str
    shape: tuple[int, ...]


def contract_of(session: Any, said: ModelDescription, labels: int, tables: TableReader) -> GraphContract:
    """Return how a graph is run.

    Args:
        session: ONNX Runtime's, with the graph.
        said: what the description says of it.
        labels: how many it is to score.
        tables: makes errors with the description's lines.

    Raises:
        ConfigError: the description does not fit the graph.
    """
    taken = _input(session, said, tables)
    layout = _layout(taken, said, tables)
    batch = taken.shape[0] if layout != "n" and isinstance(taken.shape[0], int) else 1
    outputs = _outputs(session, taken, layout, batch, said, tables)
    scores = _scores(outputs, said, labels, tables)
    rows = int(np.prod(scores.shape[:-1]))
    if rows != batch:
        text = (
            f"the graph gives {rows} rows of scores for {_windows(batch)} of {said.samples} samples: one each is wanted"
        )
        raise tables.error(("samples",), text)
    if said.embedding is not None:
        found = next((each for each in outputs if each.name == said.embedding), None)
        if found is None:
            raise tables.error(("embedding",), f"the graph has no output {said.embedding}; it has {_shown(outputs)}")
        if found.name == scores.name:
            raise tables.error(("embedding",), "the embedding and the scores are the same output")
    return GraphContract(
        input=taken.name,
        layout=layout,
        scale=said.scale,
        scores=scores.name,
        activation=said.activation,
        embedding=said.embedding,
    )


def _input(session: Any, said: ModelDescription, tables: TableReader) -> Any:
    inputs = {each.name: each for each in session.get_inputs()}
    there = ", ".join(f"{name} {_axes(each.shape)}" for name, each in inputs.items())
    if said.input is not None and said.input not in inputs:
        raise tables.error(("input",), f"the graph has no input {said.input}; it has {there}")
    if len(inputs) != 1:
        raise tables.error(("input",), f"the graph takes {len(inputs)} inputs and sound is only one: {there}")
    (taken,) = inputs.values()
    if taken.type not in DTYPES:
        raise tables.error(("input",), f"the graph's input {taken.name} is {taken.type}, and no samples")
    return taken


def _layout(taken: Any, said: ModelDescription, tables: TableReader) -> Layout:
    shape = list(taken.shape)
    layout = said.layout or _LAYOUTS.get(len(shape))
    what = f"the graph's input {taken.name} has the shape {_axes(shape)}"
    if layout is None:
        raise tables.error(("layout",), f"{what}: {_WRAP}")
    if len(layout) != len(shape):
        raise tables.error(("layout",), f'{what} and layout "{layout}" says {len(layout)} axes')
    if layout == "bcn" and isinstance(shape[1], int) and shape[1] != 1:
        raise tables.error(("layout",), f"{what}: {_WRAP if shape[1] > 8 else 'it wants several channels, not one'}")
    if isinstance(shape[-1], int) and shape[-1] != said.samples:
        raise tables.error(("samples",), f"{what} and samples is {said.samples}: it takes {shape[-1]}")
    if layout != "n" and shape[0] == 0:
        raise tables.error(("layout",), f"{what}: it takes no windows")
    return layout


def _outputs(
    session: Any, taken: Any, layout: Layout, batch: int, said: ModelDescription, tables: TableReader
) -> list[_Output]:
    """Return the outputs for one batch, with the shapes that they have: those that a graph tells may be open."""
    window = as_input(trial_windows(said.samples)[:1], said.scale, layout, DTYPES[taken.type])
    given = window[0] if layout == "n" else np.repeat(window, batch, axis=0)
    names = [each.name for each in session.get_outputs()]
    try:
        found = session.run(names, {taken.name: given})
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        reason = f"the graph cannot be computed on {said.samples} samples: {reason_of(error)}"
        raise tables.error(("samples",), reason) from error
    return [_Output(name, np.shape(value)) for name, value in zip(names, found, strict=True)]


def _scores(outputs: Sequence[_Output], said: ModelDescription, labels: int, tables: TableReader) -> _Output:
    if said.scores is not None:
        found = next((each for each in outputs if each.name == said.scores), None)
        if found is None:
            raise tables.error(("scores",), f"the graph has no output {said.scores}; it has {_shown(outputs)}")
        if found.shape[-1:] != (labels,):
            raise _miscounted(found.shape[-1:], said, labels, tables)
    else:
        fitting = [each for each in outputs if each.shape[-1:] == (labels,) and each.name != said.embedding]
        if len(fitting) > 1:
            raise tables.error(("scores",), f"{_shown(fitting)} have {labels} numbers: say which are the scores")
        if not fitting:
            widths = [each.shape[-1] for each in outputs if each.shape]
            near = min(widths, key=lambda width: abs(width - labels), default=0)
            raise _miscounted((near,), said, labels, tables)
        (found,) = fitting
    return found


def _miscounted(width: tuple[int, ...], said: ModelDescription, labels: int, tables: TableReader) -> ConfigError:
    count = width[0] if width else 0
    text = f"{said.labels} has {labels} labels and the graph scores {count}"
    if labels == count + 1:
        text += f": is its first line a header? set skip_labels = {said.skip_labels + 1}"
    return tables.error(("labels",), text)


def _windows(count: int) -> str:
    return "one window" if count == 1 else f"{count} windows"


def _axes(shape: Sequence[object]) -> str:
    return "[" + ", ".join(str(axis) if axis is not None else "?" for axis in shape) + "]"


def _shown(outputs: Sequence[_Output]) -> str:
    return ", ".join(f"{each.name} {_axes(each.shape)}" for each in outputs)
