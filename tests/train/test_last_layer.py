"""The last layer, fitted on whole recordings: their labels hold for the mean of their patches' scores."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from tests.train.conftest import CLIPS_A_KIND, KINDS
from train.clipset import ClipSet
from train.data.cache import Cache, Rows
from train.data.clips import Clip
from train.data.make import PLAIN
from train.fit import fit
from train.labels import LabelTable
from train.last_layer import FITTED, fit_last_layer
from train.loop import score_patches
from train.networks import make_network
from train.networks.blocks import Classifier
from train.settings import Settings

LABELS = LabelTable.of(KINDS)


def _clips(recordings: Path) -> list[Clip]:
    sounds = recordings / "made" / "sounds"
    return [
        Clip(path.name, path, "", (kind,), path.name, "made")
        for kind in KINDS
        for path in (sounds / f"{kind.lower()}-{number}.wav" for number in range(CLIPS_A_KIND))
    ]


def test_recordings_teach_what_no_window_says(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.last_layer.STEPS", 150)
    clips = _clips(recordings)
    every = ClipSet.of(clips, LABELS)
    nothing = np.zeros((len(every.patches), len(LABELS)), np.bool_)
    cache = Cache.open(tmp_path / "cache", LABELS.names, {})
    silent = np.empty((len(nothing), 0), np.float16)
    cache.write(PLAIN, Rows(every.patches.astype(np.float16), nothing, ~nothing, silent))
    torch.manual_seed(1)
    network = make_network("tagnet", len(LABELS)).train()
    with torch.no_grad():
        network(torch.from_numpy(every.patches)[:, None])  # statistics for the batch normalisations
    network.eval()
    before = every.judge(lambda patches: score_patches(network, patches))
    fit_last_layer(network, cache, clips[::2], LABELS)
    unheard = ClipSet.of(clips[1::2], LABELS)
    found = unheard.judge(lambda patches: score_patches(network, patches))
    assert before.top_1 < 0.6
    assert found.top_1 > 0.9


def test_a_clip_may_deserve_labels_beside_its_own_ones(recordings: Path) -> None:
    labels = LabelTable.of(["Rain", "Siren", "Thunder", "Alarm"])
    clips = ClipSet.of([clip for clip in _clips(recordings) if clip.labels[0] in labels.names], labels)
    found = [{labels.names[at] for at in np.flatnonzero(row)} for row in clips.unsure(labels)]
    assert found == [{"Thunder"}] * CLIPS_A_KIND + [{"Alarm"}] * CLIPS_A_KIND


@pytest.mark.parametrize(("steps", "kept"), [(24, False), (0, True)])
def test_a_last_layer_that_is_worse_than_what_training_left_is_not_kept(
    settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    steps: int,
    kept: bool,
) -> None:
    def spoil(network: Classifier, *_: object) -> None:
        with torch.no_grad():
            network.head.weight.neg_()
            network.head.bias.neg_()

    monkeypatch.setattr("train.fit.fit_last_layer", spoil)
    run = settings(steps=steps, network="tagnet", learning_rate=3e-3, warmup_steps=2)
    run = msgspec.structs.replace(run, render=msgspec.structs.replace(run.render, plain=True), cache=None)
    run.output.mkdir(parents=True, exist_ok=True)
    (run.output / FITTED).write_bytes(b"of before")
    fit(run)
    told = capsys.readouterr().err
    assert ("the last layer stays as it is; calibration: top-1" in told) != kept
    assert ("last layer fitted; calibration: top-1" in told) == kept
    assert (run.output / FITTED).is_file() == kept
