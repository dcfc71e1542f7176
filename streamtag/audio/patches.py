import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.audio.block import Block, Samples
from streamtag.audio.geometry import LOG_MEL_GEOMETRY, Geometry
from streamtag.audio.levels import levels_dbfs
from streamtag.audio.resample import Resampler, check_samples, to_mono_unchecked

__all__ = ["Patch", "Patcher"]


class Patch(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The samples of one patch, and where it stands in its stream."""

    start: int
    """Index of the first sample at the model's rate, the stream's first sample being 0."""
    window: NDArray[np.float32]
    """float32 [samples], mono at the model's rate: all that it hears at once."""
    time: float
    """Unix seconds at which its last sample was captured."""
    rms_dbfs: float
    peak_dbfs: float
    geometry: Geometry = LOG_MEL_GEOMETRY
    """The model's."""

    @property
    def start_seconds(self) -> float:
        """Stream seconds at which it begins."""
        return self.start / self.geometry.rate

    @property
    def end_seconds(self) -> float:
        """Stream seconds up to which it is told of: where the next one begins."""
        return (self.start + self.geometry.hop) / self.geometry.rate


class Patcher:
    """Cuts one stream's blocks into patches, as a model wants them.

    Audio without a hole is a segment. Each segment is cut as a recording is: patches from its first sample on, and a
    tail of at least half a patch padded with zeros; where patches overlap, only a tail that none of them holds already.
    A hole or a source that starts counting anew ends a segment, so a patch never spans one; a change of rate without a
    hole does not.

    A patch accounts for the sound up to the start of the next, or where patches have gaps between them for its own;
    what lies in such a gap is neither heard nor lost.

    A padded tail covers some of the hole behind it, which is counted twice by that. A later hole counts for so much
    less, and no tail is padded that would take what is not settled yet beyond a patch: it is counted as lost. So
    patches and what is lost add up to the stream's time, to a patch, however many holes there are.

    Attributes:
        geometry: how the model wants its sound.
        tap: called with all sound at the model's rate: index of the first sample, samples [n], time of the last; None
            at first.
        patches: how many were cut so far.
        lost_samples: how many samples at the model's rate are in no patch so far, though the stream went on or may:
            those that were missing between blocks (less what tails before were padded with), and those before a hole or
            a break that were not scored.
        bad_samples: how many samples were not finite, and taken as 0, so far.
    """

    def __init__(self, geometry: Geometry = LOG_MEL_GEOMETRY) -> None:
        self.geometry = geometry
        self._wanted = geometry.rate, geometry.samples, geometry.hop
        self.tap: Callable[[int, NDArray[np.float32], float], None] | None = None
        self.patches = 0
        self.lost_samples = 0
        self.bad_samples = 0
        self._resampler: Resampler | None = None  # only within a segment
        self._rate = 0
        self._origin = 0  # what a block's start must be lowered by, at the source's rate
        self._expected = 0  # the next block's start, at the source's rate, once lowered
        self._segment_start = 0  # at the model's rate
        self._segment_patches = 0
        self._window = np.empty(0, np.float32)
        self._filled = 0  # below 0 in a gap before the next window
        self._time = 0.0
        self._owed = 0  # samples that were padded before a hole, and are still to be settled with a later one
        self._padded = 0  # and those of the last tail

    def feed(self, block: Block) -> list[Patch]:
        """Return the patches that `block` completes, oldest first.

        Raises:
            InputError: the block's type, shape or rate cannot be used; the stream may go on with another block.
        """
        samples = block.samples
        check_samples(samples)
        count = len(samples)
        if not count:
            return []
        # Integers at the model's rate are converted where they are cut, without a copy between.
        mono = self._prepare(samples) if samples.dtype.kind == "f" or block.rate != self.geometry.rate else None
        done: list[Patch] = []
        resampler = self._resampler
        if resampler is None or not self._follows(block):
            resampler = Resampler(block.rate, self.geometry.rate)
            origin, expected, start = self._place(block)
            self._count_missing(round((start - expected) * self.geometry.rate / block.rate))
            done = self._end_segment()
            self._begin(origin, start, block.rate, resampler)
        elif block.rate != self._rate:
            resampler = self._change_rate(block, resampler, done)
        self._expected += count
        self._time = block.time
        self._cut(samples if mono is None else resampler.feed(mono), done)
        return done

    @property
    def missing_seconds(self) -> float:
        """How much sound at least is missing before the next patch is complete."""
        return (self.geometry.samples - max(0, self._filled)) / self.geometry.rate

    def interrupt(self) -> list[Patch]:
        """Return what the loss of the source completes, so that it need not wait for the next block."""
        return self._end_segment()

    def finish(self) -> list[Patch]:
        """Return what the end of the stream completes: the last patch of a tail, or a short recording's only one."""
        return self._end_segment(last=True)

    def _prepare(self, samples: Samples) -> NDArray[np.float32]:
        mono = to_mono_unchecked(samples, np.empty(len(samples), np.float32))
        if samples.dtype.kind == "f":
            self._mend(mono)
        return mono

    def _mend(self, mono: NDArray[np.float32]) -> None:
        # The sum is not finite if one of the samples is not, and costs a third of looking at each.
        with np.errstate(invalid="ignore", over="ignore"):
            total = mono.sum()
        if not math.isfinite(total):
            bad = ~np.isfinite(mono)
            self.bad_samples += int(np.count_nonzero(bad))
            mono[bad] = 0.0
        mono.clip(-1.0, 1.0, out=mono)

    def _follows(self, block: Block) -> bool:
        """Whether nothing is missing before a block, whatever its rate; its place may be rounded."""
        if block.rate == self._rate:
            return block.start - self._origin == self._expected
        return abs(block.start - (self._origin + self._expected) * block.rate / self._rate) <= 1

    def _change_rate(self, block: Block, before: Resampler, done: list[Patch]) -> Resampler:
        """Go on at another rate, without a hole."""
        resampler = Resampler(block.rate, self.geometry.rate)
        self._cut(before.finish(), done)
        self._expected = round(self._expected * block.rate / self._rate)
        self._origin = block.start - self._expected
        self._rate = block.rate
        self._resampler = resampler
        return resampler

    def _place(self, block: Block) -> tuple[int, int, int]:
        """Where a block stands that does not follow: the new origin; then, lowered by it, what was expected, and it."""
        if not self._rate:
            return block.start, 0, 0
        expected = round(self._expected * block.rate / self._rate)
        origin = round(self._origin * block.rate / self._rate)
        if block.start - origin < expected:  # the source counts anew: nothing is known to be missing
            origin = block.start - expected
        return origin, expected, block.start - origin

    def _count_missing(self, samples: int) -> None:
        settled = min(samples, self._owed)
        self._owed -= settled
        self.lost_samples += samples - settled

    def _begin(self, origin: int, start: int, rate: int, resampler: Resampler) -> None:
        self._origin = origin
        self._segment_start = round(start * self.geometry.rate / rate)
        self._segment_patches = 0
        self._owed, self._padded = self._owed + self._padded, 0
        self._expected = start
        self._rate = rate
        self._resampler = resampler
        self._window = np.empty(self.geometry.samples, np.float32)

    def _cut(self, samples: Samples, done: list[Patch]) -> None:
        """Add to `done` the patches that these samples complete."""
        rate, size, hop = self._wanted
        left = len(samples)
        end = self._segment_start + self._segment_patches * hop + self._filled + left
        # The resampler holds the newest sound back: what came out was captured before the end of the last block.
        time = self._time - max(0.0, self._expected / self._rate - end / rate)
        while left:
            filled = self._filled
            if filled < 0:
                take = min(-filled, left)
                part = np.empty(take, np.float32) if self.tap is not None else None
            else:
                take = min(size - filled, left)
                part = self._window[filled : filled + take]
            if part is not None:
                to_mono_unchecked(samples[:take], part)
            samples = samples[take:]
            left -= take
            self._filled = filled + take
            part_time = time - left / rate
            if self.tap is not None and part is not None:
                self.tap(end - left - take, part, part_time)
            if self._filled == size:
                done.append(self._complete(part_time))

    def _complete(self, time: float) -> Patch:
        _, size, hop = self._wanted
        window, overlap = self._window, size - hop
        self._window = np.empty(size, np.float32)
        if overlap > 0:
            self._window[:overlap] = window[hop:]
        self._filled = overlap
        start = self._segment_start + self._segment_patches * hop
        self.patches += 1
        self._segment_patches += 1
        return Patch(start, window, time, *levels_dbfs(window[:hop]), self.geometry)

    def _end_segment(self, *, last: bool = False) -> list[Patch]:
        if self._resampler is None:
            return []
        done: list[Patch] = []
        self._cut(self._resampler.finish(), done)
        span, filled = self.geometry.span, self._filled
        is_short_recording = last and not self.patches and filled > 0
        is_heard_already = self._segment_patches > 0 and filled <= self.geometry.samples - self.geometry.hop
        padding = max(0, span - filled)
        may_be_padded = not is_heard_already and (last or self._owed + padding <= span)
        if (2 * filled >= span and may_be_padded) or is_short_recording:
            self._padded = padding
            self.lost_samples += 0 if last else max(0, filled - span)
            self._window[filled:] = 0.0
            done.append(self._complete(self._time))
        elif not last:
            self.lost_samples += max(0, filled)
        # Whoever is silent for hours costs nothing but what is counted.
        self._resampler = None
        self._window = np.empty(0, np.float32)
        self._filled = 0
        return done
