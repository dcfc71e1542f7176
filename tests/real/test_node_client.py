"""The wire as a program of another language reads it: the client of the documents, in Node."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from streamtag.wire import Publisher
from tests.wire.samples import scores

EXAMPLE = Path(__file__).parents[2] / "examples" / "node"


@pytest.mark.timeout(240)
def test_a_client_in_node_reads_a_score(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc", "subscriber.mjs"):
        shutil.copy(EXAMPLE / name, tmp_path)
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]  # zeromq brings its addon built
    subprocess.run(install, cwd=tmp_path, check=True, timeout=180)
    publisher = Publisher(f"ipc://{tmp_path}/scores")
    publisher.start()
    publisher.publish([scores("porch", patch=3, labels=7)])
    client = subprocess.run(
        ["node", "subscriber.mjs", publisher.endpoint, "1"],
        cwd=tmp_path,
        check=True,
        timeout=50,
        stdout=subprocess.PIPE,
    )
    publisher.stop()
    message = json.loads(client.stdout)
    assert (message["topic"], message["stream"], message["start"]) == ("scores/porch/", "porch", 0.96 * 3)
    assert message["top"] == [{"label": "Dog", "score": 0.75}]
    assert np.array_equal(np.float32(message["patch"]), np.linspace(0, 1, 14, dtype=np.float32)[:7])
