from pathlib import Path

import pytest

from streamtag.process import Process
from streamtag.tagging import pool
from tests.bundles import make_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to a process goes by the names of its recordings."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(pool, "Process", lambda _, words: Process("tests.tagging.odd_worker", words))
