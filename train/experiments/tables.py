"""Results beside the paper's, as Markdown, with the order in words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations

from train.experiments.trial import Outcome, machine
from train.settings import Settings

Paper = Mapping[str, tuple[float, float, float]]
"""Condition to the paper's AUC, d' and mAP."""


def order_in_words(ours: Mapping[str, float], paper: Mapping[str, float]) -> str:
    """Say of which pairs of conditions our order is the paper's, and of which not; ties of the paper are left out."""
    agree: list[str] = []
    differ: list[str] = []
    for one, other in combinations([name for name in paper if name in ours], 2):
        if paper[one] == paper[other]:
            continue
        better, worse = (one, other) if paper[one] > paper[other] else (other, one)
        (agree if ours[better] > ours[worse] else differ).append(f"{better} over {worse}")
    total = len(agree) + len(differ)
    if not total:
        return "The paper has no two of these conditions in an order."
    text = f"The order by mAP is the paper's in {len(agree)} of {total} pairs."
    if agree:
        text += f" As there: {'; '.join(agree)}."
    if differ:
        text += f" Not as there: {'; '.join(differ)}."
    return text


def as_markdown(title: str, about: str, outcomes: Sequence[Outcome], paper: Paper, settings: Settings) -> str:
    """Return an experiment's page."""
    lines = [
        f"# {title}",
        "",
        about,
        "",
        "| | AUC | d' | mAP | top-1 | minutes | paper: AUC | paper: d' | paper: mAP |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        found = outcome.metrics
        theirs = " | ".join(f"{value:.3f}" for value in paper[outcome.name]) if outcome.name in paper else "- | - | -"
        lines.append(
            f"| {outcome.name} | {found.auc:.3f} | {found.d_prime:.3f} | {found.map:.3f} | {found.top_1:.3f} "
            f"| {outcome.minutes:.1f} | {theirs} |"
        )
    ours = {outcome.name: outcome.metrics.map for outcome in outcomes}
    fit = settings.fit
    lines += [
        "",
        order_in_words(ours, {name: values[2] for name, values in paper.items()}),
        "",
        f"{settings.render.windows} windows, {fit.steps} steps of {fit.batch}, seed {fit.seed}; {machine()}; "
        f"{datetime.now(UTC):%Y-%m-%d}. The paper's figures are for millions of videos and thousands of labels, and "
        "are here for their order alone.",
        "",
    ]
    return "\n".join(lines)
