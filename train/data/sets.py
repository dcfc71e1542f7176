"""The sets by name, and everything that a run's [data] table asks for."""

from dataclasses import dataclass

from streamtag.errors import ConfigError
from train.data.clips import Clip
from train.data.esc50 import read_esc50
from train.data.manifest import read_manifest
from train.data.split import Split, split
from train.labels import LabelTable
from train.settings import DataSettings


@dataclass(frozen=True, slots=True)
class Collection:
    """The recordings of a run."""

    split: Split
    rooms: tuple[Clip, ...]
    labels: LabelTable


def collect(settings: DataSettings) -> Collection:
    """Read the sets that are asked for and part them.

    A set `NAME` is ESC-50 for `esc50`, else described by `ROOT/NAME/NAME.csv`.

    Raises:
        ConfigError: a set is missing, a label is unknown, or the test fold does not exist.
    """
    clips: list[Clip] = []
    for name in settings.sets:
        folder = settings.root / name
        clips += read_esc50(folder) if name == "esc50" else read_manifest(folder / f"{name}.csv", name)
    if not clips:
        raise ConfigError(f"[data] sets = {list(settings.sets)}: no recordings")
    parts = split(
        clips,
        test_fold=settings.test_fold,
        free_only=settings.free_only,
        others_share=settings.others_share,
        calibration_share=settings.calibration_share,
        seed=settings.split_seed,
    )
    names = [label for clip in clips for label in clip.labels]
    labels = LabelTable.of([*names, *settings.extra_labels], settings.own_labels)
    return Collection(parts, tuple(clip for clip in clips if clip.kind == "room"), labels)
