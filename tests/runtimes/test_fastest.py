import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.runtimes import Embedded
from streamtag.runtimes.fastest import BATCHES, FULL, QUANTISED, cheapest_batch, fastest
from tests.bundles import make_bundle

Patches = NDArray[np.float32]


def compute(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


class Model:
    """Stands for a loaded file; the slow one of the two takes its time, in which it computes."""

    name, device, precision = "made", "CPU", "float32"
    loaded: list[str]
    slow = FULL

    def __init__(self, bundle: Bundle, file: str, threads: int) -> None:
        self.loaded.append(file)
        self.file = file

    def run(self, patches: Patches) -> Patches:
        if self.file == self.slow:
            compute(0.001)
        return patches[:, 0, :1]

    def embed(self, patches: Patches) -> Embedded:
        return Embedded(self.run(patches), patches[:, 0])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test; the file in which the choice is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(Model, "loaded", [], raising=False)
    return tmp_path / "cache" / "streamtag" / "fastest.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle whose int8 file costs a tenth of a point of mAP."""
    folder = make_bundle(tmp_path / "tiny")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / QUANTISED).write_bytes((folder / FULL).read_bytes())
    manifest["files"][QUANTISED] = {**manifest["files"][FULL], "precision": "int8"}
    manifest["parity"] = {"int8_map_points_lost": 0.1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def change(folder: Path, **entries: object) -> Bundle:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **entries}))
    return Bundle.open(folder)


def choose(folder: Path, threads: int = 1) -> str:
    return fastest(Bundle.open(folder), threads, Model).file


@pytest.mark.parametrize(("slow", "fast"), [(FULL, QUANTISED), (QUANTISED, FULL)])
def test_the_faster_file_is_measured_once_and_kept(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, slow: str, fast: str
) -> None:
    monkeypatch.setattr(Model, "slow", slow)
    assert choose(folder) == fast
    assert sorted(Model.loaded) == sorted([FULL, QUANTISED])
    ((file, batch),) = json.loads(cache.read_text()).values()
    assert file == fast
    assert batch in BATCHES
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]  # no draft is left behind
    Model.loaded.clear()
    assert choose(folder) == fast
    assert Model.loaded == []


def test_another_number_of_threads_is_another_measurement(folder: Path, cache: Path) -> None:
    choose(folder, 1)
    choose(folder, 2)
    assert len(json.loads(cache.read_text())) == 2
    assert len(Model.loaded) == 4


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '"text"', "\0\xff"],
    ids=["empty", "cut", "list", "null", "text", "binary"],
)
def test_a_broken_cache_is_measured_anew(folder: Path, cache: Path, content: str) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content.encode("latin-1"))
    assert choose(folder) == QUANTISED
    assert [file for file, _ in json.loads(cache.read_text()).values()] == [QUANTISED]


@pytest.mark.parametrize("entry", ["model.onnx", None, [], 7, ["model.exe", 8], [FULL, 7], [[], 8], [FULL, 8, 8]])
def test_an_entry_that_is_no_result_is_measured_anew(folder: Path, cache: Path, entry: object) -> None:
    choose(folder)
    (key,) = json.loads(cache.read_text())
    cache.write_text(json.dumps({key: entry}))
    assert choose(folder) == QUANTISED
    assert json.loads(cache.read_text())[key][0] == QUANTISED


def test_a_cache_that_cannot_be_written_only_costs_a_measurement(folder: Path, cache: Path) -> None:
    cache.parent.parent.write_text("a file where the folder should be")
    assert choose(folder) == QUANTISED
    assert choose(folder) == QUANTISED
    assert len(Model.loaded) == 4


@pytest.mark.parametrize("parity", [{"int8_map_points_lost": 0.51}, {}], ids=["too-much", "unknown"])
def test_an_int8_file_that_costs_too_much_or_was_never_compared_is_not_run(
    folder: Path, parity: dict[str, object]
) -> None:
    assert fastest(change(folder, parity=parity), 1, Model).file == FULL
    assert Model.loaded == [FULL]


def test_a_bundle_without_int8_file_runs_its_float32_file(folder: Path) -> None:
    files = Bundle.open(folder).files
    assert fastest(change(folder, files={FULL: files[FULL]}), 1, Model).file == FULL


def test_a_bundle_of_only_an_int8_file_runs_it(folder: Path) -> None:
    files = Bundle.open(folder).files
    assert fastest(change(folder, files={QUANTISED: files[QUANTISED]}), 1, Model).file == QUANTISED
    assert Model.loaded == [QUANTISED]


def test_processes_that_begin_together_come_to_one_result(folder: Path) -> None:
    code = f"""
import sys
from streamtag.bundle import Bundle
from streamtag.runtimes.fastest import fastest
from tests.runtimes.test_fastest import Model
Model.loaded = []
Model.slow = sys.argv[1]
print(*fastest(Bundle.open({str(folder)!r}), 1, Model))
"""
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen([*command, slow], stdout=subprocess.PIPE, text=True) for slow in (FULL, QUANTISED)]
    answers = [process.communicate(timeout=60)[0] for process in both]
    assert answers[0] == answers[1]
    assert answers[0].split()[0] in (FULL, QUANTISED)


class Priced:
    """Stands for a model by what a call of it costs."""

    name, device, precision = "priced", "CPU", "float32"

    def __init__(self, call: float, patch: float) -> None:
        self.call, self.patch = call, patch
        self.tried: list[int] = []

    def run(self, patches: Patches) -> Patches:
        self.tried.append(len(patches))
        compute(self.call + self.patch * len(patches))
        return patches[:, 0, :1]

    def embed(self, patches: Patches) -> Embedded:
        return Embedded(self.run(patches), patches[:, 0])


@pytest.mark.parametrize(
    ("call", "patch", "batch"), [(0.0, 0.0002, BATCHES[0]), (0.01, 0.0, BATCHES[-1])], ids=["a-patch", "a-call"]
)
def test_the_smallest_of_the_cheapest_batches_is_taken(call: float, patch: float, batch: int) -> None:
    assert cheapest_batch(Priced(call, patch), 1) == batch


def test_a_slow_network_is_tried_with_few_patches() -> None:
    model = Priced(0.0, 0.01)
    assert cheapest_batch(model, 1) == BATCHES[0]
    assert set(model.tried) == set(BATCHES[:2])
