"""ESC-50 (K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015)."""

import csv
from pathlib import Path

from streamtag.errors import ConfigError
from train.data.clips import Clip
from train.labels import category_names

CREDIT = "K. J. Piczak, ESC-50"


def read_esc50(root: Path) -> list[Clip]:
    """Read ESC-50: as published (`meta/esc50.csv`, `audio/*.wav`) or as tars by fold (`esc50.csv`, `fold1.tar` ...).

    A clip's source is its Freesound recording. The published table says nothing of licences (the set as a whole is
    CC BY-NC 3.0); a column `licence` is read where there is one.

    Raises:
        ConfigError: neither table is there, or a category is not ESC-50's.
    """
    published = root / "meta" / "esc50.csv"
    table = published if published.is_file() else root / "esc50.csv"
    if not table.is_file():
        raise ConfigError(f"ESC-50: neither meta/esc50.csv nor esc50.csv in {root}: set [data] root")
    clips = []
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = category_names("esc50").get(row["category"])
            if name is None:
                raise ConfigError(f"ESC-50: {table} has category {row['category']!r}, which is not one of the 50")
            tar = root / f"fold{row['fold']}.tar"
            in_tar = tar.is_file()
            clips.append(
                Clip(
                    name=f"esc50/{row['filename']}",
                    path=tar if in_tar else root / "audio" / row["filename"],
                    member=row["filename"].replace(".wav", ".opus") if in_tar else "",
                    labels=(name,),
                    source=f"freesound {row['src_file']}",
                    dataset="esc50",
                    fold=int(row["fold"]),
                    licence=row.get("licence", "CC BY-NC 3.0"),
                    credit=CREDIT,
                )
            )
    return clips
