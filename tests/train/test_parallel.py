import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from train.settings import Settings

_FIT = """
import pickle, sys, torch
from pathlib import Path
from train import loop
from train.fit import fit
settings = pickle.loads(Path(sys.argv[1]).read_bytes())
kept = []
start = loop._start
loop._start = lambda *given: kept.append(start(*given)) or kept[-1]
fit(settings)
import os
torch.save(kept[0].student.state_dict(), settings.output / f"rank-{os.environ['RANK']}.pt")
"""


@pytest.mark.timeout(240)
def test_two_processes_end_with_the_same_weights_and_one_journal(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    run = settings(steps=4, checkpoint_every=2, report_every=2)
    run = msgspec.structs.replace(run, shard=32)
    (tmp_path / "settings").write_bytes(pickle.dumps(run))
    (tmp_path / "fit.py").write_text(_FIT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, str(tmp_path / "fit.py"), str(tmp_path / "settings")], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    one, other = (torch.load(run.output / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    learnt = [name for name in one if "running" not in name and "batches" not in name]
    assert all(torch.equal(one[name], other[name]) for name in learnt)
    rows = (run.output / "progress.csv").read_text().splitlines()
    assert [row for row in rows if ",loss," in row] == [row for row in rows if row.startswith(("2,loss,", "4,loss,"))]
    assert sum(",loss," in row for row in rows) == 2
