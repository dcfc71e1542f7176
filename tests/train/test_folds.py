import csv
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from streamtag.errors import ConfigError
from tests.train.conftest import KINDS, sound_of
from train.data.clips import Clip
from train.data.render import RenderSettings
from train.data.sets import Collection, collect
from train.experiments.esc50 import esc50, outcome
from train.experiments.fold_page import ALONE, OTHERS, TAUGHT, TEACHER, as_page
from train.experiments.folds import FOLDS, make_windows, without_twins
from train.last_layer import FITTED
from train.own_scores import OwnScores
from train.settings import DataSettings, FitSettings, Settings, TeacherSettings

RUNS = [(OTHERS, 0), *((name, fold) for name in (ALONE, TAUGHT) for fold in FOLDS)]


class _Ears:
    """Stands for the published taggers: each window's features are its patch's mean spectrum."""

    def __init__(self, yamnet: Path, mn04: Path) -> None:
        assert (yamnet.name, mn04.name) == ("yamnet.tflite", "mn04.safetensors")

    def features(
        self, samples: NDArray[np.int16], at: NDArray[np.int64], patches: NDArray[np.float16]
    ) -> NDArray[np.float16]:
        assert samples.shape == (len(patches), 48000)
        assert ((at >= 0) & (at <= 48000 - 15600)).all()
        means: NDArray[np.float32] = patches.mean(axis=1, dtype=np.float32)
        return means.astype(np.float16)


class _OwnScores(OwnScores):
    """Of taggers that say nothing of any label."""

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        return torch.zeros(2, len(features), len(self.yamnet))


def _clip(name: str, source: str, fold: int, credit: str = "") -> Clip:
    return Clip(name, Path(), "", ("Dog",), source, "made", fold, credit=credit)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Collection]:
    """A tiny run over made recordings: of each kind one in each fold and one in none."""
    monkeypatch.setattr("train.ears.Ears", _Ears)
    monkeypatch.setattr("train.loop.BATCH", 64)
    monkeypatch.setattr("train.loop.own_scores", lambda settings, labels: _OwnScores(len(labels)))
    monkeypatch.setattr("train.teacher.OwnScores", _OwnScores)
    folder = tmp_path / "made"
    (folder / "sounds").mkdir(parents=True)
    with (folder / "made.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "source", "fold"])
        for kind in KINDS:
            for fold in (0, *FOLDS):
                name = f"sounds/{kind.lower()}-{fold}.wav"
                soundfile.write(folder / name, sound_of(kind, fold), 16000)
                table.writerow([name, kind, f"{kind} {fold}", fold])
    settings = Settings(
        name="tiny",
        data=DataSettings(root=tmp_path, sets=("made",)),
        output=tmp_path / "run",
        render=RenderSettings(windows=7 * 32, plain=True),
        teacher=TeacherSettings(yamnet=Path("yamnet.tflite"), mn04=Path("mn04.safetensors"), hidden=8, steps=2),
        fit=FitSettings(steps=2, batch=16, threads=1),
        processes=1,
        shard=32,
    )
    return settings, collect(settings.data)


def test_sources_of_two_folds_or_of_a_fold_and_another_set_teach_nothing() -> None:
    clips = [
        _clip("a", "freesound 1", 1),
        _clip("b", "freesound 1", 2),
        _clip("c", "freesound 2", 3),
        _clip("d", "freesound 2", 3),
        _clip("e", "freesound 33", 4),
        _clip("f", "some clock", 0, credit="somebody (freesound.org/s/33)"),
        _clip("g", "another clock", 0, credit="somebody (freesound.org/s/34)"),
    ]
    assert [clip.name for clip in without_twins(clips)] == ["c", "d", "g"]


def test_a_folds_run_reads_no_window_of_its_fold(run: tuple[Settings, Collection]) -> None:
    settings, collection = run
    settings = msgspec.structs.replace(settings, render=RenderSettings(windows=56, plain=True), shard=4)
    windows = make_windows(collection, settings)
    there = set(windows.cache.numbers())
    parts = {group: there & {*windows.of(group), *windows.plain(group)} for group in (0, *FOLDS)}
    # Two of each four recordings' patches are plain windows, four of them in a shard.
    assert [len(parts[group]) for group in (0, *FOLDS)] == [6, 4, 4, 4, 4, 4]
    assert set.union(*parts.values()) == there
    assert sum(len(part) for part in parts.values()) == len(there)
    for fold in FOLDS:
        others = set.union(*(parts[other] for other in FOLDS if other != fold))
        assert set(windows.without(fold).numbers()) == others
        assert set(windows.without(fold, others=True).numbers()) == others | parts[0]


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("quick_last_layer")
def test_each_fold_is_trained_judged_and_not_done_again(run: tuple[Settings, Collection]) -> None:
    settings, collection = run
    windows = make_windows(collection, settings)
    outcome(settings, collection, windows, OTHERS, 0)
    found = outcome(settings, collection, windows, ALONE, 1) | outcome(settings, collection, windows, TAUGHT, 1)
    assert all(0 <= found[name] <= 1 for name in (ALONE, TAUGHT, TEACHER))
    fitted = {path.parent.name for path in settings.output.glob(f"*/{FITTED}")}
    assert fitted == {"taught-1"}
    windows.cache.shard(windows.plain(1)[0]).rename(settings.output / "hidden")
    (settings.output / "taught-1" / "outcome.json").unlink()
    again = outcome(settings, collection, windows, TAUGHT, 1)
    assert again[TAUGHT] == found[TAUGHT], "the last layer heard the fold that is tested"
    (settings.output / "hidden").rename(windows.cache.shard(windows.plain(1)[0]))
    for name, fold in RUNS:
        folder = settings.output / {OTHERS: "others", ALONE: f"alone-{fold}", TAUGHT: f"taught-{fold}"}[name]
        folder.mkdir(exist_ok=True)
        (folder / "outcome.json").write_text(json.dumps(found | {name: 0.5}))
    page = esc50(settings, collection)
    assert "| mean | **0.5000** | | **0.5000** |" in page


def test_the_page_says_how_far_a_mean_is_from_its_aim(run: tuple[Settings, Collection]) -> None:
    found = {
        key: {ALONE: 0.8, TAUGHT: 0.93, TEACHER: 0.9, "minutes": 3.0, "resumed": float(key == (ALONE, 2))}
        for key in RUNS
    }
    page = as_page(found, run[0])
    assert "No other data: 80.0% falls 7.1 points short of the 87.1% aimed at" in page
    assert "With other sets and a teacher: 93.0% reaches the 92.0% aimed at" in page
    assert "| 1 | 0.8000 | 3.0 | 0.9300 | 3.0 | 0.9000 |" in page
    assert "| 2 | 0.8000 | over 3.0 | " in page
    steps = run[0].fit.steps
    assert f"{steps} {OTHERS}, {2 * steps} {ALONE}, {(steps + 1) // 2} {TAUGHT};" in page


def test_a_run_that_cannot_be_done_is_one_line(run: tuple[Settings, Collection]) -> None:
    settings, collection = run
    with pytest.raises(ConfigError, match=r"no test_fold, but \[teacher\]"):
        esc50(msgspec.structs.replace(settings, teacher=None), collection)
    with pytest.raises(ConfigError, match="a shard of each fold takes 224"):
        esc50(msgspec.structs.replace(settings, render=RenderSettings(windows=100)), collection)
