"""Sounds computed from nothing but numbers: 16 kHz, mono, the same on every run."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

RATE = 16000
Sound = NDArray[np.float64]


def clock(seconds: float) -> Sound:
    """Return the time in seconds of each sample."""
    return np.arange(round(seconds * RATE)) / RATE


def band(sound: Sound, low_hz: float, high_hz: float) -> Sound:
    """Return what lies between two frequencies, with slopes of 12 dB an octave."""
    return sosfilt(butter(2, [low_hz, high_hz], "bandpass", fs=RATE, output="sos"), sound)


def bright_tone(hertz: Sound, partials: int) -> Sound:
    """Return a tone of the given pitch at each sample; its partials fall off by 1 / n."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return sum((np.sin(n * phase) / n for n in range(2, partials + 1)), np.sin(phase))


def room(sound: Sound, decay_seconds: float, wet: float, seed: int) -> Sound:
    """Return the sound in a room of decaying noise; `wet` is the reflections' amplitude beside the direct sound's."""
    t = clock(decay_seconds * 1.5)
    noise = np.random.default_rng(seed).standard_normal(t.size) * np.exp(-6.9 * t / decay_seconds)
    return sound + wet * fftconvolve(sound, noise / np.linalg.norm(noise))[: sound.size]


def pink_noise(seconds: float, seed: int) -> Sound:
    """Return noise with equal power in each octave."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(round(seconds * RATE)))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(spectrum.size))), round(seconds * RATE))


def siren(seconds: float) -> Sound:
    """A wailing siren, between 350 and 900 Hz and back in 6 s; it begins as it starts to rise."""
    hertz = 625 - 275 * np.cos(2 * np.pi * (clock(seconds) + 0.75) / 6)
    return room(band(bright_tone(hertz, 10), 300, 4000), 1.2, 0.3, seed=1)


def rain(seconds: float) -> Sound:
    """Rain: hiss, and some fifty single drops a second."""
    rng = np.random.default_rng(3)
    drops = np.zeros(round(seconds * RATE))
    count = drops.size // 300
    drops[rng.integers(0, drops.size, count)] = rng.exponential(1.0, count) * rng.choice([-1, 1], count)
    drops = band(drops, 3000, 7500)
    hiss = band(pink_noise(seconds, seed=4), 200, 7500)
    rain: Sound = drops / drops.std() + 2.5 * hiss / hiss.std()
    return rain


def birds(seconds: float) -> Sound:
    """A bird that sings: phrases of three to seven short glides between 1.5 and 6.5 kHz, with trills."""
    rng = np.random.default_rng(5)
    sound = np.zeros(round(seconds * RATE))
    begin = 0.05
    while begin < seconds - 1.2:
        for _ in range(rng.integers(3, 8)):
            t = clock(rng.uniform(0.05, 0.12))
            first, last = rng.uniform(3000, 5000) + np.array([0, rng.uniform(-1500, 1500)])
            hertz = np.linspace(first, last, t.size) + 200 * np.sin(2 * np.pi * 30 * t)
            glide = np.sin(2 * np.pi * np.cumsum(hertz) / RATE) * np.hanning(t.size)
            start = round(begin * RATE)
            sound[start : start + t.size] += glide
            begin += t.size / RATE + rng.uniform(0.02, 0.06)
        begin += rng.uniform(0.2, 0.4)
    air = pink_noise(seconds, seed=6)
    outdoors: Sound = room(sound, 0.4, 0.15, seed=7) + 0.05 * air / np.abs(air).max()
    return outdoors


def knocking(seconds: float) -> Sound:
    """Knuckles on a wooden door: three knocks, a rest, each second anew."""
    rng = np.random.default_rng(8)
    t = clock(0.1)
    sound = np.zeros(round(seconds * RATE))
    for quarter in range(int(4 * seconds)):
        knock = band(rng.standard_normal(t.size), 80, 900) * np.exp(-60 * t)
        if quarter % 4 < 3:
            start = round((quarter / 4 + rng.uniform(0, 0.025)) * RATE)
            sound[start : start + t.size] += knock
    return room(sound, 0.25, 0.3, seed=9)
