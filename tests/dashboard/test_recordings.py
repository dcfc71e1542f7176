from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from streamtag.dashboard.access import Access
from streamtag.dashboard.hosts import HostNames
from streamtag.dashboard.login import Logins
from streamtag.dashboard.recordings import MOST_BYTES, Recordings
from streamtag.dashboard.spool import Spool
from streamtag.settings import Config, ModelSettings
from tests.bundles import make_bundle
from tests.media import encode
from tests.tagging.odd_workers import odd_workers


@pytest.fixture
def page(tmp_path: Path) -> Iterator[TestClient]:
    """The page's place for recordings."""
    bundle = make_bundle(tmp_path / "tiny")
    spool = Spool(tmp_path)
    recordings = Recordings(Config(model=ModelSettings(bundle=str(bundle))), spool)
    routes = Starlette(routes=[Route("/", recordings.serve, methods=["POST"])])
    access = Access(routes, logins=Logins(None, "visit"), names=HostNames(["testserver"]), large={"/": MOST_BYTES})
    yield TestClient(access)
    recordings.close()


def test_a_recording_is_tagged_and_its_scores_are_told(page: TestClient, tmp_path: Path) -> None:
    answer = page.post("/", content=encode(tmp_path / "a.m4a", layout="7.1", seconds=3.0).read_bytes())
    assert answer.status_code == 200
    told = answer.json()
    assert told["seconds"] == pytest.approx(3.0, abs=0.1)
    assert len(told["scores"]) == len(told["starts"]) == 3


def test_what_is_no_recording_is_refused_in_words(page: TestClient) -> None:
    answer = page.post("/", content=b"no sound at all" * 100)
    assert answer.status_code == 422
    assert answer.json() == {"error": "This recording cannot be tagged: it is not audio that FFmpeg can read."}


def test_an_upload_that_brings_its_decoder_down_is_refused_and_the_next_is_tagged(
    page: TestClient, tmp_path: Path
) -> None:
    good = encode(tmp_path / "a.flac").read_bytes()
    with odd_workers(ODD_WORKER="crash"):
        for _ in range(2):
            answer = page.post("/", content=good)
            assert answer.status_code == 422
            assert answer.json() == {"error": "This recording cannot be tagged: its decoder crashed (SIGSEGV)."}
    assert page.post("/", content=good).status_code == 200
