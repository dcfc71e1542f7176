"""Pictures of events, what visitors say of them, and labels taught: asked as the page asks."""

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.history_routes import HistoryRoutes
from streamtag.dashboard.recordings import Recordings
from streamtag.dashboard.review_routes import ReviewRoutes
from streamtag.dashboard.spool import Spool
from streamtag.dashboard.taught import Taught
from streamtag.dashboard.teach_routes import TeachRoutes
from streamtag.history.clips import Clip
from streamtag.history.store import Begin, End, Store
from streamtag.settings import Config, HistorySettings, ModelSettings
from tests.bundles import make_bundle
from tests.sounds import tone

BEGAN = 1_700_000_000.0


class Site:
    """The routes of a page, as one visitor asks them."""

    def __init__(self, folder: Path, *, may_write: bool = True) -> None:
        self.folder = folder
        self.config = Config(
            history=HistorySettings(path=str(folder / "history.sqlite"), keep_days=36500, clips=True),
            model=ModelSettings(bundle=str(make_bundle(folder / "tiny")), heads=str(folder / "heads")),
        )
        with closing(Store(folder / "history.sqlite", self.config.history, session="5e551011")) as store:
            store.write(
                [Begin(number, "porch", "Dog", BEGAN + 60 * number, 1.0, 0.5 + number / 10) for number in range(3)]
            )
            store.write([End(0, 2.0, 0.6)])
            store.keep(Clip(0, np.rint(8000 * tone(2.0, 1000)).astype(np.int16)))
        self.spool = Spool(folder)
        self.recordings = Recordings(self.config, self.spool)
        taught = Taught(self.config, self.recordings.pool)
        self.past = HistoryRoutes(self.config)
        self.review = ReviewRoutes(taught, may_write=may_write, user="")
        self.teaching = TeachRoutes(taught, self.spool, may_write=may_write)

    def ask(self, route: Any, body: bytes = b"", **query: object) -> tuple[int, Any]:
        answer = self.answer(route, body, **query)
        return answer.status_code, json.loads(bytes(answer.body))

    def answer(self, route: Any, body: bytes = b"", **query: object) -> Response:
        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {
            "type": "http",
            "method": "POST",
            "query_string": urlencode(query).encode(),
            "headers": [],
            "path_params": {"event": str(query.get("event", ""))},
            VISITOR: "192.0.2.1",
        }
        answer = route(Request(scope, receive))
        answered: Response = asyncio.run(answer) if asyncio.iscoroutine(answer) else answer
        return answered

    def events(self) -> list[dict[str, Any]]:
        return list(self.ask(self.past.search)[1]["events"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all, with one process that embeds: each test leaves it as it was."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.recordings.close()


def lesson(name: str, *sounds: np.ndarray, source: str = "porch 12:00") -> bytes:
    examples = [
        {"source": source, "sound": base64.b64encode(np.rint(32767 * each).astype("<i2").tobytes()).decode()}
        for each in sounds
    ]
    return json.dumps({"name": name, "like": examples, "unlike": []}).encode()


def test_an_event_with_a_recording_has_a_picture_and_others_have_none(site: Site) -> None:
    newest, _, oldest = site.events()
    answer = site.answer(site.review.picture, event=oldest["id"])
    with Image.open(io.BytesIO(bytes(answer.body))) as image:
        assert (image.format, image.size) == ("PNG", (200, 64))
    assert site.answer(site.review.picture, event=newest["id"]).status_code == 404


def test_an_answer_stands_beside_its_event_until_it_is_taken_back(site: Site) -> None:
    event = site.events()[0]
    assert event["right"] is None
    status, said = site.ask(site.review.judge, event=event["id"], right="no")
    assert (status, said["name"]) == (200, event["name"])
    assert [each["right"] for each in site.events()] == [False, None, None]
    (verdict,) = site.ask(site.teaching.show)[1]["verdicts"]
    assert (verdict["label"], verdict["right"], verdict["who"]) == ("Dog", False, "192.0.2.1")
    (raised,) = site.ask(site.teaching.show)[1]["raised"]
    assert (raised["label"], raised["stream"], raised["before"]) == ("Dog", "porch", 0.5)
    assert raised["on"] > event["peak"]
    assert site.ask(site.review.judge, name=event["name"])[0] == 200
    assert site.ask(site.teaching.show)[1]["raised"] == []
    assert [each["right"] for each in site.events()] == [None, None, None]


def test_what_no_embedding_was_kept_of_is_told_so(site: Site) -> None:
    status, said = site.ask(site.review.like, event=site.events()[0]["id"])
    assert (status, said["error"][:33]) == (422, "The history keeps no embeddings: ")


def test_who_may_not_write_may_neither_answer_nor_teach(tmp_path: Path) -> None:
    site = Site(tmp_path, may_write=False)
    event = site.events()[0]
    for status, said in (
        site.ask(site.review.judge, event=event["id"], right="no"),
        site.ask(site.teaching.teach, lesson("Bell", tone(1.0))),
        site.ask(site.teaching.forget, name="Bell"),
    ):
        assert (status, said["error"]) == (
            403,
            "This page may not change anything: start it with --auth or --allow-write.",
        )
    assert site.events()[0]["right"] is None
    assert site.ask(site.teaching.show)[1]["cannot"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "These are no examples."),
        (b"[" * 100_000, "These are no examples."),
        (lesson("Bell", *[np.zeros(1)] * 101), "At most 100 examples at a time."),
        (lesson("Bell", np.zeros(16000)), "There is no example that can be heard"),
        (lesson("Bell"), "can be heard"),
        (lesson("Hiss", tone(1.0)), "choose another name"),
        (lesson("", tone(1.0)), "cannot name a label"),
    ],
)
def test_a_lesson_that_is_none_is_refused_in_plain_words(site: Site, body: bytes, words: str) -> None:
    status, said = site.ask(site.teaching.teach, body)
    assert status == 422
    assert words in said["error"]
    assert str(site.folder) not in said["error"]


def test_a_label_is_taught_taught_more_and_forgotten_example_by_example(site: Site) -> None:
    status, said = site.ask(site.teaching.teach, lesson("Bell", tone(1.0, 4000), tone(1.5, 4100)))
    assert (status, said.get("error")) == (200, None)
    assert [each["source"] for each in said["label"]["like"]] == ["porch 12:00"]
    site.ask(site.teaching.teach, lesson("Bell", tone(1.0, 3900), source="yard 13:00"))
    (label,) = site.ask(site.teaching.show)[1]["labels"]
    assert [each["source"] for each in label["like"]] == ["porch 12:00", "yard 13:00"]
    assert site.ask(site.teaching.forget, name="Bell", source="porch 12:00")[0] == 200
    (label,) = site.ask(site.teaching.show)[1]["labels"]
    assert [each["source"] for each in label["like"]] == ["yard 13:00"]
    assert site.ask(site.teaching.forget, name="Bell", source="yard 13:00")[0] == 422
    assert site.ask(site.teaching.forget, name="Bell") == (200, {"words": "Bell is forgotten."})
    assert site.ask(site.teaching.found, name="Bell")[0] == 404


@pytest.mark.parametrize(("body", "rate"), [(b"", 16000), (b"123", 16000), (b"1234", 1), (b"1234", "x")])
def test_what_is_no_sound_has_no_picture(site: Site, body: bytes, rate: object) -> None:
    assert site.ask(site.teaching.picture, body, rate=rate) == (422, {"error": "That is no sound."})


def test_sound_to_mark_has_a_picture(site: Site) -> None:
    sound = np.rint(8000 * tone(2.0, 1000, 48000)).astype("<i2").tobytes()
    with Image.open(io.BytesIO(bytes(site.answer(site.teaching.picture, sound, rate=48000).body))) as image:
        assert image.size == (200, 64)
