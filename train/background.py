"""What a packaged model makes of sound of all kinds: what a taught label is told from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.audio import log_mel
from streamtag.bundle import Bundle
from streamtag.errors import ConfigError
from streamtag.runtimes import open_runtime
from streamtag.teaching.background import write_background
from train.data.clips import Clip, load_all
from train.data.sets import read_set

COUNT: Final = 600
"""Windows that a model brings along: more of them change no figure of the experiment."""
_FREE: Final = ("cc0", "public domain", "mit", "apache", "bsd")
"""How licences begin that ask for no more than that they are named, or not even that."""


def make_background(bundle: Bundle, root: Path, sets: Iterable[str], *, seed: int = 1) -> Path:
    """Embed the loudest window of recordings of as many sources, and put it where the package brings it along.

    Args:
        bundle: the model.
        root: the folder that holds the sets.
        sets: their names. ESC-50 is left out, for taught labels are judged on it; so is what may not be used freely.
        seed: chooses the recordings.

    Raises:
        ConfigError: a set is missing, or they hold no recording that may be used.
    """
    clips = [clip for name in sets if name != "esc50" for clip in read_set(root / name, name)]
    by_source = {clip.source: clip for clip in clips if clip.licence.lower().startswith(_FREE) and clip.kind != "room"}
    chosen = _some(list(by_source.values()), np.random.default_rng(seed))
    _, sounds, _ = load_all(chosen)
    if not sounds:
        raise ConfigError(f"{root}: none of these recordings may be used")
    runtime = open_runtime(bundle, "onnxruntime")
    rows: list[NDArray[np.float32]] = []
    for sound in sounds:
        patches = log_mel(np.clip(sound, -1, 1))
        loudest = int(patches.mean(axis=(1, 2)).argmax())
        rows.append(runtime.embed(patches[loudest : loudest + 1]).embeddings[0])
    return write_background(bundle.embedder, np.array(rows, np.float32))


def _some(clips: list[Clip], random: np.random.Generator) -> list[Clip]:
    return [clips[index] for index in random.permutation(len(clips))[:COUNT].tolist()]
