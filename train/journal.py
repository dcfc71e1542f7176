"""A run's figures, to CSV and TensorBoard."""

import csv
from pathlib import Path


class Journal:
    """Loss and metrics by step in `progress.csv` and below `board/`."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter  # imports slowly; only a training run wants it

        folder.mkdir(parents=True, exist_ok=True)
        self._board = SummaryWriter(str(folder / "board"))
        self._path = folder / "progress.csv"

    def write(self, step: int, values: dict[str, float]) -> None:
        """Add a row for each value."""
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()

    def close(self) -> None:
        """Write out what TensorBoard holds."""
        self._board.close()
