"""From windows of samples to scores, with the log-mel computed here or on the device."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import BANDS, FRAMES, LOG_MEL_GEOMETRY, FrontEnd, Geometry
from streamtag.audio.frontend import LOG_OFFSET
from streamtag.runtimes import BatchingRuntime, Embedded, ListRuntime, Runtime, WindowRuntime

__all__ = ["Scorer"]


class Scorer:
    """Scores windows in batches, in memory of its own that is made once; for use by one thread."""

    def __init__(
        self,
        runtime: Runtime | ListRuntime,
        max_batch: int,
        geometry: Geometry = LOG_MEL_GEOMETRY,
        log_offset: float = LOG_OFFSET,
    ) -> None:
        """Make room for batches.

        Args:
            runtime: what runs the model.
            max_batch: the most windows in one.
            geometry: how the model wants its sound.
            log_offset: what the front end adds before the logarithm.
        """
        self._elsewhere = runtime if isinstance(runtime, ListRuntime) else None
        if isinstance(runtime, ListRuntime):
            return
        self._runtime = runtime
        self._front_end = FrontEnd(log_offset=log_offset)
        # Once, not for each batch: a protocol's instances are found by looking for each of its methods.
        self._on_device = runtime if isinstance(runtime, WindowRuntime) else None
        row = (FRAMES, BANDS) if self._on_device is None else (geometry.samples,)
        best = runtime.batch if isinstance(runtime, BatchingRuntime) else None
        self._most = min(max_batch, best or max_batch)
        self._batch = np.empty((self._most, *row), np.float32)

    def run(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Score at most `max_batch` windows, each float32 [samples]; return float32 [n, labels] in [0, 1]."""
        if self._elsewhere is not None:
            return self._elsewhere.run_list(windows)
        if len(windows) <= self._most:
            return self._run(windows)
        return np.concatenate([self._run(part) for part in self._parts(windows)])

    def embed(self, windows: Sequence[NDArray[np.float32]]) -> Embedded:
        """Score windows as `run` does, and return their embeddings too, in one call of the runtime."""
        if self._elsewhere is not None:
            return self._elsewhere.embed_list(windows)
        if len(windows) <= self._most:
            return self._embed(windows)
        parts = [self._embed(part) for part in self._parts(windows)]
        return Embedded(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _parts(self, windows: Sequence[NDArray[np.float32]]) -> Iterator[Sequence[NDArray[np.float32]]]:
        """Cut a batch into those of which the runtime is fastest: spectra are scored while they are in the caches."""
        return (windows[first : first + self._most] for first in range(0, len(windows), self._most))

    def _run(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        if self._on_device is not None:
            return self._on_device.run_windows(self._whole(windows))
        return self._runtime.run(self._log_mels(windows))

    def _embed(self, windows: Sequence[NDArray[np.float32]]) -> Embedded:
        if self._on_device is not None:
            return self._on_device.embed_windows(self._whole(windows))
        return self._runtime.embed(self._log_mels(windows))

    def _whole(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.stack(windows, out=self._batch[: len(windows)])

    def _log_mels(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        batch = self._batch[: len(windows)]
        for window, row in zip(windows, batch, strict=True):
            self._front_end.log_mel(window, row)
        return batch
