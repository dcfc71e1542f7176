"""The networks' weights and multiplies beside the paper's."""

from typing import Any

import torch

from train.networks import NETWORKS
from train.networks.counts import multiplies, weights

PAPER_LABELS = 3087
_PAPER: dict[str, tuple[float, float]] = {
    "fully_connected": (11.2e6, 11.2e6),
    "alexnet": (37.3e6, 767e6),
    "vgg": (62e6, 2.4e9),
    "inception_v3": (28e6, 4.7e9),
    "resnet50": (30e6, 1.9e9),
}
"""Table 2 of Hershey et al. 2017: weights and multiplies a patch with 3087 labels."""


def table() -> list[dict[str, Any]]:
    """Return each network's counts with 3087 outputs, and the paper's; None where the paper has no such network."""
    rows = []
    for name, make in NETWORKS.items():
        with torch.device("meta"):
            network = make(PAPER_LABELS, 0)
            paper = _PAPER.get(name, (None, None))
            rows.append(
                {
                    "network": name,
                    "weights": weights(network),
                    "multiplies": multiplies(network),
                    "paper_weights": None if paper[0] is None else int(paper[0]),
                    "paper_multiplies": None if paper[1] is None else int(paper[1]),
                }
            )
    return rows


def _short(count: int | None) -> str:
    if count is None:
        return "-"
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.1f} M"


def as_text(rows: list[dict[str, Any]]) -> str:
    """Return the table for a terminal."""
    head = f"{'network':<16}{'weights':>10}{'paper':>10}{'multiplies':>12}{'paper':>10}   ({PAPER_LABELS} labels)"
    lines = [head]
    for row in rows:
        cells = [_short(row[key]) for key in ("weights", "paper_weights", "multiplies", "paper_multiplies")]
        lines.append(f"{row['network']:<16}{cells[0]:>10}{cells[1]:>10}{cells[2]:>12}{cells[3]:>10}")
    return "\n".join(lines)
