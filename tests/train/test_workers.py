import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from tests.real.servers import is_running, wait_until
from train.workers import limit_threads

WORK = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor

from train.workers import end_with_parent

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=end_with_parent) as pool:
        sleeping = [pool.submit(time.sleep, 60) for _ in range(2)]
        print(*pool._processes, flush=True)
        sleeping[0].result()
"""


def test_workers_end_when_who_started_them_is_killed(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    command = [sys.executable, str(tmp_path / "work.py")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()}
    ) as main:
        assert main.stdout is not None
        workers = [int(number) for number in main.stdout.readline().split()]
        assert len(workers) == 2
        assert all(is_running(worker) for worker in workers)
        main.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_running(worker) for worker in workers), 60, "the workers' end")


@pytest.fixture
def two_threads() -> Iterator[None]:
    """All libraries of this process compute with two threads, and as before when the test is over."""
    import sklearn.cluster  # noqa: F401 - with threads of its own

    before = torch.get_num_threads()
    with threadpool_limits(2):
        torch.set_num_threads(2)
        yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_all_libraries_of_a_worker_compute_with_one_thread() -> None:
    assert {pool["num_threads"] for pool in threadpool_info()} == {2}
    limit_threads(1)
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == 1
