"""The last layer, fitted on whole recordings: their labels hold for the mean of their patches' scores."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.conftest import CLIPS_A_KIND, KINDS
from train.clipset import ClipSet
from train.data.cache import Cache, Rows
from train.data.clips import Clip
from train.data.make import PLAIN
from train.labels import LabelTable
from train.last_layer import fit_last_layer
from train.loop import score_patches
from train.networks import make_network

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
