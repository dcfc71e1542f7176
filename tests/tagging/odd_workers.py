from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamtag.process import Process
from streamtag.tagging import pool
from tests.forking import own_fork_server


@contextmanager
def odd_workers(**environment: str) -> Iterator[None]:
    """Have what tags be what `odd_worker.py` makes of it, with more in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(pool, "Process", lambda _, words: Process("tests.tagging.odd_worker", words))
        with own_fork_server():
            yield
