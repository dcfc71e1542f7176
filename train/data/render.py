"""Made windows: a few recordings mixed as a microphone may hear them, with what is known of their labels.

A window is three seconds long. The network hears one patch of it; a teacher may hear all.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamtag.audio.frontend import PATCH_SAMPLES, SAMPLE_RATE
from train.data import effects
from train.data.bank import Bank, Entry
from train.data.effects import Sound, decibel
from train.labels.table import SILENCE

CONTEXT_SAMPLES = 3 * SAMPLE_RATE
_HISS_LIKE = (
    "Static", "Hiss", "Rain", "Waterfall", "Stream", "Wind", "Steam", "Spray", "Waves, surf", "Sizzle", "Rumble",
    "Mains hum", "Whoosh, swoosh, swish", "Mechanical fan", "Traffic noise, roadway noise", "Hair dryer",
)  # fmt: skip
"""Labels that bare noise may deserve."""


class RenderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What windows are made like; every share is a probability, 0 switches its part off."""

    windows: int = 180_000
    seed: int = 1
    label_power: float = 0.7
    mix: tuple[float, ...] = (0.45, 0.37, 0.18)
    """Probabilities of one, two, three ... recordings in a window."""
    mix_db: tuple[float, float] = (-22.0, 6.0)
    """Level of each further recording against the first."""
    active: float = 0.85
    """Share of cuts around a loud part; the others fall anywhere."""
    speed: float = 0.33
    speed_range: tuple[float, float] = (0.85, 1.18)
    colour: float = 0.4
    room: float = 0.25
    made_room: float = 0.08
    noise: float = 0.35
    noise_db: tuple[float, float] = (2.0, 40.0)
    """Sound over noise."""
    telephone: float = 0.04
    """Share of windows through a telephone: 300 to 3400 Hz in eight bits."""
    codec: float = 0.05
    """Share of windows through MP3 or Opus at a low rate."""
    gain_db: tuple[float, float] = (-52.0, -1.0)
    """Peak of the finished window against full scale."""
    clip: float = 0.03
    """Share of windows driven into clipping."""
    short: float = 0.12
    """Share of windows with one short piece of sound between silence."""
    silence: float = 0.03
    bare_noise: float = 0.02
    unlabelled: float = 0.2
    plain: bool = False
    """Whether recordings as they are come with the made windows; the last layer is fitted on them."""
    audible_db: float = -15.0
    """A recording further than this below the rest of its window is unsure."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One window: samples float32 [48000]; where its patch begins, of which the labels tell.

    bool [labels] what is certainly in the patch, and what nobody can say.
    """

    samples: Sound
    at: int
    positive: NDArray[np.bool_]
    unsure: NDArray[np.bool_]


def render(bank: Bank, settings: RenderSettings, rng: np.random.Generator) -> Window:
    """Return one made window."""
    positive = np.zeros(len(bank.labels), np.bool_)
    unsure = np.zeros(len(bank.labels), np.bool_)
    kind = rng.random()
    if kind < settings.silence + settings.bare_noise:
        made_silence = kind < settings.silence
        at = int(rng.integers(CONTEXT_SAMPLES - PATCH_SAMPLES + 1))
        return Window(_empty(bank, made_silence, positive, unsure, rng), at, positive, unsure)
    entries = [bank.draw(rng) for _ in range(1 + int(rng.choice(len(settings.mix), p=settings.mix)))]
    if bank.unlabelled and rng.random() < settings.unlabelled:
        ambience = bank.unlabelled[int(rng.integers(len(bank.unlabelled)))]
        entries = [ambience] if rng.random() < 0.5 else [ambience, entries[0]]
        rng.shuffle(entries)
    made = [_part(entry, bank, settings, rng) for entry in entries]
    parts = [part for part, _ in made]
    # The patch is where the first recording sounds.
    at = int(np.clip(made[0][1] - rng.integers(PATCH_SAMPLES), 0, CONTEXT_SAMPLES - PATCH_SAMPLES))
    levels = [effects.loudest(part[at : at + PATCH_SAMPLES]) for part in parts]
    mixed = np.zeros(CONTEXT_SAMPLES, np.float32)
    gains = [0.0] + [rng.uniform(*settings.mix_db) for _ in parts[1:]]
    for part, level, gain_db in zip(parts, levels, gains, strict=True):
        loudness = level or effects.loudest(part)
        if loudness > 0:
            mixed += part * np.float32(10 ** (gain_db / 20) / loudness)
    for index, entry in enumerate(entries):
        rest = [10 ** (gain / 10) for other, gain in enumerate(gains) if other != index and levels[other] > 0]
        over_rest = gains[index] - (10 * np.log10(sum(rest)) if rest else -200.0)
        heard = levels[index] > entry.level * 10 ** (-25 / 20) and over_rest > settings.audible_db
        unsure[entry.unsure] = True
        if heard:
            positive[entry.positive] = True
        elif levels[index] > 0:
            unsure[entry.positive] = True
    if rng.random() < settings.noise:
        noise_db = -rng.uniform(*settings.noise_db)
        mixed += effects.noise(CONTEXT_SAMPLES, rng) * np.float32(10 ** (noise_db / 20))
    samples = _finish(mixed, settings, rng)
    if not samples[at : at + PATCH_SAMPLES].any() and SILENCE in bank.labels.names:
        positive[bank.labels.index(SILENCE)] = True
    unsure &= ~positive
    return Window(samples, at, positive, unsure)


def plain(entry: Entry, labels: int, at: int, silence: int | None = None) -> Window:
    """Return a window of a recording as it is, its patch beginning at sample `at`, in the middle of the window.

    A patch that is much quieter than the recording's loudest says neither yes nor no to its labels. One of zeros is
    silence, where the labels have that.
    """
    positive, unsure = np.zeros(labels, np.bool_), np.zeros(labels, np.bool_)
    start = at - (CONTEXT_SAMPLES - PATCH_SAMPLES) // 2
    samples = span(entry.sound, start, CONTEXT_SAMPLES)
    heard = effects.loudest(samples[at - start :][:PATCH_SAMPLES]) > entry.level * 10 ** (-25 / 20)
    (positive if heard else unsure)[entry.positive] = True
    if silence is not None and not samples[at - start :][:PATCH_SAMPLES].any():
        positive[silence] = True
    unsure[entry.unsure] = True
    unsure &= ~positive
    return Window(samples, at - start, positive, unsure)


def _empty(
    bank: Bank, made_silence: bool, positive: NDArray[np.bool_], unsure: NDArray[np.bool_], rng: np.random.Generator
) -> Sound:
    """Return silence (digital, or noise under -58 dBFS), or bare noise that deserves no label for certain."""
    names = {name: index for index, name in enumerate(bank.labels.names)}
    if made_silence:
        if SILENCE in names:
            positive[names[SILENCE]] = True
        level_dbfs = -200.0 if rng.random() < 0.2 else rng.uniform(-95.0, -58.0)
    else:
        level_dbfs = rng.uniform(-58.0, -10.0)
        if SILENCE in names:
            unsure[names[SILENCE]] = level_dbfs < -48.0
        unsure[[names[name] for name in _HISS_LIKE if name in names]] = True
    noise = effects.noise(CONTEXT_SAMPLES, rng) * np.float32(10 ** (level_dbfs / 20))
    clipped: Sound = np.clip(noise, -1.0, 1.0)  # as a converter does
    return clipped


def _part(entry: Entry, bank: Bank, settings: RenderSettings, rng: np.random.Generator) -> tuple[Sound, int]:
    """Return one recording's share of a window: cut, stretched, coloured, in a room; and a place where it sounds."""
    factor = rng.uniform(*settings.speed_range) if rng.random() < settings.speed else 1.0
    part, position = _cut(entry, round(CONTEXT_SAMPLES * factor), settings, rng)
    if factor != 1.0:
        part, position = effects.change_speed(part, CONTEXT_SAMPLES), round(position / factor)
    if rng.random() < settings.colour:
        part = effects.colour(part, rng)
    if bank.rooms and rng.random() < settings.room:
        part = effects.place_in_room(part, bank.rooms[int(rng.integers(len(bank.rooms)))])
    elif rng.random() < settings.made_room:
        part = effects.place_in_room(part, effects.made_room(rng))
    return part, position


def _cut(entry: Entry, samples: int, settings: RenderSettings, rng: np.random.Generator) -> tuple[Sound, int]:
    """Return `samples` samples of a recording, with silence where it does not reach, and a place where it sounds."""
    sound = entry.sound
    around = bool(len(entry.active)) and rng.random() < settings.active
    anchor = int(entry.active[int(rng.integers(len(entry.active)))]) if around else int(rng.integers(len(sound)))
    if rng.random() < settings.short:
        half = int(rng.integers(800, 4000))
        sound = effects.fade(sound[max(0, anchor - half) : anchor + half], 80)
        anchor = min(anchor, half)
    start = anchor - int(rng.integers(samples))
    if len(sound) > samples and rng.random() < 0.8:
        start = min(max(start, 0), len(sound) - samples)
    cut = span(sound, start, samples)
    if around and not cut.any():  # the edge fell between the anchor and a sound shorter than the frame it stands in
        start = anchor - samples // 2
        cut = span(sound, start, samples)
    return cut, anchor - start


def span(sound: Sound, start: int, samples: int) -> Sound:
    """Return `samples` samples from `start` on, with faded edges and silence before and behind the recording."""
    cut = np.zeros(samples, np.float32)
    first, last = max(start, 0), min(start + samples, len(sound))
    if last > first:
        cut[first - start : last - start] = effects.fade(sound[first:last], 40)
    return cut


def _finish(mixed: Sound, settings: RenderSettings, rng: np.random.Generator) -> Sound:
    """Return the window at a random level, now and then through a telephone or a codec, now and then clipped."""
    kind = rng.random()
    if kind < settings.telephone:
        mixed = effects.telephone(mixed)
    elif kind < settings.telephone + settings.codec:
        mixed = effects.code(mixed, rng)
    peak = float(np.abs(mixed).max())
    if not peak > 0:
        return mixed
    mixed = mixed * np.float32(10 ** (rng.uniform(*settings.gain_db) / 20) / peak)
    if rng.random() < settings.clip:
        ceiling = float(np.abs(mixed).max()) * 10 ** (-rng.uniform(3.0, 15.0) / 20)
        mixed = np.clip(mixed, -ceiling, ceiling)
    return mixed


__all__ = ["CONTEXT_SAMPLES", "RenderSettings", "Window", "decibel", "plain", "render", "span"]
