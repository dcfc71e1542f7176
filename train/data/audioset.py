"""AudioSet (Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events", ICASSP 2017)."""

import csv
from pathlib import Path

from streamtag.errors import ConfigError
from train.data.clips import Clip
from train.labels import names_of_mids

_TABLES = {"eval_segments.csv": 1, "balanced_train_segments.csv": 2, "unbalanced_train_segments.csv": 3}
"""The published tables, and the fold that each stands for: `test_fold = 1` judges on the evaluation segments."""


def read_audioset(root: Path) -> list[Clip]:
    """Read the segments whose sound is there: the published tables, and `audio/VIDEO_START.*` or `audio/VIDEO.*`.

    AudioSet publishes no sound; START is the segment's start in whole seconds. Segments without a file are passed
    over. A clip's source is its video.

    Raises:
        ConfigError: none of the tables is there, a MID is unknown, or no segment has a file.
    """
    there = {path.stem.removeprefix("Y"): path for path in sorted((root / "audio").glob("*")) if path.is_file()}
    clips = []
    tables = [root / name for name in _TABLES if (root / name).is_file()]
    if not tables:
        raise ConfigError(f"AudioSet: none of {', '.join(_TABLES)} in {root}: set [data] root")
    for table in tables:
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.reader((line for line in file if not line.startswith("#")), skipinitialspace=True):
                video, start, _, mids = row
                path = there.get(f"{video}_{int(float(start))}") or there.get(video)
                if path:
                    clips.append(
                        Clip(
                            name=f"audioset/{path.name}",
                            path=path,
                            member="",
                            labels=names_of_mids(mids.split(","), table),
                            source=f"video {video}",
                            dataset="audioset",
                            fold=_TABLES[table.name],
                            licence="the video's own",
                            credit="AudioSet",
                        )
                    )
    if not clips:
        raise ConfigError(f"AudioSet: no segment of the tables has a file in {root / 'audio'}")
    return clips
