"""From windows of samples to scores, with the log-mel computed here or on the device."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import BANDS, FRAMES, PATCH_SAMPLES, FrontEnd
from streamtag.runtimes import Runtime, WindowRuntime

__all__ = ["Scorer"]


class Scorer:
    """Scores windows in batches, in memory of its own that is made once; for use by one thread."""

    def __init__(self, runtime: Runtime, max_batch: int) -> None:
        """Make room for batches of at most `max_batch` windows."""
        self._runtime = runtime
        self._front_end = FrontEnd()
        on_device = isinstance(runtime, WindowRuntime)
        row = (PATCH_SAMPLES,) if on_device else (FRAMES, BANDS)
        self._batch = np.empty((max_batch, *row), np.float32)

    def run(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Score at most `max_batch` windows, each float32 [15600]; return float32 [n, labels] in [0, 1]."""
        batch = self._batch[: len(windows)]
        if isinstance(self._runtime, WindowRuntime):
            np.stack(windows, out=batch)
            return self._runtime.run_windows(batch)
        for window, row in zip(windows, batch, strict=True):
            self._front_end.log_mel(window, row)
        return self._runtime.run(batch)
