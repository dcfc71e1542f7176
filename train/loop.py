"""The training loop."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamtag.errors import ConfigError
from train import checkpoint
from train.average import Average
from train.batches import batches, teaching_batches
from train.clipset import ClipSet
from train.data.cache import Cache
from train.early_stopping import CALIBRATION, EarlyStopping
from train.from_bundle import freeze_statistics
from train.journal import Journal
from train.last_layer import take_last_layer
from train.metrics import Metrics
from train.networks import make_network
from train.networks.blocks import Classifier, laid_out
from train.own_scores import own_scores
from train.pace import Pace
from train.parallel import DistributedContext
from train.prepare import progress_line, say
from train.settings import Settings, teacher_file
from train.step import Student, activate, batch_loss, learning_rate
from train.teacher import BATCH, Teacher, read_teacher, train_teacher
from train.workers import keep_memory, limit_threads

LAST = "last.pt"


@dataclass(slots=True)
class _Run:
    """Everything that a step changes."""

    student: Student
    optimiser: torch.optim.Optimizer
    average: Average
    patience: EarlyStopping
    origin: dict[str, Any] | None
    step: int = 0


def check(settings: Settings) -> None:
    """Refuse settings that cannot go together.

    Raises:
        ConfigError: a teacher with mix_up or with the softmax loss.
    """
    if settings.teacher and settings.fit.mix_up:
        raise ConfigError("[fit] mix_up: a teacher has heard no mixture of two windows: leave out mix_up or [teacher]")
    if settings.teacher and settings.fit.loss == "softmax":
        raise ConfigError("[fit] loss = 'softmax': a teacher's scores are independent ones: leave out [teacher]")


def _start(
    settings: Settings,
    labels: int,
    embedding: int,
    context: DistributedContext,
    begin: Classifier | None,
    origin: dict[str, Any] | None,
    teacher: Teacher | None,
) -> _Run:
    torch.manual_seed(settings.fit.seed)
    network = begin or make_network(settings.fit.network, labels, settings.fit.bottleneck)
    network = laid_out(network, torch.channels_last)
    imitate = None
    if teacher:
        with torch.no_grad():
            width = network.eval()(torch.zeros(1, 1, 96, 64))[1].shape[1]
        imitate = nn.Linear(width, embedding)
    student = Student(network, imitate).to(context.device)
    begun = {id(layer) for layer in network.body.parameters()} if begin else set()
    groups = [
        {
            "params": [layer for layer in student.parameters() if (id(layer) in begun, layer.dim() > 1) == kind],
            "weight_decay": settings.fit.weight_decay if kind[1] else 0.0,
            "share": settings.fit.begun_rate if kind[0] else 1.0,
        }
        for kind in ((False, True), (False, False), (True, True), (True, False))
    ]
    groups = [group for group in groups if group["params"]]
    optimiser = (torch.optim.AdamW if settings.fit.optimiser == "adamw" else torch.optim.Adam)(
        groups, settings.fit.learning_rate, fused=context.device.type == "cuda"
    )
    average, patience = Average(network, settings.fit.average), EarlyStopping(settings.fit.patience)
    return _Run(student, optimiser, average, patience, origin)


def _content(run: _Run, settings: Settings, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "network": settings.fit.network,
        "bottleneck": settings.fit.bottleneck,
        "competition": run.average.network.competition,
        "labels": list(labels),
        "step": run.step,
        "weights": run.student.network.state_dict(),
        "average": run.average.network.state_dict(),
        "imitate": run.student.imitate.state_dict() if run.student.imitate else None,
        "optimiser": run.optimiser.state_dict(),
        "patience": run.patience.state(),
        "origin": run.origin,
    }


def _resume(run: _Run, content: dict[str, Any]) -> None:
    run.student.network.load_state_dict(content["weights"])
    run.average.network.load_state_dict(content["average"])
    if run.student.imitate:
        run.student.imitate.load_state_dict(content["imitate"])
    run.optimiser.load_state_dict(content["optimiser"])
    run.patience.restore(content.get("patience"))
    run.origin = content.get("origin", run.origin)
    run.step = int(content["step"])


def _teacher(
    settings: Settings, cache: Cache, labels: tuple[str, ...], width: int, context: DistributedContext
) -> Teacher | None:
    """Return the run's teacher; the first process trains it once and all read it."""
    if not settings.teacher:
        return None
    path = teacher_file(settings)
    if context.first and not path.is_file():
        rows = teaching_batches(cache, BATCH, settings.fit.seed, context.device)
        own = own_scores(settings.teacher, labels)
        teacher = train_teacher(rows, own, len(labels), settings.teacher, settings.fit.seed, say)
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(path, {"teacher": teacher.state()})
    context.wait()
    return read_teacher(path, width, len(labels), settings.teacher).to(context.device)


def _elder(settings: Settings, labels: tuple[str, ...], context: DistributedContext) -> Classifier | None:
    """Return the network of another run that teaches this one, if there is one."""
    if not (settings.teacher and settings.teacher.elder):
        return None
    network, _ = network_of_run(settings.teacher.elder, labels)
    return laid_out(network, torch.channels_last, context.device).requires_grad_(False)


@torch.no_grad()
def score_patches(network: nn.Module, patches: NDArray[np.float32], loss: str = "sigmoid") -> NDArray[np.float32]:
    """Return scores float32 [n, labels] of patches float32 [n, 96, 64]."""
    network.eval()
    device = next(network.parameters()).device
    parts = [
        activate(network(torch.from_numpy(patches[at : at + 256])[:, None].to(device))[0], loss).cpu().numpy()
        for at in range(0, len(patches), 256)
    ]
    return np.concatenate(parts)


def train(
    settings: Settings,
    cache: Cache,
    labels: tuple[str, ...],
    tests: dict[str, ClipSet],
    context: DistributedContext,
    begin: Classifier | None = None,
    origin: dict[str, Any] | None = None,
) -> Classifier:
    """Train or go on training; return the averaged network.

    The first process writes `last.pt` to the output folder every `checkpoint_every` steps and at the end, and judges
    the averaged network on the `tests` then.

    Args:
        settings: of the run.
        cache: filled.
        labels: names in order.
        tests: sets of clips by name.
        context: this process among all.
        begin: a network to go on from; without it a fresh one is made.
        origin: what is kept of the bundle that it came from; batch normalisations keep their statistics then.

    Raises:
        ConfigError: settings that cannot go together, a checkpoint of another run, or no room to write one.
    """
    check(settings)
    if context.device.type == "cuda":  # its 10-bit mantissas are enough to learn with
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    fit, last = settings.fit, settings.output / LAST
    limit_threads(fit.threads or max(1, (os.cpu_count() or 1) // context.world))
    keep_memory()
    width = cache.read(cache.numbers()[0]).features.shape[1]
    content = checkpoint.load(last, fit.network, labels) if last.is_file() else None
    teacher = _teacher(settings, cache, labels, width, context)
    elder = _elder(settings, labels, context)
    run = _start(settings, len(labels), width, context, begin, origin, teacher)
    if content:
        _resume(run, content)
        say(f"going on from step {run.step}")
    if fit.patience and context.first and CALIBRATION not in tests:
        say("[fit] patience: no calibration recordings to tell a gain by, so all steps are done")
    journal = Journal(settings.output) if context.first else None
    forward: nn.Module = context.spread(run.student)
    if fit.compile:
        forward = torch.compile(forward)  # type: ignore[assignment]
    size = fit.batch // context.world
    rows = batches(cache, size, fit.seed, context.device, skip=run.step, rank=context.rank, world=context.world)
    progress, pace = progress_line("steps"), Pace(fit.steps - run.step)
    running, began = torch.zeros((), device=context.device), time.monotonic()
    while run.step < fit.steps and not (fit.patience and context.agree(run.patience.over)):
        for group in run.optimiser.param_groups:
            group["lr"] = group["share"] * learning_rate(fit, run.step)
        forward.train()
        if run.origin:
            freeze_statistics(run.student)
        loss = batch_loss(forward, next(rows), settings, teacher, run.step, context.rank, elder)
        run.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.student.network.parameters(), 5.0)
        run.optimiser.step()
        run.step += 1
        run.average.update(run.student.network, run.step)
        running += loss.detach()
        if journal and (line := pace.line(loss)):
            say(line)
        if journal and (run.step % fit.report_every == 0 or run.step == fit.steps):
            mean = running.item() / (run.step % fit.report_every or fit.report_every)
            journal.write(run.step, {"loss": mean, "minutes": (time.monotonic() - began) / 60})
            progress(run.step, fit.steps)
            say(f"  loss {mean:.3f}")
            running.zero_()
        if journal and (run.step % fit.checkpoint_every == 0 or run.step == fit.steps):
            found = judge(run.average.network, tests, journal, run.step, fit.loss)
            if CALIBRATION in found:
                run.patience.look(run.average.network, found[CALIBRATION].map)
            checkpoint.save(last, _content(run, settings, labels))
            if run.patience.over:
                say(f"no gain in {fit.patience} checkpoints: stopped at step {run.step} with the best weights")
    if journal:
        if not last.is_file():  # no step was asked for: what the run began with is what it ends with
            checkpoint.save(last, _content(run, settings, labels))
        journal.close()
    context.wait()
    return run.average.network


def judge(network: nn.Module, tests: dict[str, ClipSet], journal: Journal, step: int, loss: str) -> dict[str, Metrics]:
    """Say, write down and return how the network does on each set of clips."""
    found = {}
    for name, clips in tests.items():
        found[name] = metrics = clips.judge(lambda patches: score_patches(network, patches, loss))
        say(f"  {name}: {metrics.items} clips, top-1 {metrics.top_1:.3f}, mAP {metrics.map:.3f}")
        figures = {f"{name}/{key}": value for key, value in metrics.as_dict().items() if value is not None}
        journal.write(step, figures)
    return found


def network_of_run(folder: Path, labels: tuple[str, ...], network: str | None = None) -> tuple[Classifier, int]:
    """Return the averaged network of the last checkpoint in a run's folder and the step that it stands at.

    With the fitted last layer, where there is one.

    Raises:
        ConfigError: there is none, or it is of other labels or of another network than `network`.
    """
    content = checkpoint.load(folder / LAST, network, labels)
    made = make_network(content["network"], len(labels), int(content.get("bottleneck", 0)))
    made.load_state_dict(content["average"])
    made.competition = float(content.get("competition", 0.0))
    take_last_layer(folder, made, content["network"], labels)
    return made.eval(), int(content["step"])


def went_on(settings: Settings) -> tuple[Settings, dict[str, Any] | None]:
    """Return a run's settings with the network of the bundle that it went on from, and what it keeps of that bundle.

    The settings as they are, and None, where it went on from none.

    Raises:
        ConfigError: its last checkpoint is missing or damaged.
    """
    content = checkpoint.load(settings.output / LAST)
    origin: dict[str, Any] | None = content.get("origin")
    if origin:
        fit = msgspec.structs.replace(settings.fit, network=content["network"])
        settings = msgspec.structs.replace(settings, fit=fit)
    return settings, origin


def trained_network(settings: Settings, labels: tuple[str, ...], folder: Path | None = None) -> tuple[Classifier, int]:
    """Return the averaged network of a run's last checkpoint and the step that it stands at.

    Raises:
        ConfigError: there is none, or it is of another network or other labels.
    """
    return network_of_run(folder or settings.output, labels, settings.fit.network)
