"""Sounds for tests, made when they are needed: float32, mono, peak under 1."""

import io
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Sound = NDArray[np.float32]


def tone(seconds: float, hz: float = 440.0, rate: int = 16000, peak: float = 0.5) -> Sound:
    time = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def chirp(seconds: float, low_hz: float = 200.0, high_hz: float = 6000.0, rate: int = 16000) -> Sound:
    """A tone that rises evenly, so that its pitch tells the place in the sound."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (low_hz + (high_hz - low_hz) * time / (2 * seconds)) * time)).astype(np.float32)


def noise(seconds: float, rate: int = 16000, seed: int = 0) -> Sound:
    size = round(seconds * rate)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, size).astype(np.float32)


@cache
def speech(text: str = "The quick brown fox jumps over the lazy dog", rate: int = 16000) -> Sound:
    """A sentence spoken by espeak-ng."""
    wav = subprocess.run(["espeak-ng", "--stdout", text], check=True, capture_output=True).stdout
    sound, spoken_rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    resampled: Sound = soxr.resample(sound, spoken_rate, rate)
    return resampled


def write(path: Path, sound: Sound, rate: int = 16000, subtype: str | None = None) -> Path:
    """Write samples [n] or [n, channels] in the format that the file's name says."""
    soundfile.write(path, sound, rate, subtype=subtype)
    return path
