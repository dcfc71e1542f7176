import json
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.runtimes import Embedded
from streamtag.runtimes.fastest_library import fastest_library

Patches = NDArray[np.float32]
NAMES = ("onnxruntime", "openvino")


class Library:
    """Stands for a model that a library opened; it computes for so long a patch, and a call, and is so far off."""

    name, device, precision, batch = "made", "CPU", "float32", 8

    def __init__(self, seconds: float, off: float = 0.0, call: float = 0.0) -> None:
        self.seconds, self.off, self.call = seconds, off, call

    def run(self, patches: Patches) -> Patches:
        until = time.process_time() + self.call + self.seconds * len(patches)
        while time.process_time() < until:
            pass
        return np.full((len(patches), 3), 0.5 + self.off, np.float32)

    def embed(self, patches: Patches) -> Embedded:
        return Embedded(self.run(patches), patches[:, 0])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test; the file in which the choice is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "streamtag" / "fastest.json"


def choose(bundle: Bundle, first: Library, other: Library | None) -> tuple[str, list[str]]:
    """Return which library is chosen, and which were opened for that."""
    opened = []

    def load(name: str) -> Library:
        opened.append(name)
        model = first if name == NAMES[0] else other
        if model is None:
            raise BundleError("it cannot be loaded")
        return model

    return fastest_library(bundle, NAMES, 1, load), opened


@pytest.mark.parametrize(
    ("other", "chosen"),
    [
        (Library(0.00004), "openvino"),
        (Library(0.0004), "onnxruntime"),
        (Library(0.00004, call=0.0004), "onnxruntime"),
        (Library(0.00004, off=0.021), "onnxruntime"),
        (Library(0.00004, off=float("nan")), "onnxruntime"),
        (None, "onnxruntime"),
    ],
    ids=["faster", "slower", "slower-alone", "other-scores", "no-numbers", "broken"],
)
def test_another_library_is_taken_where_it_scores_the_same_in_less_time(
    small: Bundle, other: Library | None, chosen: str
) -> None:
    assert choose(small, Library(0.0002), other) == (chosen, list(NAMES))


def test_the_choice_is_measured_once_and_kept(small: Bundle, cache: Path) -> None:
    choose(small, Library(0.0002), Library(0.00004))
    assert list(json.loads(cache.read_text()).values()) == ["openvino"]
    assert choose(small, Library(0.0), Library(0.0)) == ("openvino", [])


def test_a_choice_that_names_no_library_is_measured_anew(small: Bundle, cache: Path) -> None:
    choose(small, Library(0.0002), Library(0.00004))
    (key,) = json.loads(cache.read_text())
    cache.write_text(json.dumps({key: "guess"}))
    assert choose(small, Library(0.0002), Library(0.00004)) == ("openvino", list(NAMES))
