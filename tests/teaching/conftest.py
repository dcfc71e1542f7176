from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.heads import Examples
from streamtag.tagging import TaggingPool
from streamtag.teaching import Teacher
from streamtag.teaching.background import background


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return Bundle.open("default")


@pytest.fixture(scope="session")
def everything(bundle: Bundle) -> NDArray[np.float32]:
    """Embeddings of all kinds of sound."""
    return background(bundle)


@pytest.fixture(scope="module")
def pool() -> Iterator[TaggingPool]:
    pool = TaggingPool("default", "onnxruntime")
    yield pool
    pool.close()


@pytest.fixture
def teacher(tmp_path: Path, bundle: Bundle) -> Teacher:
    return Teacher(tmp_path / "heads", bundle, taken=["Any dog"])


def around(middle: NDArray[np.float32], recordings: int, windows: int = 2, seed: int = 0) -> Examples:
    """Examples of a made sound: windows of recordings, near to one embedding."""
    random = np.random.default_rng(seed)
    size = np.linalg.norm(middle) / np.sqrt(len(middle))
    rows = middle + random.normal(scale=0.4 * size, size=(recordings * windows, len(middle)))
    return Examples(rows.astype(np.float32), [f"{row // windows}.wav" for row in range(len(rows))])


@pytest.fixture(scope="session")
def middle(everything: NDArray[np.float32]) -> NDArray[np.float32]:
    """The embedding of a made sound that is like no other: others' directions mixed up."""
    mixed: NDArray[np.float32] = np.random.default_rng(1).permutation(everything[0])
    return mixed
