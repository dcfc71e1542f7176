import math
from dataclasses import dataclass

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE

__all__ = ["LEAD_SAMPLES", "PATCH_SECONDS", "Plan"]

PATCH_SECONDS = PATCH_HOP / SAMPLE_RATE
LEAD_SAMPLES = PATCH_SAMPLES - PATCH_HOP
"""Samples of a stream's first message: after it every patch's last sample is a block's last."""

_BEGINNING_A_PATCH = 500  # streams that begin in one patch's time
_SETTLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """When each block of each stream is captured, and which patches count.

    Streams begin spread over a patch's time, as unrelated sources are, and 500 in each 0.96 s. Times are seconds of
    `time.monotonic`, which the processes of a machine share.
    """

    streams: int
    block_samples: int
    """At 16 kHz; divides a patch's hop."""
    begin: float
    count_from: float
    """Patches whose last sample is captured from here on count."""
    end: float
    """Nothing is captured from here on."""
    few: int
    """So many streams go on to the end."""
    crowd_end: float
    """The others stop here."""

    @classmethod
    def of(
        cls,
        streams: int,
        block_samples: int,
        begin: float,
        seconds: float,
        few: int | None = None,
        few_seconds: float = 0.0,
    ) -> "Plan":
        """Plan `seconds` that count, after all streams have begun and settled.

        Args:
            streams: how many.
            block_samples: samples of a block at 16 kHz.
            begin: when the first stream begins.
            seconds: how long all streams count.
            few: how many go on after that; all, when absent.
            few_seconds: how long those go on.
        """
        count_from = begin + PATCH_SECONDS * (_ramp(streams) + 1) + _SETTLE_SECONDS
        crowd_end = count_from + seconds
        return cls(streams, block_samples, begin, count_from, crowd_end + few_seconds, few or streams, crowd_end)

    def due(self, stream: int, block: int) -> float:
        """Return when a stream's block is captured; block 0 is its short first message."""
        first = self.begin + PATCH_SECONDS * (stream / self.streams + stream % _ramp(self.streams))
        return first + block * self.block_samples / SAMPLE_RATE

    def last(self, stream: int) -> float:
        """Return the time from which on nothing of a stream is captured."""
        return self.end if self.goes_on(stream) else self.crowd_end

    def goes_on(self, stream: int) -> bool:
        """Tell whether a stream is one of the few; they are spread over a patch's time as all are."""
        return (stream + 1) * self.few // self.streams > stream * self.few // self.streams

    def captured(self, stream: int, start: int) -> float:
        """Return when the block with a patch's last sample is captured; `start` is the index of its first."""
        return self.due(stream, math.ceil((start + PATCH_HOP) / self.block_samples))

    def counts(self, stream: int, captured: float) -> bool:
        """Tell whether a patch that is captured then counts."""
        return self.count_from <= captured < self.last(stream)

    def expected(self, stream: int) -> int:
        """Return how many of a stream's patches count."""
        most = math.ceil((self.last(stream) - self.begin) / PATCH_SECONDS)
        return sum(self.counts(stream, self.captured(stream, patch * PATCH_HOP)) for patch in range(most))


def _ramp(streams: int) -> int:
    """Return over how many patches' time so many streams begin."""
    return math.ceil(streams / _BEGINNING_A_PATCH)
