import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from tests.ports import free_port
from train.settings import Settings

# Two processes with what `torchrun` gives to each; forked, so that the libraries are imported once.
_FIT = """
import os, pickle, sys
from pathlib import Path
import torch, torch._dynamo  # which every optimiser imports
from train import loop
from train.fit import fit

def fit_as(rank):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    settings = pickle.loads(Path(sys.argv[1]).read_bytes())
    kept = []
    start = loop._start
    loop._start = lambda *given: kept.append(start(*given)) or kept[-1]
    fit(settings)
    torch.save(kept[0].student.state_dict(), settings.output / f"rank-{rank}.pt")

second = os.fork()
fit_as(0 if second else 1)
if second:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]))
"""


@pytest.mark.timeout(240)
def test_two_processes_end_with_the_same_weights_and_one_journal(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    run = settings(steps=2, checkpoint_every=2, report_every=1)
    run = msgspec.structs.replace(run, shard=32, cache=None)
    (tmp_path / "settings").write_bytes(pickle.dumps(run))
    done = subprocess.run(
        [sys.executable, "-c", _FIT, str(tmp_path / "settings")], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin",
             "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    one, other = (torch.load(run.output / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    learnt = [name for name in one if "running" not in name and "batches" not in name]
    assert all(torch.equal(one[name], other[name]) for name in learnt)
    rows = (run.output / "progress.csv").read_text().splitlines()
    assert [row for row in rows if ",loss," in row] == [row for row in rows if row.startswith(("1,loss,", "2,loss,"))]
    assert sum(",loss," in row for row in rows) == 2
