"""Notes to a Standard MIDI File, and that to sound with fluidsynth and a General MIDI soundfont."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from streamtag.program import output_of

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_RATE = 48000
_TICKS_A_SECOND = 960
_HEADER = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1]) + (_TICKS_A_SECOND // 2).to_bytes(2)
_TEMPO = b"\x00\xff\x51\x03" + (500_000).to_bytes(3)
_END = b"\x00\xff\x2f\x00"


@dataclass(frozen=True, slots=True)
class Note:
    """`begin` and `length` in seconds, `key` 0 to 127 (60 is middle C), `velocity` 1 to 127."""

    begin: float
    length: float
    key: int
    velocity: int = 90


def midi_file(notes: list[Note], program: int) -> bytes:
    """Return a file of one track for one General MIDI instrument, 0 to 127 (Standard MIDI Files 1.0, format 0)."""
    events = []
    for note in notes:
        events.append((round(note.begin * _TICKS_A_SECOND), bytes([0x90, note.key, note.velocity])))
        events.append((round((note.begin + note.length) * _TICKS_A_SECOND), bytes([0x80, note.key, 0])))
    track, now = _TEMPO + bytes([0, 0xC0, program]), 0
    for tick, event in sorted(events):
        track += _variable_length(tick - now) + event
        now = tick
    track += _END
    return _HEADER + b"MTrk" + len(track).to_bytes(4) + track


def play(notes: list[Note], program: int, rate: int) -> NDArray[np.float32]:
    """Return the notes as sound, mono, with their reverberation."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound_file = Path(folder, "notes.mid"), Path(folder, "sound.wav")
        score.write_bytes(midi_file(notes, program))
        options = ["-ni", "-q", "-r", str(_RATE), "-g", "0.6"]
        fluidsynth: list[str | Path] = ["fluidsynth", *options, "-F", sound_file, SOUNDFONT, score]
        output_of(fluidsynth)
        sound, _ = soundfile.read(sound_file, dtype="float32")
    resampled: NDArray[np.float32] = soxr.resample(sound.mean(axis=1), _RATE, rate)
    return resampled


def _variable_length(number: int) -> bytes:
    """Return a number in seven bits a byte, the top bit set on all but the last."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(0x80 | (number & 0x7F))
    return bytes(reversed(parts))
