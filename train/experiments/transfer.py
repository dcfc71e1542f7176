"""Transfer: a shallow classifier on what a bundle has learnt."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamtag.bundle import Bundle
from train.clipset import ClipSet
from train.data.clips import Clip
from train.experiments.trial import Outcome
from train.export.graphs import run_session
from train.labels import LabelTable
from train.metrics import measure
from train.settings import Settings
from train.teacher import masked_loss

HIDDEN = 512
STEPS = 1500


def embeddings(bundle: Bundle, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return any bundle's embedding of patches: float32 [n, d] of float32 [n, 96, 64]."""
    return run_session(bundle.read("model.onnx"), patches[:, None], "embedding")


def shallow(
    inputs: NDArray[np.float32], truth: NDArray[np.bool_], unseen: NDArray[np.float32], seed: int
) -> NDArray[np.float32]:
    """Train one hidden layer on standardised inputs [n, d] and return the scores of unseen ones."""
    torch.manual_seed(seed)
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    known = torch.from_numpy((inputs - mean) / deviation)
    target = torch.from_numpy(truth.astype(np.float32))
    layers = nn.Sequential(
        nn.Linear(inputs.shape[1], HIDDEN), nn.ReLU(), nn.Dropout(0.5), nn.Linear(HIDDEN, truth.shape[1])
    )
    optimiser = torch.optim.AdamW(layers.parameters(), 1e-3, weight_decay=0.01)
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        chosen = torch.from_numpy(rng.integers(len(known), size=128))
        loss = masked_loss(layers(known[chosen]), target[chosen], torch.ones_like(target[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        scores = torch.sigmoid(layers.eval()(torch.from_numpy((unseen - mean) / deviation)))
    return scores.numpy()


def transfer(settings: Settings, clips: Sequence[Clip], tests: ClipSet, bundle: str = "default") -> list[Outcome]:
    """Return what the shallow classifier finds on log-mel patches and on the bundle's embedding of them."""
    names = tuple(sorted({label for clip in tests.clips for label in clip.labels}))
    known = ClipSet.of([clip for clip in clips if set(clip.labels) & set(names)], LabelTable(names), narrow=True)
    opened = Bundle.open(bundle)
    outcomes = []
    for name in ("log-mel", "embedding"):
        start = time.monotonic()
        flat = (
            [part.patches.reshape(len(part.patches), -1) for part in (known, tests)]
            if name == "log-mel"
            else [embeddings(opened, part.patches) for part in (known, tests)]
        )
        scores = shallow(flat[0], known.truth[known.owner], flat[1], settings.fit.seed)
        minutes = (time.monotonic() - start) / 60
        outcomes.append(Outcome(name, measure(tests.means(scores), tests.truth), minutes))
    return outcomes
