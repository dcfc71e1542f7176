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


STEPS = """
import resource, sys, torch
from train.workers import keep_memory

if sys.argv[1:] == ["keep"]:
    keep_memory()
for step in range(40):
    if step == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    made = [torch.ones(1 << 24) for _ in range(2)]
    del made
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone gives its memory back so")
def test_a_step_of_training_gets_the_memory_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(STEPS)
    faults = [
        int(
            subprocess.check_output(
                [sys.executable, str(tmp_path / "steps.py"), *how], env=os.environ | {"PYTHONPATH": os.getcwd()}
            )
        )
        for how in ((), ("keep",))
    ]
    assert faults[1] * 10 < faults[0]


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
