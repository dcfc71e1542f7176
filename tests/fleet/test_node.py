import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtag.backoff import Backoff
from streamtag.fleet.lease import Tenure
from streamtag.fleet.node import NodeService
from tests.real.servers import wait_until


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeService]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "streamtag-node-999999999-old").mkdir()
    (tmp_path / f"streamtag-node-{os.getpid()}-other").mkdir()
    service = NodeService("127.0.0.1", None, lambda term: False, Backoff(0.1, 30.0))
    yield service
    service.stop()


def test_what_was_left_behind_by_the_killed_is_removed(service: NodeService, tmp_path: Path) -> None:
    names = {folder.name for folder in tmp_path.glob("streamtag-node-*")}
    assert "streamtag-node-999999999-old" not in names
    assert len(names) == 2
    assert service._file.parent.stat().st_mode & 0o077 == 0


def test_a_service_that_fails_says_why_and_is_tried_again(service: NodeService) -> None:
    text = "[model]\nbundle = 5\n"
    service.assign(text, text, 1)
    wait_until(lambda: service.report().restarts, 60, "its end")
    assert "bundle = 5: must be a text" in service.report().reason


def test_a_term_that_is_over_leaves_nothing_to_score(service: NodeService, monkeypatch: pytest.MonkeyPatch) -> None:
    service.assign("[model]\nbundle = 5\n", "[model]\nbundle = 6\n", 1)
    monkeypatch.setattr(Tenure, "holds", lambda self, now: False)
    wait_until(lambda: service.report().is_idle, 60, "its rest")
    assert "6" in service._file.read_text()
    service.assign("[model]\nbundle = 7\n", "[model]\nbundle = 6\n", 1)  # of the term that is over
    assert "6" in service._file.read_text()
