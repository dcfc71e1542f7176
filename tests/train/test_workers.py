import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.servers import is_running, wait_until

WORK = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor

from train.workers import end_with_parent

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context, initializer=end_with_parent) as pool:
        sleeping = [pool.submit(time.sleep, 60) for _ in range(2)]
        print(*pool._processes, flush=True)
        sleeping[0].result()
"""


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_end_when_who_started_them_is_killed(context: str, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    command = [sys.executable, str(tmp_path / "work.py"), context]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()}
    ) as main:
        assert main.stdout is not None
        workers = [int(number) for number in main.stdout.readline().split()]
        assert len(workers) == 2
        assert all(is_running(worker) for worker in workers)
        main.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_running(worker) for worker in workers), 60, "the workers' end")


def test_all_libraries_of_a_worker_compute_with_one_thread() -> None:
    program = (
        "import numpy, torch, sklearn.cluster\n"
        "from threadpoolctl import threadpool_info\n"
        "from train.workers import limit_threads\n"
        "limit_threads(1)\n"
        "print({pool['num_threads'] for pool in threadpool_info()}, torch.get_num_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "{1} 1\n"
