import numpy as np
from numpy.typing import NDArray

from streamtag.errors import InputError

__all__ = ["RollingMean"]


class RollingMean:
    """The mean of a stream's last patches' scores.

    Over all patches of a clip it is the clip score of Hershey et al. (2017), section 3.
    """

    def __init__(self, labels: int, size: int) -> None:
        """Keep the last `size` rows of `labels` scores.

        Raises:
            InputError: the size is not positive.
        """
        if size < 1:
            raise InputError(f"a rolling score is the mean of at least 1 patch, not {size}")
        self._rows = np.zeros((size, labels), np.float32)
        self._count = 0

    def push(self, scores: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Take in one patch's scores, float32 [labels], and write the rolling ones into `out`, float32 [labels]."""
        np.divide(out, self.add(scores, out), out)

    def add(self, scores: NDArray[np.float32], out: NDArray[np.float32]) -> int:
        """Take in one patch's scores as `push` does; write the rolling scores' sum, and return of how many it is.

        So that whoever pushes to many at once can divide all of their sums in one go.
        """
        rows = self._rows
        size = len(rows)
        rows[self._count % size] = scores
        self._count += 1
        count = self._count
        np.add.reduce(rows if count >= size else rows[:count], axis=0, out=out)
        return min(count, size)
