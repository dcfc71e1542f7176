"""FSD50K (Fonseca et al., "FSD50K: An Open Dataset of Human-Labeled Sound Events", IEEE/ACM TASLP 2022)."""

import csv
import json
from pathlib import Path
from typing import Any

from streamtag.errors import ConfigError
from train.data.clips import Clip
from train.labels import names_of_mids

_PARTS = {"eval": 1, "dev": 2}
"""The parts, and the fold that each stands for: `test_fold = 1` judges on the evaluation clips."""


def read_fsd50k(root: Path) -> list[Clip]:
    """Read the set as published: `FSD50K.ground_truth/`, `FSD50K.dev_audio/`, `FSD50K.eval_audio/`, metadata.

    A clip's source is its uploader where the metadata are there, else the clip itself.

    Raises:
        ConfigError: a table is missing, or a MID is unknown.
    """
    clips = []
    for part, fold in _PARTS.items():
        table = root / "FSD50K.ground_truth" / f"{part}.csv"
        about = _about(root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json")
        try:
            with table.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    more = about.get(row["fname"], {})
                    uploader = more.get("uploader", "")
                    clips.append(
                        Clip(
                            name=f"fsd50k/{row['fname']}.wav",
                            path=root / f"FSD50K.{part}_audio" / f"{row['fname']}.wav",
                            member="",
                            labels=names_of_mids(row["mids"].split(","), table),
                            source=f"freesound user {uploader}" if uploader else f"freesound {row['fname']}",
                            dataset="fsd50k",
                            fold=fold,
                            licence=_licence(more.get("license", "")),
                            credit=f"{uploader}, freesound.org" if uploader else "FSD50K",
                        )
                    )
        except OSError as error:
            raise ConfigError(f"FSD50K: {table}: {error.strerror}: set [data] root") from error
    return clips


def _about(path: Path) -> dict[str, dict[str, Any]]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _licence(address: str) -> str:
    """Return the short name of a Creative Commons address, such as "CC BY-NC"."""
    if "publicdomain/zero" in address:
        return "CC0"
    _, _, rest = address.partition("/licenses/")
    kind = rest.split("/")[0]
    return f"CC {kind.upper()}" if kind else address
