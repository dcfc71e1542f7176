import numpy as np
from numpy.typing import NDArray

from streamtag.errors import InputError

__all__ = ["RollingSum"]


class RollingSum:
    """The sum of a stream's last patches' scores; by their number it is the rolling score.

    Over all patches of a clip that is the clip score of Hershey et al. (2017), section 3.
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

    def push(self, scores: NDArray[np.float32], out: NDArray[np.float32]) -> int:
        """Take in one patch's scores, float32 [labels]; write the sum of the last ones and return of how many it is.

        So whoever pushes to many streams divides all of their sums in one go.
        """
        rows = self._rows
        size = len(rows)
        rows[self._count % size] = scores
        self._count += 1
        count = self._count
        np.add.reduce(rows if count >= size else rows[:count], axis=0, out=out)
        return min(count, size)
