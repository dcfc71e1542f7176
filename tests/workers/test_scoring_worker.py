"""Processes that score, and what befalls them."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from streamtag.audio import PATCH_SAMPLES
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.runtimes import open_runtime
from streamtag.runtimes.scorer import Scorer
from streamtag.workers import (
    Open,
    ScoringWorker,
    WorkerLostError,
    WorkerRuntime,
    open_in_workers,
)
from tests.bundles import make_bundle
from tests.real.servers import wait_until

WINDOWS = [np.random.default_rng(seed).normal(0, 0.1, PATCH_SAMPLES).astype(np.float32) for seed in range(8)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="module")
def worker() -> Iterator[ScoringWorker]:
    worker = ScoringWorker(1)
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def order(bundle: Path) -> Open:
    return Open(str(bundle), "onnxruntime", len(WINDOWS), PATCH_SAMPLES)


@pytest.fixture(scope="module")
def runtime(worker: ScoringWorker, order: Open) -> WorkerRuntime:
    (runtime,) = open_in_workers([worker], order)
    return runtime


def begin_anew(worker: ScoringWorker) -> None:
    wait_until(lambda: worker.look(0.2), 60, "the next process")


def is_expendable(pid: int) -> bool:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text()) >= 200


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_scores_and_embeddings_are_those_of_this_process(runtime: WorkerRuntime, bundle: Path) -> None:
    here = open_runtime(Bundle.open(bundle), "onnxruntime")
    assert (runtime.name, runtime.device, runtime.precision) == (here.name, here.device, here.precision)
    there, scorer = Scorer(runtime, len(WINDOWS)), Scorer(here, len(WINDOWS))
    for count in (1, 3, len(WINDOWS)):
        expected = scorer.embed(WINDOWS[:count])
        np.testing.assert_array_equal(there.run(WINDOWS[:count]), expected.scores)
        embedded = there.embed(WINDOWS[:count])
        np.testing.assert_array_equal(embedded.scores, expected.scores)
        np.testing.assert_array_equal(embedded.embeddings, expected.embeddings)


def test_a_further_model_stands_beside_the_first(worker: ScoringWorker, runtime: WorkerRuntime, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", ["Low", "High"])
    first = runtime.run_list(WINDOWS)
    further = worker.open(Open(str(other), "onnxruntime", 4 * len(WINDOWS), PATCH_SAMPLES))
    assert further is not None
    assert further.run_list(WINDOWS).shape == (len(WINDOWS), 2)
    np.testing.assert_array_equal(runtime.run_list(WINDOWS), first)


def test_what_cannot_be_opened_is_told_and_harms_nothing(
    worker: ScoringWorker, runtime: WorkerRuntime, order: Open, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="none"):
        worker.open(Open(str(tmp_path / "none"), "onnxruntime", 8, PATCH_SAMPLES))
    with pytest.raises(RuntimeUnavailableError, match="no runtime 'abacus'"):
        worker.open(Open(order.bundle, "abacus", 8, PATCH_SAMPLES))
    assert len(runtime.run_list(WINDOWS)) == len(WINDOWS)


def test_one_that_was_killed_is_noticed_and_begun_anew_with_its_models(
    worker: ScoringWorker, runtime: WorkerRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    before, restarts = runtime.run_list(WINDOWS), worker.restarts
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not worker.look(0.0), 60, "that it is noticed")
    assert "scoring process 1 is lost" in caplog.text
    with pytest.raises(WorkerLostError):
        runtime.run_list(WINDOWS)
    begin_anew(worker)
    assert worker.restarts == restarts + 1
    np.testing.assert_array_equal(runtime.run_list(WINDOWS), before)


def test_one_that_is_stopped_in_the_middle_is_taken_for_lost(
    order: Open,
) -> None:
    worker = ScoringWorker(1, idle_seconds=0.3)
    try:
        (runtime,) = open_in_workers([worker], order)
        stopped = worker.pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        with pytest.raises(WorkerLostError, match=r"it did nothing for 0.3 s"):
            runtime.run_list(WINDOWS)
        wait_until(lambda: not is_there(stopped), 60, "its end")
        begin_anew(worker)
    finally:
        worker.close()


def test_a_model_that_nobody_uses_any_more_is_let_go_of_and_others_go_on(
    worker: ScoringWorker, runtime: WorkerRuntime, order: Open
) -> None:
    before = runtime.run_list(WINDOWS)
    gc.collect()  # what tests before this one opened is let go of now and not in the middle of this one
    assert worker.look(0.0)
    kept = set(worker._orders)
    further = worker.open(order)
    assert further is not None
    np.testing.assert_array_equal(further.run_list(WINDOWS), before)
    assert worker.look(0.0)
    assert set(worker._orders) > kept
    del further
    assert worker.look(0.0)
    assert set(worker._orders) == kept
    np.testing.assert_array_equal(runtime.run_list(WINDOWS), before)


def test_a_model_that_is_opened_while_one_is_lost_is_there_with_the_next(
    worker: ScoringWorker, runtime: WorkerRuntime, order: Open
) -> None:
    before = runtime.run_list(WINDOWS)
    other = ScoringWorker(2)
    try:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: not worker.look(0.0), 60, "that it is noticed")
        late, there = open_in_workers([worker, other], order)
        np.testing.assert_array_equal(there.run_list(WINDOWS), before)
        with pytest.raises(WorkerLostError):
            late.run_list(WINDOWS)
        begin_anew(worker)
        np.testing.assert_array_equal(late.run_list(WINDOWS), before)
        np.testing.assert_array_equal(runtime.run_list(WINDOWS), before)
    finally:
        other.close()


def test_where_all_are_lost_a_model_is_refused(worker: ScoringWorker, runtime: WorkerRuntime, order: Open) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not worker.look(0.0), 60, "that it is noticed")
    with pytest.raises(RuntimeUnavailableError, match="all scoring processes are lost"):
        open_in_workers([worker], order, wait_seconds=0.0)
    begin_anew(worker)
    assert len(runtime.run_list(WINDOWS)) == len(WINDOWS)


def test_one_that_is_stopped_does_not_outlive_a_service_that_is_killed() -> None:
    program = """
        import os, signal
        from streamtag.workers import ScoringWorker
        workers = [ScoringWorker(1), ScoringWorker(2)]
        print(*(worker.pid for worker in workers), flush=True)
        input()
        os.kill(workers[0].pid, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        pids = [int(word) for word in service.stdout.readline().split()]
        for pid in pids:
            wait_until(partial(is_expendable, pid), 60, "that it is expendable")
        service.stdin.write("\n")
        service.stdin.flush()
        assert service.wait() == -signal.SIGKILL
    wait_until(lambda: not any(map(is_there, pids)), 60, "the end of all processes")
