"""The training loop."""

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from train import checkpoint
from train.augment import mask_and_shift
from train.average import Average
from train.clipset import ClipSet
from train.data.cache import Cache, Rows
from train.networks import make_network
from train.prepare import progress_line, say
from train.settings import FitSettings, Settings
from train.teacher import BATCH, Teacher, masked_loss, restore_teacher, to_tensors, train_teacher

LAST = "last.pt"


@dataclass(slots=True)
class _Run:
    """Everything that a step changes."""

    network: nn.Module
    imitate: nn.Linear | None
    optimiser: torch.optim.Optimizer
    average: Average
    teacher: Teacher | None
    step: int = 0


def _learning_rate(settings: FitSettings, step: int) -> float:
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    if settings.schedule == "constant":
        return settings.learning_rate * warm
    along = max(0.0, step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * warm * (0.5 + 0.5 * float(np.cos(np.pi * along)))


def _start(settings: Settings, labels: int, embedding: int, teacher: Teacher | None) -> _Run:
    torch.manual_seed(settings.fit.seed)
    network = make_network(settings.fit.network, labels).to(memory_format=torch.channels_last)
    imitate = None
    if teacher:
        with torch.no_grad():
            width = network.eval()(torch.zeros(1, 1, 96, 64))[1].shape[1]
        imitate = nn.Linear(width, embedding)
    layers = [*network.parameters(), *(imitate.parameters() if imitate else ())]
    groups = [
        {"params": [layer for layer in layers if layer.dim() > 1], "weight_decay": settings.fit.weight_decay},
        {"params": [layer for layer in layers if layer.dim() <= 1], "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if settings.fit.optimiser == "adamw" else torch.optim.Adam
    optimiser = kind(groups, settings.fit.learning_rate)
    return _Run(network, imitate, optimiser, Average(network, settings.fit.average), teacher)


def _content(run: _Run, settings: Settings, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "network": settings.fit.network,
        "labels": list(labels),
        "step": run.step,
        "weights": run.network.state_dict(),
        "average": run.average.network.state_dict(),
        "imitate": run.imitate.state_dict() if run.imitate else None,
        "optimiser": run.optimiser.state_dict(),
        "teacher": run.teacher.state() if run.teacher else None,
    }


def _resume(run: _Run, content: dict[str, Any]) -> None:
    run.network.load_state_dict(content["weights"])
    run.average.network.load_state_dict(content["average"])
    if run.imitate:
        run.imitate.load_state_dict(content["imitate"])
    run.optimiser.load_state_dict(content["optimiser"])
    run.step = int(content["step"])


def _loss(run: _Run, rows: Rows, settings: Settings) -> Tensor:
    """Return a batch's loss; what is random in it depends on the seed and the step alone."""
    fit = settings.fit
    rng = np.random.default_rng([fit.seed, 7, run.step])
    torch.manual_seed(fit.seed * 1_000_003 + run.step)
    patches = mask_and_shift(rows.patches.astype(np.float32), fit, rng)
    inputs = torch.from_numpy(patches)[:, None].contiguous(memory_format=torch.channels_last)
    embedding, label, counts = to_tensors(rows)
    with torch.autocast("cpu", torch.bfloat16, enabled=fit.bf16):
        logits, mine = run.network.train()(inputs)
        imitated = run.imitate(mine) if run.imitate else None
    if not (run.teacher and settings.teacher and imitated is not None):
        return masked_loss(logits.float(), label, counts)
    scores, standard = run.teacher.targets(embedding)
    share = settings.teacher.share
    # Where the label is unsure the teacher alone is the target.
    target = torch.where(counts > 0, share * scores + (1 - share) * label, scores)
    error = (imitated.float() - standard).square().mean()
    return masked_loss(logits.float(), target, torch.ones_like(target)) + settings.teacher.embedding * error


@torch.no_grad()
def score_patches(network: nn.Module, patches: np.ndarray[Any, Any], batch: int = 256) -> np.ndarray[Any, Any]:
    """Return scores float32 [n, labels] of patches float32 [n, 96, 64]."""
    network.eval()
    parts = [
        torch.sigmoid(network(torch.from_numpy(patches[first : first + batch])[:, None])[0]).numpy()
        for first in range(0, len(patches), batch)
    ]
    return np.concatenate(parts)


class _Journal:
    """Loss and metrics to CSV and TensorBoard."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter  # imports slowly; only a training run wants it

        self._board = SummaryWriter(str(folder / "board"))
        self._path = folder / "progress.csv"

    def write(self, step: int, values: dict[str, float]) -> None:
        """Add a row for each value."""
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()


def train(settings: Settings, cache: Cache, labels: tuple[str, ...], tests: dict[str, ClipSet]) -> nn.Module:
    """Train or go on training; return the averaged network.

    Writes `last.pt` to the output folder every `checkpoint_every` steps and at the end, and judges the averaged
    network on the `tests` then.
    """
    torch.set_num_threads(settings.fit.threads)
    fit, last = settings.fit, settings.output / LAST
    width = cache.read(cache.numbers()[0]).embedding.shape[1]
    content = checkpoint.load(last, fit.network, labels) if last.is_file() else None
    teacher = None
    if settings.teacher:
        if content:
            teacher = restore_teacher(content["teacher"], width, len(labels), settings.teacher)
        else:
            teacher = train_teacher(cache.batches(BATCH, fit.seed), len(labels), settings.teacher, fit.seed, say)
    run = _start(settings, len(labels), width, teacher)
    if content:
        _resume(run, content)
        say(f"going on from step {run.step}")
    journal = _Journal(settings.output)
    step_network = torch.compile(run.network) if fit.compile else run.network
    batches: Iterator[Rows] = cache.batches(fit.batch, fit.seed, skip=run.step)
    progress = progress_line("steps")
    running, began = 0.0, time.monotonic()
    shadow = _Run(step_network, run.imitate, run.optimiser, run.average, run.teacher, run.step)
    while run.step < fit.steps:
        for group in run.optimiser.param_groups:
            group["lr"] = _learning_rate(fit, run.step)
        shadow.step = run.step
        loss = _loss(shadow, next(batches), settings)
        run.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), 5.0)
        run.optimiser.step()
        run.step += 1
        run.average.update(run.network, run.step)
        running += loss.item()
        if run.step % fit.report_every == 0:
            journal.write(run.step, {"loss": running / fit.report_every, "minutes": (time.monotonic() - began) / 60})
            progress(run.step, fit.steps)
            say(f"  loss {running / fit.report_every:.3f}")
            running = 0.0
        if run.step % fit.checkpoint_every == 0 or run.step == fit.steps:
            checkpoint.save(last, _content(run, settings, labels))
            judge(run.average.network, tests, journal, run.step)
    return run.average.network


def judge(network: nn.Module, tests: dict[str, ClipSet], journal: _Journal, step: int) -> None:
    """Say and write down how the network does on each set of clips."""
    for name, clips in tests.items():
        metrics = clips.judge(lambda patches: score_patches(network, patches))
        say(f"  {name}: {metrics.items} clips, top-1 {metrics.top_1:.3f}, mAP {metrics.map:.3f}")
        journal.write(step, {f"{name}/{key}": value for key, value in metrics.as_dict().items() if value is not None})
