"""Speed of one way to run a model: patches a second and latency by batch."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

PATCH_SECONDS = 0.96
_WARM_UP = 3
_LEAST = 5


@dataclass(frozen=True, slots=True)
class Way:
    """What is measured.

    Attributes:
        network: the model's name.
        runtime: the library and its version.
        device: where it runs.
        graph: what goes in: "patches", "waveform" (float32 samples) or "pcm" (int16 samples).
        precision: of the network.
    """

    network: str
    runtime: str
    device: str
    graph: str
    precision: str


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured, from memory of the host to memory of the host.

    Attributes:
        way: what was run.
        batch: patches in a call.
        patches_a_second: in calls one after another.
        median_ms: of a call.
        p99_ms: of a call; None where there were fewer than 100.
        parts_ms: copying in, computing and copying out of one batch, each by itself; empty without a GPU.
    """

    way: Way
    batch: int
    patches_a_second: float
    median_ms: float
    p99_ms: float | None
    parts_ms: dict[str, float]

    def __str__(self) -> str:
        way = self.way
        where = f"{way.network}, {way.runtime}, {way.graph}, {way.precision}, batch {self.batch}"
        return f"{where}: {self.patches_a_second:.0f} patches/s, {self.median_ms:.3f} ms"

    @property
    def streams(self) -> int:
        """How many unbroken streams that is."""
        return int(self.patches_a_second * PATCH_SECONDS)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        values = asdict(self)
        way: dict[str, Any] = values.pop("way")
        return way | values | {"streams": self.streams}


def measure(
    way: Way, batch: int, call: Callable[[], object], seconds: float, parts: dict[str, float] | None = None
) -> Speed:
    """Call again and again for `seconds`, after a few calls that do not count.

    Args:
        way: what is run.
        batch: patches in a call.
        call: one call; it returns when the scores are there.
        seconds: how long; at least five calls are made.
        parts: seconds of copies and compute apart, where they are known.
    """
    for _ in range(_WARM_UP):
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _LEAST or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    p99 = float(np.percentile(times, 99)) * 1e3 if len(times) >= 100 else None
    apart = {name: 1e3 * value for name, value in (parts or {}).items()}
    return Speed(way, batch, batch * len(times) / sum(times), float(np.median(times)) * 1e3, p99, apart)
