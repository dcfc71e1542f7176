"""Trying other thresholds on the last hour, and writing them into the configuration."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tomlkit
from numpy.typing import NDArray

from streamtag.dashboard.config_file import change_config
from streamtag.events import EventDetector, EventRules, Thresholds
from streamtag.labels import LabelSet
from streamtag.settings import EventSettings

__all__ = ["Fired", "save_thresholds", "would_fire"]


@dataclass(frozen=True, slots=True)
class Fired:
    """An event that would have been: Unix seconds of its beginning and end, and its peak."""

    begin: float
    end: float
    peak: float


def would_fire(
    times: NDArray[np.float64],
    spans: NDArray[np.float64],
    scores: NDArray[np.floating],
    thresholds: Thresholds,
) -> list[Fired]:
    """Run the event detector over one label's recent scores.

    Args:
        times: Unix seconds of the patches' ends, [n].
        spans: Stream seconds of their beginnings and ends, [n, 2]; where they go back the service began anew.
        scores: Of the label, [n].
        thresholds: What to try.
    """
    rules = EventRules(LabelSet(["label"]), EventSettings(**asdict(thresholds)))
    detector = EventDetector(rules)
    rows = scores.astype(np.float32)[:, np.newaxis]
    fired: list[Fired] = []
    zero = 0.0
    before = -np.inf
    for time, (start, end), row, reached in zip(times.tolist(), spans.tolist(), rows, rules.reached(rows), strict=True):
        events = []
        if start < before:
            events = [(event, zero) for event in detector.finish()]
            detector = EventDetector(rules)
        zero, before = time - end, start
        events += [(event, zero) for event in detector.push(row, start, end, reached)]
        fired += [Fired(at + event.onset, at + event.offset, event.peak) for event, at in events if event.offset]
    fired += [Fired(zero + event.onset, zero + event.offset, event.peak) for event in detector.finish() if event.offset]
    return fired


def save_thresholds(path: Path, label: str, on: float, off: float) -> None:
    """Write a label's thresholds into a configuration; comments and layout stay, and the change is whole or not at all.

    Raises:
        ConfigError: The file cannot be read or written, somebody else writes it, or it would not be a configuration
            afterwards; it is as it was before.
    """

    def change(document: tomlkit.TOMLDocument) -> None:
        events = document.setdefault("events", tomlkit.table())
        labels = events.setdefault("labels", tomlkit.table(is_super_table=True))
        table = labels.setdefault(label, tomlkit.table())
        for key, value in (("on", on), ("off", off)):
            table[key] = round(value, 4)

    change_config(path, change, "the thresholds were")
