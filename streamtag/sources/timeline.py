"""Where each run of samples stands in its stream."""

__all__ = ["Timeline"]


class Timeline:
    """Counts a stream's samples, over lost audio and changes of rate, so that both keep their place in time."""

    def __init__(self) -> None:
        self._end = 0
        self._rate = 0

    @property
    def seconds(self) -> float:
        """Where the stream stands now."""
        return self._end / self._rate if self._rate else 0.0

    def advance(self, samples: int, rate: int, lost_seconds: float = 0.0) -> int:
        """Append samples and return the index of the first, counted at `rate`.

        Args:
            samples: how many come now.
            rate: their samples a second; may differ from the last call's.
            lost_seconds: audio that was lost just before them.
        """
        if rate != self._rate:
            self._end = round(self.seconds * rate)
            self._rate = rate
        start = self._end + round(lost_seconds * rate)
        self._end = start + samples
        return start
