"""The client in C, compiled here, against a real publisher."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from streamtag.wire import Publisher
from tests.real.servers import program_path
from tests.wire.samples import scores

SOURCE = Path(__file__).parents[2] / "examples" / "c" / "subscriber.c"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    program = tmp_path / "subscriber"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2"]
    subprocess.run([program_path("cc"), *flags, "-o", program, SOURCE, "-lzmq"], check=True, timeout=60)
    return program


def test_it_prints_headers_and_every_score(program: Path, publisher: Publisher) -> None:
    publisher.publish([scores("porch", patch=3, labels=7)])
    done = subprocess.run([program, publisher.endpoint, "1"], check=True, timeout=60, capture_output=True, text=True)
    (line,) = done.stdout.splitlines()
    message = json.loads(line)
    assert message["topic"] == "scores/porch/"
    assert (message["header"]["stream"], message["header"]["n"]) == ("porch", 7)
    assert np.array_equal(np.float32(message["patch"]), np.linspace(0, 1, 14, dtype=np.float32)[:7])


def test_an_address_that_is_none_is_named(program: Path) -> None:
    done = subprocess.run([program, "nowhere"], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere" in done.stderr
