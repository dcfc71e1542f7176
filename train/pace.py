"""How long a run will take, told from its first steps."""

import time

from torch import Tensor

_FIRST, _LAST = 3, 13
"""The first steps take longer: they touch memory and choose kernels."""


class Pace:
    """Measures some of the first steps."""

    def __init__(self, steps: int) -> None:
        """Begin to count; `steps` is how many there will be."""
        self._steps = steps
        self._done = 0
        self._from = 0.0

    def line(self, loss: Tensor) -> str:
        """Take a step into account; return what to say after the last one that is measured, "" after all others.

        Args:
            loss: of the step; a GPU is waited for at both ends of what is measured.
        """
        self._done += 1
        if self._done == _FIRST:
            loss.item()
            self._from = time.monotonic()
        if self._done != _LAST:
            return ""
        loss.item()
        each = (time.monotonic() - self._from) / (_LAST - _FIRST)
        left = each * (self._steps - self._done)
        whole = f"{left / 3600:.1f} h" if left >= 7200 else f"{left / 60:.0f} min" if left >= 120 else f"{left:.0f} s"
        return f"{self._steps} steps at {each * 1000:.0f} ms each: {whole} from here, without judging the checkpoints"
