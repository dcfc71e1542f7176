"""A folder a label: `Dog/one.wav`, `Dog/two.flac`, `Rain/three.ogg` ..."""

from pathlib import Path

from streamtag.errors import ConfigError
from train.data.clips import Clip

_SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"}


def read_folders(root: Path, dataset: str) -> list[Clip]:
    """Read every recording below `root`; the first folder's name is its label, each file its own source.

    Raises:
        ConfigError: there is no such folder, or no recording in it.
    """
    clips = [
        Clip(
            name=f"{dataset}/{path.relative_to(root)}",
            path=path,
            member="",
            labels=(path.relative_to(root).parts[0],),
            source=f"{dataset}/{path.relative_to(root)}",
            dataset=dataset,
        )
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in _SUFFIXES and len(path.relative_to(root).parts) > 1
    ]
    if not clips:
        raise ConfigError(f"{root}: no recordings in folders named by label: set [data] root and sets")
    return clips
