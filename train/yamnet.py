"""A published YAMNet through LiteRT: the embedding that a teacher reads, and the scores to compare with."""

import os
import warnings
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from streamtag.errors import ConfigError

_EMBEDDING = (1, 1, 1, 1024)


class YamNet:
    """One interpreter on one thread; 15 600 samples in, 1 024-number embedding and 521 scores out."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigError(f"teacher {path}: no such file: name the published yamnet.tflite")
        with warnings.catch_warnings():
            # The embedding is no output of the published graph: keeping every tensor is the way to it.
            warnings.simplefilter("ignore")
            try:
                self._interpreter = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise ConfigError(f"teacher {path}: it is not the published yamnet.tflite ({reason})") from None
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._scores = self._interpreter.get_output_details()[0]["index"]
        details = [item for item in self._interpreter.get_tensor_details() if tuple(item["shape"]) == _EMBEDDING]
        if not details:
            raise ConfigError(
                f"teacher {path}: has no tensor of shape {_EMBEDDING}: it is not the YAMNet expected here"
            )
        self._embedding = details[-1]["index"]
        self._scale, self._zero = details[-1]["quantization"]

    def run(self, windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return embeddings float32 [n, 1024] and scores float32 [n, 521] of windows float32 [n, 15600]."""
        embeddings = np.empty((len(windows), 1024), np.float32)
        scores = np.empty((len(windows), 521), np.float32)
        for row, window in enumerate(windows):
            self._interpreter.set_tensor(self._input, np.ascontiguousarray(window))
            self._interpreter.invoke()
            embeddings[row] = self._interpreter.get_tensor(self._embedding).ravel()
            scores[row] = self._interpreter.get_tensor(self._scores)[0]
        if self._scale:
            embeddings = (embeddings - self._zero) * np.float32(self._scale)
        return embeddings, scores


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
