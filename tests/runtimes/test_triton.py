from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.audio import log_mel_windows
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.runtimes import ServerUnavailableError, open_runtime
from streamtag.runtimes.parity import trial_windows
from streamtag.runtimes.scorer import Scorer
from streamtag.runtimes.triton import TritonModel
from tests.real.servers import wait_until
from tests.runtimes.triton_server import TritonServer


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open("fast")


@pytest.fixture(scope="module")
def windows() -> NDArray[np.float32]:
    return trial_windows(19)


@pytest.fixture
def server(bundle: Bundle) -> Iterator[TritonServer]:
    server = TritonServer(bundle, max_batch=8).start()
    yield server
    server.stop()


@pytest.mark.parametrize("knows_memory", [True, False])
def test_scores_are_those_of_onnx_runtime_by_memory_that_is_shared_and_without(
    bundle: Bundle, server: TritonServer, windows: NDArray[np.float32], knows_memory: bool
) -> None:
    server.knows_memory = knows_memory
    model = open_runtime(bundle, "triton", max_batch=32, server=server.address)
    here = open_runtime(bundle, "onnxruntime").embed(log_mel_windows(windows))
    scorer = Scorer(model, 32)
    np.testing.assert_allclose(scorer.run(list(windows)), here.scores, atol=1e-4)
    both = scorer.embed(list(windows))
    np.testing.assert_allclose(both.scores, here.scores, atol=1e-4)
    np.testing.assert_allclose(both.embeddings, here.embeddings, atol=1e-3)
    assert server.batches == [8, 8, 3] * 2  # no more at once than the server takes
    assert server.shared == (6 if knows_memory else 0)
    assert list(Path("/dev/shm").glob("streamtag-*")) == []  # nothing is left where others could find it


def test_a_server_that_comes_back_is_asked_again_and_shares_memory_anew(
    bundle: Bundle, server: TritonServer, windows: NDArray[np.float32]
) -> None:
    model = TritonModel(bundle, 8, server.address, pause_seconds=0.05)
    window = windows[:1]
    expected = model.run_windows(window)
    server.stop()
    with pytest.raises(ServerUnavailableError, match="cannot be reached"):
        model.run_windows(window)
    server.start()
    found = []

    def is_back() -> bool:
        try:
            found.append(model.run_windows(window))
        except ServerUnavailableError:
            return False
        return True

    wait_until(is_back, 60, "an answer")
    np.testing.assert_array_equal(found[-1], expected)
    assert server.shared == 2
    assert len(server.regions) == 1


def test_a_server_that_hangs_holds_nobody_up_for_long(
    bundle: Bundle, server: TritonServer, windows: NDArray[np.float32]
) -> None:
    model = TritonModel(bundle, 8, server.address, answer_seconds=0.3, pause_seconds=60.0)
    server.goes_on.clear()
    with pytest.raises(ServerUnavailableError, match=r"no answer within 0.3 s"):
        model.run_windows(windows[:1])
    with pytest.raises(ServerUnavailableError):
        model.run_windows(windows[:1])
    assert server.asked == 1  # the next patches did not wait for it


def test_what_an_ended_process_shared_is_forgotten_by_the_server(bundle: Bundle, server: TritonServer) -> None:
    TritonModel(bundle, 8, server.address)
    (ours,) = server.regions
    server.regions["streamtag-999999999-0123abcd"] = server.regions[ours]
    server.regions["somebody-else"] = server.regions[ours]
    TritonModel(bundle, 8, server.address)
    assert len(server.regions) == 3
    assert "streamtag-999999999-0123abcd" not in server.regions


def test_another_model_is_refused_in_one_line(bundle: Bundle, server: TritonServer) -> None:
    with pytest.raises(RuntimeUnavailableError, match="'other' is not found"):
        TritonModel(bundle, 8, f"{server.address}/other")
    server.labels = 7
    with pytest.raises(BundleError, match="scores 7 labels, and the bundle has"):
        TritonModel(bundle, 8, server.address)


def test_a_server_that_came_back_with_another_model_is_not_believed(
    bundle: Bundle, server: TritonServer, windows: NDArray[np.float32]
) -> None:
    model = TritonModel(bundle, 8, server.address)
    server.labels = 7
    with pytest.raises(ServerUnavailableError, match="another one"):
        model.run_windows(windows[:1])


def test_no_server_is_one_line(bundle: Bundle) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"the Triton server at 127.0.0.1:1: it cannot be reached"):
        TritonModel(bundle, 8, "127.0.0.1:1")
