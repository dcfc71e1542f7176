"""Short recordings around onsets, cut from the patches that the model heard."""

import os
import wave
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import SAMPLE_RATE, Geometry, Patch

__all__ = ["Clip", "ClipCutter", "write_clip"]

_BEFORE: Final = 0.25
"""The part of a clip that comes before the onset."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Sound around the onset of an event.

    Attributes:
        token: The event's number in this session.
        samples: int16 [n]; audio that was lost, or that the model did not hear, is silence.
        rate: Samples a second: the model's.
    """

    token: int
    samples: NDArray[np.int16]
    rate: int = SAMPLE_RATE


class _Part(NamedTuple):
    """Sound that was heard: float32 [n] from the sample `start` on."""

    start: int
    samples: NDArray[np.float32]


@dataclass(slots=True)
class _Recent:
    geometry: Geometry
    parts: deque[_Part]
    protected: deque[Patch]  # those of which no clip may have any part
    wanted: list[tuple[int, int, int]] = field(default_factory=list)  # token, first sample, end
    heard: int = 0  # up to which sample
    next: int = -1  # the start of a patch that follows without a hole

    def add(self, patch: Patch) -> None:
        """Take in a patch; of one that has most of its sound in common with the one before only what is new."""
        samples, hop = self.geometry.samples, self.geometry.hop
        known = samples - hop
        if patch.start == self.next and 2 * known >= samples:
            self.parts.append(_Part(patch.start + known, patch.window[known:].copy()))
        else:
            self.parts.append(_Part(patch.start, patch.window))
        self.heard, self.next = patch.start + max(samples, hop), patch.start + hop


class ClipCutter:
    """Keeps the last seconds of each stream and cuts a clip once its end has been heard."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._streams: dict[str, _Recent] = {}

    def patch(self, stream: str, patch: Patch, *, is_protected: bool = False) -> Iterator[Clip]:
        """Take in a stream's next patch; yield the clips that are whole with it.

        Of a patch that `is_protected` no clip has any part: a clip in whose span it lies is none at all.
        """
        recent = self._streams.get(stream)
        if recent is None or recent.geometry != patch.geometry:
            recent = self._streams[stream] = self._begin(patch.geometry)
        recent.add(patch)
        if is_protected:
            recent.protected.append(patch)
        if recent.wanted:
            whole = [request for request in recent.wanted if request[2] <= recent.heard]
            recent.wanted = [request for request in recent.wanted if request[2] > recent.heard]
            yield from (_cut(recent, *request) for request in whole if _may_be_cut(recent, *request))

    def want(self, stream: str, token: int, onset: float) -> None:
        """Ask for a clip around an onset, in stream seconds, of a stream that was heard."""
        recent = self._streams.get(stream)
        if recent is not None:
            rate = recent.geometry.rate
            length = round(self._seconds * rate)
            first = max(0, round(onset * rate) - round(_BEFORE * length))
            recent.wanted.append((token, first, first + length))

    def leave(self, stream: str) -> Iterator[Clip]:
        """Let go of a stream that ended or was interrupted; yield its clips as far as they go."""
        recent = self._streams.pop(stream, None)
        if recent is not None and recent.parts:
            heard = recent.next  # what lies behind it may be padding
            wanted = [(token, first, min(end, heard)) for token, first, end in recent.wanted]
            yield from (_cut(recent, *request) for request in wanted if _may_be_cut(recent, *request))

    def _begin(self, geometry: Geometry) -> _Recent:
        # What is kept reaches back from the clip's end past its beginning, and past events reported one patch late.
        overlap = max(0, geometry.samples - geometry.hop)
        most = int(self._seconds / geometry.seconds) + 4 + -(-overlap // geometry.hop)
        return _Recent(geometry, deque(maxlen=most), deque(maxlen=most))


def _cut(recent: _Recent, token: int, first: int, end: int) -> Clip:
    first = max(first, recent.parts[0].start)
    samples = np.zeros(max(0, end - first), np.int16)
    for start, heard in recent.parts:
        low, high = max(first, start), min(end, start + len(heard))
        if low < high:
            samples[low - first : high - first] = np.rint(heard[low - start : high - start] * 32767)
    return Clip(token, samples, recent.geometry.rate)


def _may_be_cut(recent: _Recent, token: int, first: int, end: int) -> bool:
    return not any(patch.start < end and first < patch.start + len(patch.window) for patch in recent.protected)


def write_clip(path: Path, samples: NDArray[np.int16], rate: int = SAMPLE_RATE) -> int:
    """Write int16 [n] at `rate` as a WAV file, for its owner alone, and return its size in bytes.

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
            file.setframerate(rate)
            file.writeframes(samples.astype("<i2").tobytes())
        return path.stat().st_size
    except BaseException:
        path.unlink(missing_ok=True)
        raise
