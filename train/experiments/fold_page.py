"""The page of the experiment on ESC-50's folds."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from train.experiments.folds import FOLDS
from train.experiments.trial import machine
from train.settings import Settings

OTHERS = "the other sets"
ALONE = "no other data"
TAUGHT = "with other sets and a teacher"
TEACHER = "the teacher itself"

ALONE_NETWORK = "tagnet"
"""What learns from the four folds alone: MobileNetV3 is nothing without the weights that it begins with."""
_SHARES = {OTHERS: 1.0, ALONE: 2.0, TAUGHT: 0.5}

Found = dict[str, float]
"""What a run found: accuracies by condition, `minutes`, and `resumed`, 1 where it was interrupted."""
Key = tuple[str, int]
"""A condition and the fold that is tested, 0 for none."""

_AIMS = {ALONE: (0.871, "the best single network published without other data, ACDNet"), TAUGHT: (0.92, "our aim")}


def steps_of(name: str, settings: Settings) -> int:
    """Return how many steps a run takes: from nothing there is most to learn, and least after the other sets."""
    return math.ceil(settings.fit.steps * _SHARES[name])


def _minutes(found: Found) -> str:
    return f"{'over ' if found['resumed'] else ''}{found['minutes']:.1f}"


def _against_aim(name: str, mean: float) -> str:
    aim, whose = _AIMS[name]
    if mean >= aim:
        return f"{name.capitalize()}: {mean:.1%} reaches the {aim:.1%} aimed at ({whose})."
    points = 100 * (aim - mean)
    return f"{name.capitalize()}: {mean:.1%} falls {points:.1f} points short of the {aim:.1%} aimed at ({whose})."


def as_page(found: Mapping[Key, Found], settings: Settings) -> str:
    """Return the page of all runs."""
    lines = [
        "# ESC-50, five folds",
        "",
        "Accuracy over a fold's 400 clips by the mean over their patches of 960 ms, of one network that never saw the "
        "fold, nor a Freesound recording that has a clip in it. Without other data the network learns from the other "
        "four folds alone. With them it begins with what it learnt from the other sets, and then learns from the four "
        "folds, the other sets and a teacher: a head on what the published YAMNet and mn04 hear, trained on the same "
        "windows. These two learnt from AudioSet, whose recordings are not Freesound's. Where plain windows are made, "
        "the last layer of what had a teacher is fitted once more, on the same recordings.",
        "",
        f"| fold | {ALONE} | minutes | {TAUGHT} | minutes | {TEACHER} |",
        "|---|---|---|---|---|---|",
    ]
    for fold in FOLDS:
        alone, taught = found[ALONE, fold], found[TAUGHT, fold]
        lines.append(
            f"| {fold} | {alone[ALONE]:.4f} | {_minutes(alone)} | {taught[TAUGHT]:.4f} | {_minutes(taught)} "
            f"| {taught[TEACHER]:.4f} |"
        )
    means = {name: sum(found[name, fold][name] for fold in FOLDS) / len(FOLDS) for name in (ALONE, TAUGHT)}
    teacher = sum(found[TAUGHT, fold][TEACHER] for fold in FOLDS) / len(FOLDS)
    fit = settings.fit
    lines += [
        f"| mean | **{means[ALONE]:.4f}** | | **{means[TAUGHT]:.4f}** | | {teacher:.4f} |",
        "",
        *(f"{_against_aim(name, mean)}\n" for name, mean in means.items()),
        f"{fit.network}, and {ALONE_NETWORK} without other data; steps of {fit.batch} windows: "
        f"{', '.join(f'{steps_of(name, settings)} {name}' for name in _SHARES)}; "
        f"{settings.render.windows} windows in all, seed {fit.seed}; {settings.processes} runs at a time, "
        f"{fit.threads or 'all'} thread(s) each, so that minutes are of one run; {_minutes(found[OTHERS, 0])} minutes "
        f"for what was learnt from the other sets alone. "
        f"{machine()}; {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]
    return "\n".join(lines)
