"""UrbanSound8K (Salamon, Jacoby and Bello, "A Dataset and Taxonomy for Urban Sound Research", ACM Multimedia 2014)."""

import csv
from pathlib import Path

from streamtag.errors import ConfigError
from train.data.clips import Clip
from train.labels import category_names

LICENCE = "CC BY-NC 3.0"
CREDIT = "J. Salamon, C. Jacoby, J. P. Bello, UrbanSound8K"


def read_urbansound8k(root: Path) -> list[Clip]:
    """Read the set as published: `metadata/UrbanSound8K.csv` and `audio/fold1/` to `audio/fold10/`.

    A clip's source is its Freesound recording: slices of one are never parted.

    Raises:
        ConfigError: the table is missing, or has a class that is not one of the ten.
    """
    table = root / "metadata" / "UrbanSound8K.csv"
    names = category_names("urbansound8k")
    clips = []
    try:
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["class"] not in names:
                    raise ConfigError(f"UrbanSound8K: {table} has class {row['class']!r}, which is not one of the ten")
                clips.append(
                    Clip(
                        name=f"urbansound8k/{row['slice_file_name']}",
                        path=root / "audio" / f"fold{row['fold']}" / row["slice_file_name"],
                        member="",
                        labels=(names[row["class"]],),
                        source=f"freesound {row['fsID']}",
                        dataset="urbansound8k",
                        fold=int(row["fold"]),
                        licence=LICENCE,
                        credit=CREDIT,
                    )
                )
    except OSError as error:
        raise ConfigError(f"UrbanSound8K: {table}: {error.strerror}: set [data] root") from error
    return clips
