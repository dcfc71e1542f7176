"""Every bundle and runtime that is here, side by side on one core."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.scoring import Scoring, Variant, measure_scoring
from streamtag.bundle import Bundle, installed
from streamtag.errors import RuntimeUnavailableError, StreamtagError
from streamtag.runtime_kinds import RUNTIMES
from streamtag.settings import Config

__all__ = ["ModelSpeed", "measure_models"]

_FILES = ("model.int8.onnx", "model.onnx")


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """How one variant did, or why it did not."""

    variant: Variant
    scoring: Scoring | None
    reason: str = ""


def measure_models(config: Config, seconds: float, progress: Callable[[str], None]) -> list[ModelSpeed]:
    """Measure each variant that can run here, in a process of its own; `progress` is told its name before.

    Args:
        config: whose scores and batches are used, and whose bundle comes before the packaged ones.
        seconds: of each.
        progress: is told each variant's name before it is measured.

    Raises:
        BundleError: the configuration's bundle is not there, or damaged.
    """
    core = [min(os.sched_getaffinity(0))]
    speeds = []
    for variant in _variants(config):
        progress(" ".join(filter(None, (variant.bundle, variant.runtime, variant.file))))
        try:
            speeds.append(ModelSpeed(variant, measure_scoring(config, variant, seconds, core)))
        except RuntimeUnavailableError:
            continue  # `streamtag doctor` says why
        except StreamtagError as error:
            speeds.append(ModelSpeed(variant, None, str(error)))
    return speeds


def _variants(config: Config) -> list[Variant]:
    variants = []
    for name in dict.fromkeys([config.model.bundle, *installed()]):
        files = Bundle.open(name).files
        for runtime, kind in RUNTIMES.items():
            if kind.runs_any_file:
                variants += [Variant(name, runtime, file) for file in _FILES if file in files]
            else:
                variants.append(Variant(name, runtime))
    return variants
