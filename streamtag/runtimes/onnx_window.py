"""ONNX Runtime on graphs that take the sound as it is: other people's, and those with their front end in them."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.graph_contract import GraphContract
from streamtag.runtimes import Embedded
from streamtag.runtimes.onnx_session import open_session, reason_of
from streamtag.runtimes.window_values import activated, as_input

__all__ = ["DTYPES", "OnnxWindowModel"]

DTYPES: Final = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
}
"""What a graph's input may be made of, by ONNX Runtime's names."""


class OnnxWindowModel:
    """A bundle's graph of waveforms in a session of its own.

    Attributes:
        batch: how many windows the graph takes at once; None where that is free.
    """

    name = "onnxruntime"
    device = "CPU"

    def __init__(self, bundle: Bundle, contract: GraphContract, threads: int) -> None:
        """Load the graph that the bundle's contract names.

        Raises:
            BundleError: it is missing, damaged, not a model that ONNX Runtime takes, or not what the contract says.
        """
        self._contract = contract
        self._samples = bundle.geometry.samples
        self._labels = len(bundle.labels)
        self._file = f"bundle {bundle.path}: {self._contract.file}"
        content = bundle.read(self._contract.file)
        try:
            self._session = open_session(content, threads)
        except Exception as error:  # its exceptions share no base class of their own
            raise BundleError(f"{self._file}: ONNX Runtime cannot load it: {reason_of(error)}") from error
        inputs = {each.name: each for each in self._session.get_inputs()}
        if self._contract.input not in inputs or inputs[self._contract.input].type not in DTYPES:
            raise BundleError(f"{self._file} takes no sound as its input {self._contract.input}")
        outputs = {each.name for each in self._session.get_outputs()}
        if missing := {self._contract.scores, *filter(None, [self._contract.embedding])} - outputs:
            raise BundleError(f"{self._file} has no output {min(missing)}")
        taken = inputs[self._contract.input]
        self._dtype = DTYPES[taken.type]
        first = taken.shape[0] if taken.shape and self._contract.layout != "n" else 1
        self.batch = first if isinstance(first, int) else None
        self.precision = str(bundle.files[self._contract.file].get("precision", "float32"))

    def inputs(self, windows: NDArray[Any]) -> NDArray[Any]:
        """Return what goes into the graph for windows [n, samples]: scaled, in its layout and of its type."""
        return as_input(windows, self._contract.scale, self._contract.layout, self._dtype)

    def run_windows(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        """Score samples, float32 in [-1, 1] or int16, [n, samples]; return float32 [n, labels] in [0, 1]."""
        return np.clip(self.raw(windows), 0.0, 1.0)

    def embed_windows(self, windows: NDArray[Any]) -> Embedded:
        """Return the scores and the embeddings of such samples, in one call.

        Raises:
            BundleError: the model gives no embedding.
        """
        if self._contract.embedding is None:
            raise BundleError(f"{self._file} gives no embedding: name it in its model.toml, and add the model again")
        values, embeddings = self._outputs((self._contract.scores, self._contract.embedding), windows)
        return Embedded(np.clip(self._scores(values), 0.0, 1.0), embeddings.reshape(len(windows), -1))

    # What is scored by windows needs no patches: both names do the same.
    run = run_windows
    embed = embed_windows

    def raw(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores as they come out of the activation, which may be anything where the contract is wrong."""
        (values,) = self._outputs((self._contract.scores,), windows)
        return self._scores(values)

    def _scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return activated(values, self._contract.activation)

    def _outputs(self, names: Sequence[str], windows: NDArray[Any]) -> list[NDArray[np.float32]]:
        given = self.inputs(windows)
        size = self.batch or len(given)
        parts = [self._call(names, given[at : at + size], size) for at in range(0, len(given), size)]
        results = [np.concatenate(each) for each in zip(*parts, strict=True)]
        if results[0].shape != (len(windows), self._labels):
            shape = list(results[0].shape)
            raise BundleError(
                f"{self._file}: {names[0]} is {shape} for {len(windows)} windows of {self._samples} samples"
            )
        return results

    def _call(self, names: Sequence[str], part: NDArray[Any], size: int) -> list[NDArray[np.float32]]:
        """Run the graph on at most `size` windows, which a graph of a fixed batch gets filled up."""
        count = len(part)
        if self._contract.layout == "n":
            part = part[0]
        elif count < size:
            part = np.concatenate([part, np.zeros((size - count, *part.shape[1:]), part.dtype)])
        try:
            found = self._session.run(names, {self._contract.input: part})
        except Exception as error:
            raise BundleError(f"{self._file} cannot be computed by ONNX Runtime: {reason_of(error)}") from error
        arrays = [np.asarray(each, np.float32) for each in found]
        # One window may come back without a batch.
        arrays = [each[np.newaxis] if self._contract.layout == "n" and each.ndim == 1 else each for each in arrays]
        scores = arrays[0].reshape(-1, self._labels) if arrays[0].shape[-1:] == (self._labels,) else arrays[0]
        return [scores[:count] if len(scores) == size else scores, *(each[:count] for each in arrays[1:])]
