"""When a run no longer gains."""

from dataclasses import dataclass
from typing import Any

from torch import nn

CALIBRATION = "calibration"
"""The set of clips that decides: what is judged on for reports must not."""


@dataclass(slots=True)
class EarlyStopping:
    """Counts the checkpoints without a gain, and keeps the weights of the best one.

    Attributes:
        most: checkpoints without a gain after which a run ends; 0 for no end.
        best: the best mAP so far.
        since: checkpoints since then.
        weights: the averaged network's then.
    """

    most: int
    best: float = -1.0
    since: int = 0
    weights: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether the run ends."""
        return bool(self.most) and self.since >= self.most

    def look(self, network: nn.Module, mean_average_precision: float) -> None:
        """Take a checkpoint into account; at the end the network gets its best weights back."""
        if not self.most:
            return
        if mean_average_precision > self.best:
            self.best, self.since = mean_average_precision, 0
            self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
            return
        self.since += 1
        if self.over and self.weights:
            network.load_state_dict(self.weights)

    def state(self) -> dict[str, Any]:
        """Return what `restore` takes."""
        return {"best": self.best, "since": self.since, "weights": self.weights}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Go on counting where a checkpoint stood."""
        if state:
            self.best, self.since, self.weights = state["best"], state["since"], state["weights"]
