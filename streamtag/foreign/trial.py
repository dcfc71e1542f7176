"""A first run of a bundle that is to be added: noise and silence, each of which must score as probabilities."""

import numpy as np
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.runtimes import open_runtime
from streamtag.runtimes.scorer import Scorer

__all__ = ["trial_windows", "try_bundle"]


def trial_windows(samples: int) -> NDArray[np.float32]:
    """Return a window of noise and one of silence, float32 [2, samples] in [-1, 1]."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)
    return np.stack([noise, np.zeros_like(noise)])


def try_bundle(bundle: Bundle) -> None:
    """Let pass a bundle that runs here and gives probabilities.

    Raises:
        BundleError: it does not.
    """
    scorer = Scorer(open_runtime(bundle, "onnxruntime"), 2, bundle.geometry, bundle.log_offset)
    scores = scorer.run(list(trial_windows(bundle.geometry.samples)))
    if not ((scores >= 0) & (scores <= 1)).all():
        raise BundleError(f"bundle {bundle.path}: it gives scores that are no probabilities")
