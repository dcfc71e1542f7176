"""How a model wants its sound: samples a second, samples in a window, and from one window to the next."""

from dataclasses import dataclass
from typing import Final

from streamtag.audio.frontend import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE

__all__ = ["LOG_MEL_GEOMETRY", "Geometry"]

# What 256 of the packaged models' windows hold: longer windows come in smaller batches, and fewer of them may wait.
_MOST_SAMPLES: Final = 256 * PATCH_SAMPLES


@dataclass(frozen=True, slots=True)
class Geometry:
    """Window k of an unbroken stream covers the samples `hop * k` to `hop * k + samples - 1`, at `rate`.

    Attributes:
        rate: samples a second of what the model hears.
        samples: in a window.
        hop: samples from one window's start to the next one's; below, at or above `samples`.
    """

    rate: int = SAMPLE_RATE
    samples: int = PATCH_SAMPLES
    hop: int = PATCH_HOP

    @property
    def seconds(self) -> float:
        """From one window's start to the next one's."""
        return self.hop / self.rate

    @property
    def span(self) -> int:
        """How many samples of a stream a window accounts for: up to the next one's start, or its own end before."""
        return min(self.hop, self.samples)

    def batch(self, most: int) -> int:
        """Return how many windows go into a batch where `most` are allowed: fewer of those that are long."""
        if self.samples <= PATCH_SAMPLES:
            return most
        return max(1, min(most, _MOST_SAMPLES // self.samples))

    def __str__(self) -> str:
        return f"{self.samples} samples at {self.rate} Hz, every {self.hop}"


LOG_MEL_GEOMETRY: Final = Geometry()
"""Of models whose log-mel patches are made here: see `streamtag.audio.frontend`."""
