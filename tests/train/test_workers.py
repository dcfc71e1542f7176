import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_end_when_who_started_them_is_killed(context: str, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    command = [sys.executable, tmp_path / "work.py", context]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()}
    ) as main:
        assert main.stdout is not None
        workers = [int(number) for number in main.stdout.readline().split()]
        assert len(workers) == 2
        assert all(runs(worker) for worker in workers)
        main.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(runs(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)
