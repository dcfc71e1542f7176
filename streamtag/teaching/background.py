"""Sound of all kinds as a model hears it: what a taught label is told from where nothing else is known."""

from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.heads import HeadError
from streamtag.tagging import TaggingPool

__all__ = ["background", "background_file", "write_background"]

_FOLDER: Final = Path(str(resources.files("streamtag"))) / "teaching" / "background"
_NAME: Final = 16
_DEMO: Final = "demo.flac"


def background_file(embedder: str) -> Path:
    """Return where the background of a packaged model lies, or would lie."""
    return _FOLDER / f"{embedder[:_NAME]}.npz"


def background(bundle: Bundle) -> NDArray[np.float32]:
    """Return embeddings of all kinds of sound, float32 [n, d].

    Packaged models bring windows of some hundred recordings along. For others the packaged demo's recording is
    embedded, which is less, and takes a second or two.

    Raises:
        HeadError: the packaged file is damaged.
        StreamtagError: the model cannot be run.
    """
    path = background_file(bundle.embedder)
    if not path.is_file():
        return _of_demo(bundle)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rows: NDArray[np.float32] = arrays["vectors"] * arrays["scales"].astype(np.float32)[:, np.newaxis]
            return rows
    except (OSError, ValueError, KeyError) as error:
        raise HeadError(f"{path}: damaged; install streamtag again") from error


def write_background(embedder: str, vectors: NDArray[np.float32]) -> Path:
    """Write a packaged model's background: int8, each row with a scale."""
    scales = np.maximum(np.abs(vectors).max(axis=1), np.float32(1e-9)) / 127
    path = background_file(embedder)
    path.parent.mkdir(exist_ok=True)
    rows = np.rint(vectors / scales[:, np.newaxis]).astype(np.int8)
    np.savez_compressed(path, vectors=rows, scales=scales.astype(np.float32))
    return path


def _of_demo(bundle: Bundle) -> NDArray[np.float32]:
    demo = Path(str(resources.files("streamtag"))) / "bundles" / "default" / _DEMO
    pool = TaggingPool(str(bundle.path))
    try:
        return np.concatenate([part.embeddings for part in pool.embed(demo, 0.0, 600.0)])
    finally:
        pool.close()
