from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import make_bundle
from tests.tagging.odd_workers import odd_workers


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def odd() -> Iterator[None]:
    """What happens to a process goes by the names of its recordings."""
    with odd_workers():
        yield
