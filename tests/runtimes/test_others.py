"""OpenVINO and torch score as ONNX Runtime does, and windows may go in where a runtime takes them."""

import subprocess
import sys

import numpy as np
import pytest

from streamtag.audio import PATCH_SAMPLES, log_mel_windows
from streamtag.bundle import Bundle
from streamtag.errors import RuntimeUnavailableError
from streamtag.runtimes import Embedded, Runtime, WindowRuntime, open_runtime
from streamtag.runtimes.onnx import open_file
from streamtag.runtimes.openvino import open_file as open_openvino_file
from streamtag.runtimes.scorer import Scorer


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (7, PATCH_SAMPLES)).astype(np.float32)


@pytest.fixture(scope="module")
def patches(windows: np.ndarray) -> np.ndarray:
    return log_mel_windows(windows)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["openvino", "torch"])
@pytest.mark.parametrize("batch", [1, 7])
def test_scores_and_embeddings_are_those_of_onnx_runtime(
    small: Bundle, patches: np.ndarray, name: str, batch: int
) -> None:
    expected, runtime = open_runtime(small, "onnxruntime"), open_runtime(small, name)
    assert (runtime.name, runtime.device, runtime.precision) == (name, "CPU", "float32")
    scores, embeddings = runtime.embed(patches[:batch])
    np.testing.assert_allclose(scores, expected.run(patches[:batch]), atol=1e-5)
    np.testing.assert_allclose(embeddings, expected.embed(patches[:batch]).embeddings, atol=1e-4)
    np.testing.assert_array_equal(runtime.run(patches[:batch]), scores)


def test_openvino_scores_each_patch_of_a_packaged_model_by_itself(patches: np.ndarray) -> None:
    default = Bundle.open("default")
    expected = open_file(default, "model.onnx", 1).run(patches)
    np.testing.assert_allclose(open_openvino_file(default, "model.onnx", 1).run(patches), expected, atol=1e-4)


def test_results_of_earlier_batches_stay_as_they_are(small: Bundle, patches: np.ndarray) -> None:
    runtime = open_runtime(small, "openvino")
    first = runtime.run(patches[:1])
    kept = first.copy()
    runtime.run(patches[1:2])
    np.testing.assert_array_equal(first, kept)


def test_a_signal_is_handled_after_another_thread_let_go_of_the_last_openvino_model(small: Bundle) -> None:
    program = """
import signal, sys, threading
from streamtag.bundle import Bundle
from streamtag.runtimes import open_runtime
held = [open_runtime(Bundle.open(sys.argv[1]), "openvino")]
last = threading.Thread(target=held.clear)
last.start()
last.join()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
signal.raise_signal(signal.SIGUSR1)
"""
    command = [sys.executable, "-X", "faulthandler", "-c", program, str(small.path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("openvino", r"streamtag\[openvino\]"), ("torch", r"streamtag\[train\]"), ("tensorrt", "vendor")],
)
def test_a_library_that_is_not_installed_is_one_line(
    small: Bundle, monkeypatch: pytest.MonkeyPatch, name: str, remedy: str
) -> None:
    monkeypatch.delitem(sys.modules, f"streamtag.runtimes.{name}", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RuntimeUnavailableError, match=rf"^runtime {name} cannot be loaded \(.*\): .*{remedy}"):
        open_runtime(small, name)


class Whole:
    """A runtime that computes the log-mel by itself; its score is the window's first sample."""

    name, device, precision = "whole", "nowhere", "float32"

    def run(self, patches: np.ndarray) -> np.ndarray:
        raise AssertionError("it was given patches")

    def embed(self, patches: np.ndarray) -> Embedded:
        raise AssertionError("it was given patches")

    def run_windows(self, windows: np.ndarray) -> np.ndarray:
        assert windows.shape[1:] == (PATCH_SAMPLES,)
        return windows[:, :1].copy()

    def embed_windows(self, windows: np.ndarray) -> Embedded:
        return Embedded(self.run_windows(windows), windows[:, 1:3].copy())


def test_windows_go_whole_to_a_runtime_that_takes_them(windows: np.ndarray) -> None:
    scorer = Scorer(Whole(), 8)
    np.testing.assert_array_equal(scorer.run(list(windows)), windows[:, :1])
    np.testing.assert_array_equal(scorer.embed(list(windows)).embeddings, windows[:, 1:3])


class Small:
    """A runtime that wants two patches at a time; its score is the mean of the patch."""

    name, device, precision, batch = "small", "nowhere", "float32", 2

    def __init__(self) -> None:
        self.given: list[int] = []

    def run(self, patches: np.ndarray) -> np.ndarray:
        self.given.append(len(patches))
        return np.asarray(patches.mean(axis=(1, 2))[:, np.newaxis])

    def embed(self, patches: np.ndarray) -> Embedded:
        return Embedded(self.run(patches), patches[:, 0, :4].copy())


def test_a_batch_is_cut_into_those_that_the_runtime_wants(windows: np.ndarray) -> None:
    runtime, expected = Small(), log_mel_windows(windows)
    scorer = Scorer(runtime, 8)
    np.testing.assert_allclose(scorer.run(list(windows))[:, 0], expected.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(scorer.embed(list(windows)).embeddings, expected[:, 0, :4], rtol=1e-5)
    assert runtime.given == [2, 2, 2, 1] * 2


def test_windows_become_patches_for_a_runtime_that_takes_those(small: Bundle, windows: np.ndarray) -> None:
    runtime: Runtime = open_runtime(small, "onnxruntime")
    assert not isinstance(runtime, WindowRuntime)
    scores = Scorer(runtime, 8).run(list(windows))
    np.testing.assert_allclose(scores, runtime.run(log_mel_windows(windows)), atol=1e-6)
    embedded = Scorer(runtime, 8).embed(list(windows))
    np.testing.assert_array_equal(embedded.scores, scores)
    np.testing.assert_allclose(embedded.embeddings, runtime.embed(log_mel_windows(windows)).embeddings, atol=1e-5)
