"""What a recording is, and how its sound is read."""

import io
import os
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from streamtag.audio.frontend import SAMPLE_RATE
from streamtag.errors import InputError


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording with the labels that hold for all of it.

    Attributes:
        name: what to call it in messages and reports, unique within its set.
        path: the audio file, or the tar that holds it.
        member: its name within the tar; "" where `path` is the audio itself.
        labels: label names; empty where nobody said what sounds.
        source: the original recording, speaker or piece: clips of one source never stand on two sides of a split.
        dataset: the set's name.
        fold: the set's own fold, 0 where it has none.
        licence: as the set states it.
        credit: whom to name.
        repository: what the recording was published in; "" where nobody says.
        kind: "sound", "unlabelled" (for a teacher) or "room" (an impulse response).
    """

    name: str
    path: Path
    member: str
    labels: tuple[str, ...]
    source: str
    dataset: str
    fold: int = 0
    licence: str = ""
    credit: str = ""
    repository: str = ""
    kind: str = "sound"


@cache
def members(path: Path) -> dict[str, tuple[int, int]]:
    """Return where each file of a tar begins and its length, by name."""
    with tarfile.open(path) as tar:
        return {member.name: (member.offset_data, member.size) for member in tar if member.isfile()}


def _raw(clip: Clip) -> io.BytesIO:
    if not clip.member:
        return io.BytesIO(clip.path.read_bytes())
    there = members(clip.path)
    offset, size = there.get(clip.member) or there[clip.member.rpartition("/")[2]]
    with clip.path.open("rb") as file:
        file.seek(offset)
        return io.BytesIO(file.read(size))


def load(clip: Clip) -> NDArray[np.float32]:
    """Return a clip's samples, float32 [samples], mono at 16 kHz.

    Raises:
        InputError: the file is missing, is not audio, or holds no samples or ones that are not finite.
    """
    try:
        samples, rate = soundfile.read(_raw(clip), dtype="float32", always_2d=True)
    except (OSError, KeyError, tarfile.TarError, soundfile.SoundFileError) as error:
        raise InputError(f"clip {clip.name}: cannot be read: {error}") from error
    mono = samples.mean(axis=1)
    if rate != SAMPLE_RATE and len(mono):
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    if not len(mono):
        raise InputError(f"clip {clip.name}: has no samples")
    if not np.isfinite(mono).all():
        raise InputError(f"clip {clip.name}: has samples that are not finite")
    return np.ascontiguousarray(mono, np.float32)


def load_all(clips: Iterable[Clip]) -> tuple[list[Clip], list[NDArray[np.float32]], list[str]]:
    """Read every clip that can be read.

    Returns:
        The clips that were read, their samples, and one line for each that was left out: unreadable, empty or silent.
    """
    kept: list[Clip] = []
    sounds: list[NDArray[np.float32]] = []
    skipped: list[str] = []
    every = list(clips)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # libsndfile decodes without the interpreter
        for clip, found in zip(every, pool.map(_try, every), strict=True):
            if isinstance(found, InputError):
                skipped.append(str(found))
            elif not np.abs(found).max() > 0:
                skipped.append(f"clip {clip.name}: is silent")
            else:
                kept.append(clip)
                sounds.append(found)
    return kept, sounds, skipped


def _try(clip: Clip) -> NDArray[np.float32] | InputError:
    try:
        return load(clip)
    except InputError as error:
        return error
