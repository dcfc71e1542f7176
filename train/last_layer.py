"""The last layer, fitted last: on recordings as they are, and on some of the made windows, with the body as it is.

Training mixes everything with everything, and its targets are mostly a teacher's. What people tag is mostly one sound:
the layer that names it is fitted once more on the recordings' own labels, rare ones weighing as much as frequent ones.
A label holds for a recording and not for each of its patches, so that it is asked of the mean of their scores too, by
which recordings are judged (Hershey et al., ICASSP 2017, section 4).
How much labels compete for a sound (`train.networks.blocks.compete`) is found by the same fit.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtag.audio.frontend import PATCH_SAMPLES, log_mel_windows
from train import checkpoint
from train.clipset import ClipSet
from train.data import effects
from train.data.cache import Cache
from train.data.clips import Clip
from train.data.make import PLAIN
from train.labels import LabelTable
from train.labels.table import SILENCE
from train.networks.blocks import Classifier, compete
from train.plain import counts, rarity
from train.settings import Settings

FITTED = "head.pt"
STEPS = 800
"""Of the fit."""
_BATCH = 2048
_RATE = 3e-3
_COMPETITION, _COMPETITION_RATE = 0.5, 1e-2
_MOST_COMPETITION = 0.9
"""Where every label competes in full no score says that nothing known is heard."""
_PLAIN_WEIGHT = 3.0
_MADE_WEIGHT = 0.3
_AMONG = 3.0
"""Weight of the cross-entropy among all labels: the recording's own is to score highest."""
_RECORDING_WEIGHT = 3.0
"""Of whole recordings against single windows."""
_RECORDINGS, _PATCHES = 384, 8
"""Recordings in a step, and patches of each that stand for it."""
_LEAST = 1e-6
"""A recording's score that is nearer to 0 or 1 is taken for this one, of which there is a logarithm."""
_READ = 256
"""Recordings that are in memory together."""
_TIE = 0.1
"""Pull towards the weights that training found."""
_MADE_SHARDS = 6
SILENT = 512
"""Windows of silence that are made for it."""
_SILENT_WEIGHT = 10.0
"""A quiet room is listened to all day, and nothing else tells what silence is."""


class _Windows:
    """Embeddings of windows, standardised, with what is known of them."""

    def __init__(self, network: Classifier, cache: Cache, labels: Sequence[str]) -> None:
        numbers = cache.numbers()
        plain = [number for number in numbers if number >= PLAIN]
        made = [number for number in numbers if number < PLAIN][:_MADE_SHARDS]
        self.plain = self.silent = 0
        embedding, positive, unsure = [], [], []
        if SILENCE in labels:  # no recording is of it, and it must be known down to samples that are all zero
            silent = torch.zeros(SILENT, len(labels), dtype=torch.bool)
            embedding.append(_embedding(network, _silence()))
            unsure.append(silent.clone())
            silent[:, list(labels).index(SILENCE)] = True
            positive.append(silent)
            self.plain = self.silent = SILENT
        for number in (*plain, *made):
            rows = cache.read(number)
            embedding.append(_embedding(network, torch.from_numpy(np.array(rows.patches))))
            positive.append(torch.from_numpy(rows.positive))
            unsure.append(torch.from_numpy(rows.unsure))
            self.plain += len(rows) if number >= PLAIN else 0
        raw = torch.cat(embedding)
        self.mean, self.deviation = raw.mean(0), raw.std(0) + 1e-3
        self.embedding = (raw - self.mean) / self.deviation
        self.positive, unsure_ones = torch.cat(positive).float(), torch.cat(unsure)
        self.named = torch.zeros(len(raw))
        self.named[: self.plain] = (self.positive[: self.plain].sum(1) > 0).float()
        self.counts = (~unsure_ones).float()
        self.counts[: self.plain] = counts(self.positive[: self.plain], unsure_ones[: self.plain])

    def weights(self) -> Tensor:
        """Return how much each window counts [n]: plain ones by the rarity of their labels."""
        weights = torch.full((len(self.embedding),), _MADE_WEIGHT)
        weights[: self.plain] = _PLAIN_WEIGHT * rarity(self.positive[: self.plain])
        weights[: self.silent] *= _SILENT_WEIGHT
        return weights / weights.mean()


class _Recordings:
    """Embeddings of whole recordings, patch after patch, with what is known of each."""

    def __init__(self, network: Classifier, clips: Sequence[Clip], labels: LabelTable) -> None:
        named = [clip for clip in clips if clip.labels]
        embedding, positive, unsure, patches = [], [], [], []
        for at in range(0, len(named), _READ):
            some = ClipSet.of(named[at : at + _READ], labels, narrow=True)
            if not some.clips:
                continue
            embedding.append(_embedding(network, torch.from_numpy(some.patches)))
            positive.append(torch.from_numpy(some.truth))
            unsure.append(torch.from_numpy(some.unsure(labels)))
            patches.append(torch.from_numpy(np.bincount(some.owner)))
        self.embedding, self.patches = torch.cat(embedding), torch.cat(patches)
        self.first = self.patches.cumsum(0) - self.patches
        self.positive = torch.cat(positive).float()
        self.counts = counts(self.positive, torch.cat(unsure))
        self.rarity = rarity(self.positive)

    def drawn(self, order: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return some recordings, rare labels more often, and some patches from all over each [recordings, patches]."""
        chosen = torch.multinomial(self.rarity, _RECORDINGS, replacement=True, generator=order)
        along = (torch.arange(_PATCHES) + torch.rand(_RECORDINGS, _PATCHES, generator=order)) / _PATCHES
        return chosen, self.first[chosen, None] + (along * self.patches[chosen, None]).long()


def _silence() -> Tensor:
    """Return patches of silence: half of them zeros, the others noise of -95 to -58 dBFS."""
    rng = np.random.default_rng(0)
    levels = 10 ** (rng.uniform(-95.0, -58.0, SILENT) / 20)
    levels[::2] = 0.0
    made = np.stack([effects.noise(PATCH_SAMPLES, rng) * np.float32(level) for level in levels])
    return torch.from_numpy(log_mel_windows(made))


@torch.inference_mode()
def _embedding(network: Classifier, patches: Tensor) -> Tensor:
    device = next(network.parameters()).device
    parts = [network(part.float()[:, None].to(device))[1].cpu() for part in patches.split(256)]
    return torch.cat(parts)


def fit_last_layer(network: Classifier, cache: Cache, clips: Sequence[Clip], labels: LabelTable, seed: int = 0) -> None:
    """Fit a network's last layer in place; the rest of it stays as it is.

    Args:
        network: trained.
        cache: of windows, with plain ones.
        clips: the recordings that they are of.
        labels: in order.
        seed: of the order.
    """
    network.eval()
    windows = _Windows(network, cache, labels.names)
    recordings = _Recordings(network, clips, labels)
    weights = windows.weights()
    head = network.head
    device = head.weight.device
    with torch.no_grad():
        begun = (head.weight.cpu() * windows.deviation).clone()
        offset = (head.bias.cpu() + head.weight.cpu() @ windows.mean).clone()
    outputs, inputs = begun.shape
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.copy_(begun)
        layer.bias.copy_(offset)
    competition = torch.tensor(_COMPETITION, requires_grad=True)
    optimiser = torch.optim.Adam(
        [{"params": layer.parameters(), "lr": _RATE}, {"params": [competition], "lr": _COMPETITION_RATE}]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    order = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        chosen = torch.randint(len(windows.embedding), (_BATCH,), generator=order)
        target = windows.positive[chosen]
        logits = layer(windows.embedding[chosen])
        each = functional.binary_cross_entropy_with_logits(compete(logits, competition), target, reduction="none")
        loss = (each * windows.counts[chosen]).sum(1)
        among = -(target * functional.log_softmax(logits, dim=1)).sum(1) / target.sum(1).clamp(min=1)
        loss = loss + _AMONG * windows.named[chosen] * among
        total = (loss * weights[chosen]).mean() + _TIE * (layer.weight - begun).square().sum()
        total = total + _RECORDING_WEIGHT * _of_recordings(layer, competition, recordings, windows, order)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            competition.clamp_(0.0, _MOST_COMPETITION)
    network.competition = competition.item()
    with torch.no_grad():
        weight = layer.weight / windows.deviation
        head.weight.copy_(weight.to(device))
        head.bias.copy_((layer.bias - weight @ windows.mean).to(device))


def _of_recordings(
    layer: nn.Linear, competition: Tensor, recordings: _Recordings, windows: _Windows, order: torch.Generator
) -> Tensor:
    """Return the loss of recordings' scores, the means over their patches."""
    chosen, patches = recordings.drawn(order)
    embedding = (recordings.embedding[patches.flatten()] - windows.mean) / windows.deviation
    each = torch.sigmoid(compete(layer(embedding), competition)).unflatten(0, patches.shape)
    scores = each.mean(1).clamp(_LEAST, 1.0 - _LEAST)
    target = recordings.positive[chosen]
    loss = functional.binary_cross_entropy(scores, target, reduction="none") * recordings.counts[chosen]
    among = (target * (scores / scores.sum(1, keepdim=True)).log()).sum(1) / target.sum(1).clamp(min=1)
    total: Tensor = (loss.sum(1) - _AMONG * among).mean()
    return total


def save_last_layer(settings: Settings, network: Classifier, labels: Sequence[str]) -> None:
    """Write a fitted last layer beside the run's checkpoint.

    Raises:
        ConfigError: it cannot be written.
    """
    state = {name: value.cpu() for name, value in network.head.state_dict().items()}
    content = {
        "network": settings.fit.network,
        "labels": list(labels),
        "head": state,
        "competition": network.competition,
    }
    checkpoint.save(settings.output / FITTED, content)


def take_last_layer(folder: Path, network: Classifier, name: str, labels: tuple[str, ...]) -> bool:
    """Give a network the fitted last layer of a run's folder, if it has one; return whether it has.

    Raises:
        ConfigError: it is damaged, or of another network or other labels.
    """
    path = folder / FITTED
    if not path.is_file():
        return False
    content = checkpoint.load(path, name, labels)
    network.head.load_state_dict(content["head"])
    network.competition = float(content.get("competition", 0.0))
    return True
