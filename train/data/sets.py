"""The sets by name, and everything that a run's [data] table asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamtag.errors import ConfigError
from train.data.audioset import read_audioset
from train.data.clips import Clip
from train.data.esc50 import read_esc50
from train.data.folders import read_folders
from train.data.fsd50k import read_fsd50k
from train.data.manifest import read_manifest
from train.data.split import Split, split
from train.data.urbansound8k import read_urbansound8k
from train.labels import LabelTable
from train.labels.corrections import corrected
from train.settings import DataSettings


@dataclass(frozen=True, slots=True)
class Collection:
    """The recordings of a run."""

    split: Split
    rooms: tuple[Clip, ...]
    labels: LabelTable


_PUBLISHED: dict[str, Callable[[Path], list[Clip]]] = {
    "audioset": read_audioset,
    "esc50": read_esc50,
    "fsd50k": read_fsd50k,
    "urbansound8k": read_urbansound8k,
}


def read_set(folder: Path, name: str) -> list[Clip]:
    """Read the recordings of one set, by what the folder is called or holds.

    Raises:
        ConfigError: there is no such set.
    """
    if name in _PUBLISHED:
        return _PUBLISHED[name](folder)
    table = folder.with_name(f"{folder.name}.csv")
    if table.is_file():  # "deep/unlabelled": another table of the same folder
        return read_manifest(table, name)
    manifest = folder / f"{folder.name}.csv"
    if folder.is_dir() and not manifest.is_file():
        return read_folders(folder, name)
    return read_manifest(manifest, name)


def collect(settings: DataSettings) -> Collection:
    """Read the sets that are asked for and part them.

    A set is a folder of that name below the root: one of the published sets, or any recordings described by
    `NAME/NAME.csv` (or `NAME.csv`), or without such a file sorted into a folder a label.

    Raises:
        ConfigError: a set is missing, a label is unknown, or the test fold does not exist.
    """
    clips = [clip for name in settings.sets for clip in read_set(settings.root / name, name)]
    if not clips:
        raise ConfigError(f"[data] sets = {list(settings.sets)}: no recordings")
    parts = split(
        clips,
        test_fold=settings.test_fold,
        licences=settings.licences,
        others_share=settings.others_share,
        calibration_share=settings.calibration_share,
        seed=settings.split_seed,
        held_repositories=settings.held,
    )
    names = [label for clip in clips for label in clip.labels]
    labels = LabelTable.of([*names, *settings.extra_labels], settings.own_labels)
    return Collection(corrected(parts), tuple(clip for clip in clips if clip.kind == "room"), labels)
