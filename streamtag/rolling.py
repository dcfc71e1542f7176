from collections.abc import Sequence

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
        self._new: list[int] = []  # columns without a past

    def push(self, scores: NDArray[np.float32], out: NDArray[np.float32]) -> int:
        """Take in one patch's scores, float32 [labels]; write the sum of the last ones and return of how many it is.

        So whoever pushes to many streams divides all of their sums in one go.
        """
        rows = self._rows
        size = len(rows)
        if self._new:
            rows[:, self._new] = scores[self._new]
            self._new = []
        rows[self._count % size] = scores
        self._count += 1
        count = self._count
        np.add.reduce(rows if count >= size else rows[:count], axis=0, out=out)
        return min(count, size)

    def rearrange(self, columns: Sequence[int | None]) -> None:
        """Go on with other labels.

        Args:
            columns: of each label from now on, the column that it had; None for one that is new: as if it had scored
                all the time what it scores first.
        """
        known = [(new, old) for new, old in enumerate(columns) if old is not None]
        rows = np.zeros((len(self._rows), len(columns)), np.float32)
        rows[:, [new for new, _ in known]] = self._rows[:, [old for _, old in known]]
        self._rows = rows
        self._new = [new for new, old in enumerate(columns) if old is None]
