"""What is shown of a stream's sound while it is cut, to those who ask for it: levels, spectrum, the sound itself."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import SAMPLE_RATE, Resampler
from streamtag.engine.level_meter import LevelMeter
from streamtag.engine.live_sound import LiveSound
from streamtag.engine.stream import EngineStream
from streamtag.wire import Publisher

__all__ = ["Converted", "is_shown", "tap_of"]

Tap = Callable[[int, NDArray[np.float32], float], None]
"""Called with the index of the first sample, the samples, and when the last one was captured: see `Patcher.tap`."""


def is_shown(publisher: Publisher, stream: str) -> bool:
    """Tell whether anybody asks for what is made of a stream's sound while it comes."""
    return any(publisher.is_watched(stream, kind) for kind in ("levels", "audio"))


def tap_of(stream: EngineStream, publisher: Publisher, may_be_heard: Callable[[], bool]) -> Tap:
    """Return what is to be shown all sound of a stream.

    Args:
        stream: the stream.
        publisher: where messages go, and who knows whether anybody asks for them.
        may_be_heard: whether the sound itself may be given away.
    """
    queue, rate = stream.queue, stream.stage.model.geometry.rate

    def is_watched(name: str) -> bool:
        return not queue.is_paused and publisher.is_watched(name)

    def is_listened_to(name: str) -> bool:
        may_be = may_be_heard() and not stream.is_private and not queue.is_paused
        return may_be and publisher.is_watched(name, "audio")

    meter = LevelMeter(stream.id, publisher.publish, is_watched)
    sound = LiveSound(stream.id, publisher.publish, is_listened_to, rate)
    show_levels: Tap = meter.add_samples
    if rate != SAMPLE_RATE:
        show_levels = Converted(show_levels, lambda: is_watched(stream.id), rate).add_samples

    def add_samples(start: int, samples: NDArray[np.float32], captured: float) -> None:
        show_levels(start, samples, captured)
        sound.add_samples(start, samples, captured)

    return add_samples


class Converted:
    """Brings the sound of a model of another rate to 16 kHz, for what is made of that, while anybody wants it."""

    def __init__(self, show: Tap, is_wanted: Callable[[], bool], rate: int) -> None:
        """Prepare for a stream of `rate` Hz; `show` is called with what comes out."""
        self._show = show
        self._is_wanted = is_wanted
        self._rate = rate
        self._resampler: Resampler | None = None
        self._next = 0  # of what comes in
        self._end = 0  # of what came out

    def add_samples(self, start: int, samples: NDArray[np.float32], captured: float) -> None:
        """Take in float32 [n]; see `Tap`."""
        if not self._is_wanted():
            self._resampler = None
            return
        if self._resampler is None or start != self._next:
            self._resampler = Resampler(self._rate)
            self._end = round(start * SAMPLE_RATE / self._rate)
        self._next = start + len(samples)
        ready = self._resampler.feed(samples)
        if not len(ready):
            return
        first, self._end = self._end, self._end + len(ready)
        # The resampler holds the newest sound back.
        late = self._next / self._rate - self._end / SAMPLE_RATE
        self._show(first, ready, captured - max(0.0, late))
