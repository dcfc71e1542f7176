"""The gate: how far a graph or an engine is from the float32 model, and whether it may be used."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.material import Material, reference
from streamtag.audio.frontend import LOG_OFFSET
from streamtag.bundle import Bundle
from streamtag.errors import RuntimeUnavailableError
from streamtag.runtimes.parity import BATCHES, LIMITS, engine_input, trial_windows

MAP_POINTS = 0.5
"""How many points of mAP int8 may cost."""

Run = Callable[[NDArray[np.generic]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one way to run one graph.

    Attributes:
        what: the graph, and what ran it.
        precision: "float32", "float16" or "int8".
        real: largest difference of a score on real sound, in any batch.
        random: the same on fresh generated sound.
        map_points: points of mAP lost on real sound; below 0 where it gained, NaN where nothing is labelled.
    """

    what: str
    precision: str
    real: float
    random: float
    map_points: float

    @property
    def passed(self) -> bool:
        """Whether it may be used: float32 and float16 by their scores, int8 by its mAP."""
        if self.precision in LIMITS:
            return max(self.real, self.random) <= LIMITS[self.precision]
        return math.isfinite(self.real) and self.map_points <= MAP_POINTS

    def require(self) -> None:
        """Refuse what may not be used.

        Raises:
            RuntimeUnavailableError: it may not.
        """
        if self.passed:
            return
        if self.precision in LIMITS:
            found, limit = f"scores up to {max(self.real, self.random):.2g} off", f"{LIMITS[self.precision]:g}"
        else:
            found, limit = f"{self.map_points:.2f} points of mAP lost", f"{MAP_POINTS:g}"
        raise RuntimeUnavailableError(f"{self.what} is refused: {found}, and {self.precision} may cost {limit}")


def judge(what: str, kind: str, precision: str, run: Run, before: Callable[[], None], trial: "Trial") -> Verdict:
    """Run real and generated sound through a graph, in batches of all sizes.

    Args:
        what: the graph, and what runs it.
        kind: of its input: "patches", "waveform" or "pcm".
        precision: "float32", "float16" or "int8".
        run: the graph.
        before: called before each batch, to spoil what earlier ones left behind.
        trial: what to run.
    """
    real, scores = _worst(kind, run, before, trial.material.windows, trial.material.expected, trial.log_offset)
    random, _ = _worst(kind, run, before, trial.random, trial.expected, trial.log_offset)
    right = trial.material.mean_average_precision(trial.material.expected)
    return Verdict(what, precision, real, random, 100 * (right - trial.material.mean_average_precision(scores)))


def _worst(
    kind: str,
    run: Run,
    before: Callable[[], None],
    windows: NDArray[np.float32],
    expected: NDArray[np.float32],
    log_offset: float,
) -> tuple[float, NDArray[np.float32]]:
    """Return the largest difference in any batch, and the scores of all windows in one."""
    inputs = engine_input(kind, windows, log_offset)
    worst, scores = 0.0, expected
    for batch in sorted({size for size in BATCHES if size < len(windows)} | {len(windows)}):
        before()
        scores = run(inputs[:batch])
        difference = np.abs(scores - expected[:batch])
        worst = max(worst, float(np.where(np.isnan(difference), np.inf, difference).max()))
    return worst, scores


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What is run: real sound, and generated sound that is another each time.

    Attributes:
        material: the real sound.
        random: windows float32 [n, 15600].
        expected: the right scores of `random`, float32 [n, labels].
        log_offset: what the model's front end adds before the logarithm.
    """

    material: Material
    random: NDArray[np.float32]
    expected: NDArray[np.float32]
    log_offset: float = LOG_OFFSET

    @classmethod
    def of(cls, bundle: Bundle, material: Material) -> "Trial":
        """Generate fresh sound for a model, and score it with ONNX Runtime."""
        random = trial_windows()
        return cls(material, random, reference(bundle, random), bundle.log_offset)
