"""What happens to a sound between its source and a microphone: speed, colour, rooms, noise. Pure functions of a rng."""

import io

import numpy as np
import scipy.fft
import soundfile
from numpy.typing import NDArray

from streamtag.audio.frontend import SAMPLE_RATE

Sound = NDArray[np.float32]


def change_speed(sound: Sound, samples: int) -> Sound:
    """Return the sound stretched to `samples` samples, pitch and all, by straight lines between samples."""
    positions = np.linspace(0.0, len(sound) - 1.0, samples)
    return np.interp(positions, np.arange(len(sound)), sound).astype(np.float32)


def colour(sound: Sound, rng: np.random.Generator) -> Sound:
    """Return the sound through a random channel: a bent frequency response and, sometimes, a narrow band.

    The response runs in straight lines (decibel over log frequency) through six points within 9 dB; one time in three
    it is cut off above 1.5 to 7 kHz, one time in three below 60 to 500 Hz, at 24 dB an octave.
    """
    spectrum = scipy.fft.rfft(sound)
    hertz = np.maximum(scipy.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), 20.0)
    octaves = np.log2(hertz)
    points = np.log2(np.geomspace(60.0, 8000.0, 6))
    gain_db = np.interp(octaves, points, rng.uniform(-9.0, 9.0, 6))
    if rng.random() < 1 / 3:
        gain_db -= 24.0 * np.maximum(0.0, octaves - np.log2(rng.uniform(1500.0, 7000.0)))
    if rng.random() < 1 / 3:
        gain_db -= 24.0 * np.maximum(0.0, np.log2(rng.uniform(60.0, 500.0)) - octaves)
    return scipy.fft.irfft(spectrum * (10.0 ** (gain_db / 20)).astype(np.float32), len(sound)).astype(np.float32)


def made_room(rng: np.random.Generator) -> Sound:
    """Return an impulse response of decaying noise behind a direct sound, 0.1 to 0.8 s to fall by 60 dB."""
    seconds = rng.uniform(0.1, 0.8)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * 10.0 ** (-3.0 * time / seconds)
    tail *= rng.uniform(0.1, 1.0) / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    return tail.astype(np.float32)


def place_in_room(sound: Sound, room: Sound) -> Sound:
    """Return the sound as heard through an impulse response, in time with the original and of the same length."""
    peak = int(np.argmax(np.abs(room)))
    size = scipy.fft.next_fast_len(len(sound) + len(room) - 1, real=True)
    heard = scipy.fft.irfft(scipy.fft.rfft(sound, size) * scipy.fft.rfft(room, size), size)
    return np.asarray(heard[peak : peak + len(sound)], np.float32)


def noise(samples: int, rng: np.random.Generator) -> Sound:
    """Return noise of rms 1 whose power falls by 0 to 7 dB an octave (white to brown)."""
    white = scipy.fft.rfft(rng.standard_normal(samples, dtype=np.float32))
    slope = rng.uniform(0.0, 1.15)
    white *= np.maximum(np.arange(len(white)), 40.0).astype(np.float32) ** -slope
    white[0] = 0
    sound = scipy.fft.irfft(white, samples)
    even: Sound = (sound / np.sqrt(np.mean(sound**2))).astype(np.float32)
    return even


def telephone(sound: Sound) -> Sound:
    """Return the sound through a telephone: 300 to 3400 Hz, eight bits by the mu-law (ITU-T G.711)."""
    spectrum = scipy.fft.rfft(sound)
    hertz = scipy.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    spectrum[(hertz < 300.0) | (hertz > 3400.0)] = 0
    narrow = scipy.fft.irfft(spectrum, len(sound))
    peak = float(np.abs(narrow).max())
    if not peak > 0:
        return sound
    bent = np.sign(narrow) * np.log1p(255.0 * np.abs(narrow) / peak) / np.log(256.0)
    steps = np.round(bent * 127.0) / 127.0
    heard: Sound = (np.sign(steps) * np.expm1(np.abs(steps) * np.log(256.0)) / 255.0 * peak).astype(np.float32)
    return heard


def code(sound: Sound, rng: np.random.Generator) -> Sound:
    """Return the sound through MP3 or Opus at a low rate, in time with the original and of the same length."""
    peak = float(np.abs(sound).max())
    if not peak > 0:
        return sound
    kind, subtype = (("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"))[int(rng.integers(2))]
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", SAMPLE_RATE, 1, subtype, format=kind, compression_level=rng.uniform(0.7, 0.99)
    ) as out:
        out.write(sound * np.float32(0.7 / peak))
    file.seek(0)
    heard = soundfile.read(file, dtype="float32")[0]
    # MP3 gives some frames of silence before and behind.
    late = max(0, len(heard) - len(sound)) if kind == "MP3" else 0
    cut = np.zeros(len(sound), np.float32)
    there = heard[min(late, 1105) :][: len(sound)]
    cut[: len(there)] = there
    return cut * np.float32(peak / 0.7)


def fade(sound: Sound, samples: int) -> Sound:
    """Return the sound with straight ramps of `samples` samples at both ends."""
    samples = min(samples, len(sound) // 2)
    if samples:
        ramp = np.arange(1, samples + 1, dtype=np.float32) / (samples + 1)
        sound = sound.copy()
        sound[:samples] *= ramp
        sound[len(sound) - samples :] *= ramp[::-1]
    return sound


def decibel(ratio: float) -> float:
    """Return an amplitude ratio in decibel, -200 for none."""
    return 20.0 * float(np.log10(max(ratio, 1e-10)))


def loudest(sound: Sound, block: int = 1600) -> float:
    """Return the rms of the loudest 100 ms: how loud a sound is while it sounds."""
    whole = sound[: len(sound) // block * block].reshape(-1, block) if len(sound) >= block else sound[None]
    rest = np.mean(sound[-block:] ** 2)  # the last 100 ms, which the blocks may cut short
    return float(np.sqrt(max(np.mean(whole**2, axis=1).max(), rest)))
