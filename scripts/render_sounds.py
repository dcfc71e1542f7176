"""Render the demo's recording and its reference labels: `python -m scripts.render_sounds`.

Needs espeak-ng, fluidsynth and fluid-soundfont-gm (Debian packages) and the extra `dev`. The same versions give the
same file, bit for bit.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from scripts import synthesis
from scripts.midi import Note, play
from scripts.synthesis import RATE, Sound
from streamtag.audio import PATCH_HOP, PATCH_SAMPLES
from streamtag.program import output_of

FOLDER = Path(__file__).parent.parent / "streamtag" / "bundles" / "default"
# A sound lasts a whole number of patches and begins after the samples that the patch before it reads too, so that no
# patch holds two sounds, however often the recording is repeated.
PATCH_SECONDS = PATCH_HOP / RATE
LEAD = PATCH_SAMPLES - PATCH_HOP
FADE = 480


@dataclass(frozen=True, slots=True)
class Segment:
    """`make` is told the seconds wanted: more is cut, less is followed by silence. `peak` is the level it gets."""

    label: str
    patches: int
    made_of: str
    make: Callable[[float], Sound]
    peak: float = 0.5


def speech(seconds: float) -> Sound:
    """A voice that says what will come."""
    text = "This is a voice. After it come music, birds and a siren."
    wav = output_of(["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", text])
    sound, rate = soundfile.read(io.BytesIO(wav))
    resampled: Sound = soxr.resample(sound, rate, RATE)
    return resampled


def piano(seconds: float) -> Sound:
    """Sixteen notes over four chords."""
    melody = (72, 76, 79, 84, 83, 79, 76, 74, 77, 81, 86, 84, 79, 76, 72, 74)
    chords = ((48, 55, 64), (45, 52, 60), (50, 57, 65), (43, 55, 59))
    notes = [Note(0.3 * step, 0.32, key, 95) for step, key in enumerate(melody)]
    notes += [Note(1.2 * step, 1.15, key, 70) for step, chord in enumerate(chords) for key in chord]
    return play(notes, 0, RATE).astype(float)


SOUNDFONT = "General MIDI soundfont FluidR3 (Frank Wen; MIT licence), through fluidsynth"
SYNTHESIS = "computed"
SEGMENTS = (
    Segment("Speech", 5, "espeak-ng", speech),
    Segment("Silence", 2, SYNTHESIS, lambda seconds: np.zeros(round(seconds * RATE)), 0.0),
    Segment("Music", 5, SOUNDFONT, piano),
    Segment("Bird vocalization, bird call, bird song", 5, SYNTHESIS, synthesis.birds),
    Segment("Siren", 5, SYNTHESIS, synthesis.siren),
    Segment("Rain", 5, SYNTHESIS, synthesis.rain, 0.4),
    Segment("Knock", 5, SYNTHESIS, synthesis.knocking),
)


def render(segment: Segment) -> Sound:
    """Return a segment's sound, cut to its length, at its level, with soft edges."""
    size = segment.patches * PATCH_HOP
    made = np.asarray(segment.make(size / RATE), float)[: size - LEAD]
    sound = np.pad(made, (LEAD, size - LEAD - made.size))
    position = np.arange(size)
    sound *= np.clip(np.minimum(position - LEAD, size - 1 - position) / FADE, 0, 1)
    sound *= segment.peak / max(np.abs(sound).max(), 1e-9)
    return sound


def reference() -> dict[str, object]:
    """Return what the recording holds, and where it comes from."""
    sounds, patches = [], 0
    for segment in SEGMENTS:
        onset, patches = patches, patches + segment.patches
        onset_seconds, offset_seconds = (round(edge * PATCH_SECONDS, 2) for edge in (onset, patches))
        sounds.append(
            {
                "label": segment.label,
                "onset": onset_seconds,
                "offset": offset_seconds,
                "made_of": segment.made_of,
            }
        )
    return {
        "recording": "demo.flac",
        "seconds": round(patches * PATCH_SECONDS, 2),
        "licence": "CC0-1.0",
        "credit": "Rendered by scripts/render_sounds.py of Streamtag",
        "sounds": sounds,
    }


def main() -> None:
    """Write the recording and its reference beside the packaged model."""
    sound = np.concatenate([render(segment) for segment in SEGMENTS])
    soundfile.write(FOLDER / "demo.flac", sound, RATE, subtype="PCM_16")
    (FOLDER / "demo.json").write_text(json.dumps(reference(), indent=2) + "\n")
    print(f"{FOLDER / 'demo.flac'}: {sound.size / RATE:.2f} s")


if __name__ == "__main__":
    main()
