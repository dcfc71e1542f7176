"""The gate: a compiled engine is used only when it scores as ONNX Runtime does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import RuntimeUnavailableError

if TYPE_CHECKING:
    from streamtag.runtimes.tensorrt_engine import Engine

__all__ = ["BATCHES", "LIMITS", "differences", "engine_input", "require", "trial_windows"]

BATCHES = (1, 7, 64, 1023)
"""Sizes that are tried: one, odd, a power of two, and one less than one."""
LIMITS = {"float32": 1e-3, "float16": 1e-2}
"""The largest difference of any score, by precision; int8 is judged by its mAP."""

_FULL_SCALE = 32768.0


def trial_windows(count: int | None = None) -> NDArray[np.float32]:
    """Return fresh sound: noise and tones at all levels, with silence in between.

    Args:
        count: how many windows; None: enough for the largest batch.

    Returns:
        float32 [n, 15600] in [-1, 1], each value one of int16's.
    """
    from streamtag.audio.frontend import PATCH_SAMPLES

    count = max(BATCHES) if count is None else count
    random = np.random.default_rng()
    level = 10.0 ** random.uniform(-4, -0.3, (count, 1))
    tone = np.sin(random.uniform(0.05, 3.0, (count, 1)) * np.arange(PATCH_SAMPLES)) * random.uniform(0, 1, (count, 1))
    noise = random.standard_normal((count, PATCH_SAMPLES)) / 4
    loud = random.uniform(0, 1, (count, 1)) > 1 / 16
    windows = np.clip(level * (tone + noise) * loud, -1.0, 1.0 - 1 / _FULL_SCALE)
    return (np.rint(windows * _FULL_SCALE) / _FULL_SCALE).astype(np.float32)


def engine_input(kind: str, windows: NDArray[np.float32], log_offset: float | None = None) -> NDArray[Any]:
    """Return windows float32 [n, 15600] as an engine's input.

    Args:
        kind: "patches" (log-mel, float32 [n, 1, 96, 64]), "waveform" (as they are) or "pcm" (16-bit samples, two in
            each int32, the earlier one in the lower half: [n, 7800]).
        windows: what is heard.
        log_offset: what the model's front end adds before the logarithm; None: what ours does.
    """
    from streamtag.audio.frontend import LOG_OFFSET, log_mel_windows

    if kind == "patches":
        return log_mel_windows(windows, log_offset=LOG_OFFSET if log_offset is None else log_offset)[:, np.newaxis]
    if kind == "pcm":
        pairs: NDArray[np.int32] = np.rint(windows * _FULL_SCALE).astype(np.int16).view(np.int32)
        return pairs
    return windows


def differences(
    engine: Engine,
    kind: str,
    windows: NDArray[np.float32],
    reference: NDArray[np.float32],
    log_offset: float | None = None,
) -> dict[int, float]:
    """Return, by batch size, how far an engine's scores are from the reference; every buffer held NaN before.

    Args:
        engine: a compiled graph.
        kind: of its input, as `engine_input` names it.
        windows: float32 [n, 15600].
        reference: the right scores, float32 [n, labels].
        log_offset: what the model's front end adds before the logarithm; None: what ours does.
    """
    inputs = engine_input(kind, windows, log_offset)
    found = {}
    for batch in sorted({min(batch, len(windows)) for batch in BATCHES}):
        engine.poison()
        difference = np.abs(engine.run(inputs[:batch]) - reference[:batch])
        found[batch] = float(np.where(np.isnan(difference), np.inf, difference).max())
    return found


def require(precision: str, found: dict[int, float], what: str) -> None:
    """Refuse an engine that is too far off.

    Raises:
        RuntimeUnavailableError: a difference exceeds what the precision may cost.
    """
    batch = max(found, key=lambda size: found[size])
    limit = LIMITS.get(precision, 1.0)  # between scores there is no larger one
    if found[batch] > limit:
        raise RuntimeUnavailableError(
            f"{what}: its scores are up to {found[batch]:.2g} away from ONNX Runtime's in a batch of {batch}, "
            f"and {precision} may cost {limit:g}: not installed"
        )


Accept = Callable[["Engine"], None]
"""Raises a `StreamtagError` when an engine must not be installed."""
