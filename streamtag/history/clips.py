"""Short recordings around onsets, cut from the patches that the model saw."""

import os
import wave
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, PATCH_SAMPLES, SAMPLE_RATE, Patch

__all__ = ["Clip", "ClipCutter", "write_clip"]

_BEFORE: Final = 0.25
"""The part of a clip that comes before the onset."""
_PATCH_SECONDS: Final = PATCH_HOP / SAMPLE_RATE


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Sound around the onset of an event.

    Attributes:
        token: The event's number in this session.
        samples: int16 [n] at 16 kHz; lost audio is silence.
    """

    token: int
    samples: NDArray[np.int16]


@dataclass(slots=True)
class _Recent:
    patches: deque[Patch]
    protected: deque[Patch]  # those of them of which no clip may have any part
    wanted: list[tuple[int, int, int]] = field(default_factory=list)  # token, first sample, end


class ClipCutter:
    """Keeps the last seconds of each stream and cuts a clip once its end has been heard."""

    def __init__(self, seconds: float) -> None:
        self._length = round(seconds * SAMPLE_RATE)
        # What is kept reaches back from the clip's end past its beginning, and past events reported one patch late.
        self._keep = int(seconds / _PATCH_SECONDS) + 4
        self._streams: dict[str, _Recent] = {}

    def patch(self, stream: str, patch: Patch, *, is_protected: bool = False) -> Iterator[Clip]:
        """Take in a stream's next patch; yield the clips that are whole with it.

        Of a patch that `is_protected` no clip has any part: a clip in whose span it lies is none at all.
        """
        recent = self._streams.get(stream)
        if recent is None:
            recent = self._streams[stream] = _Recent(deque(maxlen=self._keep), deque(maxlen=self._keep))
        recent.patches.append(patch)
        if is_protected:
            recent.protected.append(patch)
        heard = patch.start + PATCH_HOP
        if recent.wanted:
            whole = [wish for wish in recent.wanted if wish[2] <= heard]
            recent.wanted = [wish for wish in recent.wanted if wish[2] > heard]
            yield from (self._cut(recent, *wish) for wish in whole if _may_be_cut(recent, *wish))

    def want(self, stream: str, token: int, onset: float) -> None:
        """Ask for a clip around an onset, in stream seconds, of a stream that was heard."""
        recent = self._streams.get(stream)
        if recent is not None:
            first = max(0, round(onset * SAMPLE_RATE) - round(_BEFORE * self._length))
            recent.wanted.append((token, first, first + self._length))

    def leave(self, stream: str) -> Iterator[Clip]:
        """Let go of a stream that ended or was interrupted; yield its clips as far as they go."""
        recent = self._streams.pop(stream, None)
        if recent is not None and recent.patches:
            heard = recent.patches[-1].start + PATCH_HOP
            wanted = [(token, first, min(end, heard)) for token, first, end in recent.wanted]
            yield from (self._cut(recent, *wish) for wish in wanted if _may_be_cut(recent, *wish))

    def _cut(self, recent: _Recent, token: int, first: int, end: int) -> Clip:
        first = max(first, recent.patches[0].start)
        samples = np.zeros(max(0, end - first), np.int16)
        for patch in recent.patches:
            low, high = max(first, patch.start), min(end, patch.start + PATCH_HOP)
            if low < high:
                part = patch.window[low - patch.start : high - patch.start]
                samples[low - first : high - first] = np.rint(part * 32767)
        return Clip(token, samples)


def _may_be_cut(recent: _Recent, token: int, first: int, end: int) -> bool:
    return not any(patch.start < end and first < patch.start + PATCH_SAMPLES for patch in recent.protected)


def write_clip(path: Path, samples: NDArray[np.int16]) -> int:
    """Write int16 [n] at 16 kHz as a WAV file, for its owner alone, and return its size in bytes.

    Raises:
        OSError: There is such a file already, the disk is full, or the folder cannot be written to; nothing is left
            behind or written over.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as whole, wave.open(whole, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(samples.astype("<i2").tobytes())
        return path.stat().st_size
    except BaseException:
        path.unlink(missing_ok=True)
        raise
