"""Alerts on the page: shown, tried on the history, and written into the configuration."""

import json
import time
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.requests import Request

from streamtag.alerts import Decision, Moment
from streamtag.alerts.log import AlertLog
from streamtag.config import load_config
from streamtag.dashboard.alert_routes import AlertRoutes
from streamtag.dashboard.alert_words import sentence
from streamtag.dashboard.hub import Hub
from streamtag.history.store import Begin, End, Store
from streamtag.settings import AlertSettings, Config, HistorySettings

TEXT = """# Ours
[history]
path = "history.sqlite"

[[notify]]
name = "phone"
urls = ["json://me:secret@localhost"]

[[alert]]
name = "dog"   # it barks a lot
when = "Dog"
cooldown_seconds = 60

[[stream]]
id = "porch"
source = "mic:"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration, and a history with a bark a minute for half an hour."""
    now = time.time()
    store = Store(tmp_path / "history.sqlite", HistorySettings())
    for number in range(30):
        begin = now - 1800 + 60 * number
        store.write([Begin(number, "porch", "Dog", begin, 60.0 * number, 0.9), End(number, 60.0 * number + 2, 0.95)])
    store.close()
    path = tmp_path / "live.toml"
    path.write_text(TEXT)
    return path


class Labels:
    """What the page knows of a service: its labels."""

    def every_label(self) -> list[str]:
        return ["Dog", "Cat", "Speech"]


class Page:
    """The page's answers about alerts."""

    def __init__(self, config: Config, *, may_write: bool = True) -> None:
        self.routes = AlertRoutes(cast(Hub, Labels()), config, may_write=may_write)

    def ask(self, name: str, /, **query: str) -> dict[str, Any]:
        request = Request(
            {
                "type": "http",
                "method": "GET",
                "headers": [],
                "query_string": "&".join(f"{key}={_quoted(value)}" for key, value in query.items()).encode(),
            }
        )
        answer = getattr(self.routes, name)(request)
        return cast(dict[str, Any], json.loads(bytes(answer.body)))

    def attempt(self, **fields: object) -> dict[str, Any]:
        return self.ask("preview", alert=json.dumps({"name": "dog", "when": "Dog", **fields}))

    def save(self, before: str = "", **fields: object) -> dict[str, Any]:
        return self.ask("save", alert=json.dumps(fields), before=before)


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


@pytest.fixture
def page(path: Path) -> Page:
    return Page(load_config(path))


def test_alerts_are_shown_in_words_with_what_came_of_them(path: Path, page: Page) -> None:
    log = AlertLog(path.with_name("history-alerts.sqlite"), keep_days=1.0)
    moment = Moment(0.0, time.time())
    log.put(
        [
            Decision("dog", "porch", "Dog", moment, moment, 0.9, True, ""),
            Decision("dog", "porch", "Dog", moment, moment, 0.8, False, "Speech was heard too"),
        ]
    )
    log.close()
    shown = page.ask("show")
    (alert,) = shown["alerts"]
    assert alert["words"] == "Dog, at most once in 1 min; tells phone."
    assert alert["fields"] == {"name": "dog", "when": "Dog", "cooldown_seconds": 60.0, "send": ["phone"]}
    assert [(each["alert"], each["reason"]) for each in shown["told"]] == [("dog", "")]
    assert [each["reason"] for each in shown["held"]] == ["Speech was heard too"]
    assert shown["recipients"] == ["phone"]
    assert "secret" not in json.dumps(shown)


def test_an_alert_is_tried_on_the_last_day_before_it_is_saved(path: Path, page: Page) -> None:
    tried = page.attempt(cooldown_seconds=600)
    assert (tried["told"], tried["held"]) == (3, 27)
    assert tried["decisions"][0]["reason"] == "within 600 s of the one before"
    assert page.attempt(cooldown_seconds=0)["told"] == 30
    assert page.attempt(on=0.99)["told"] == 0
    assert path.read_text() == TEXT


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"when": "Dgo"}, 'The model has no label Dgo; did you mean "Dog"?'),
        ({"on": 3}, "On: must be of a label a score from 0 to 1."),
        ({"between": ["25:00", "06:00"]}, "Between = a list: must be two times of the day"),
        ({"between": ["sunset", "06:00"]}, "Between: sunrise and sunset need [service] latitude and longitude."),
        ({"send": ["nobody"]}, 'Send: there is no "nobody"'),
        ({"when": "level", "on": -20}, "this cannot be tried"),
        ({"sends": []}, "That is no alert."),
    ],
)
def test_what_is_no_alert_is_said_in_a_sentence(page: Page, fields: dict[str, object], wrong: str) -> None:
    assert wrong in page.attempt(**fields)["error"]


def test_a_saved_alert_stands_in_the_file_and_nothing_else_changes(path: Path, page: Page) -> None:
    assert page.save(name="cat", when="Cat", on=0.7, between=["22:00", "06:30"]) == {"saved": True}
    assert path.read_text().startswith(TEXT[: TEXT.index("[[stream]]")].rstrip())
    first, second = load_config(path).alerts
    assert (first.name, second.name, second.on, second.between) == ("dog", "cat", 0.7, ("22:00", "06:30"))
    assert load_config(path).streams[0].id == "porch"


def test_an_edited_alert_keeps_its_place_and_its_comment(path: Path, page: Page) -> None:
    assert page.save("dog", name="dogs", when="Dog", unless=["Speech"]) == {"saved": True}
    (alert,) = load_config(path).alerts
    assert (alert.name, alert.unless, alert.cooldown_seconds) == ("dogs", ("Speech",), 300.0)
    assert "# it barks a lot" in path.read_text()


def test_two_of_one_name_are_not_saved(path: Path, page: Page) -> None:
    assert "another alert has this name" in page.save(name="dog", when="Cat")["error"]
    assert path.read_text() == TEXT


def test_a_removed_alert_is_gone(path: Path, page: Page) -> None:
    assert page.ask("remove", name="cat") == {"error": "There is no such alert any more."}
    assert page.ask("remove", name="dog") == {"saved": True}
    assert load_config(path).alerts == ()
    assert page.ask("remove", name="dog") == {"error": "There is no such alert any more."}


def test_where_the_page_may_not_write_nothing_is_written(path: Path) -> None:
    page = Page(load_config(path), may_write=False)
    assert "switched off" in page.ask("show")["cannot_save"]
    assert "switched off" in page.save(name="cat", when="Cat")["error"]
    assert "switched off" in page.ask("remove", name="dog")["error"]
    assert path.read_text() == TEXT
    assert "nowhere to save to" in Page(Config()).save(name="cat", when="Cat")["error"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {
                "when": "Any dog",
                "on": 0.6,
                "streams": ("porch", "yard"),
                "unless": ("Speech",),
                "send": ("mqtt", "phone"),
            },
            "Any dog with a score of 0.6, on porch or yard, unless Speech is heard or was in the last 10 s, "
            "at most once in 5 min; tells mqtt and phone.",
        ),
        (
            {
                "when": "level",
                "on": -20.0,
                "for_seconds": 90.0,
                "days": ("sat", "sun"),
                "send": ("phone",),
                "clip": True,
            },
            "Louder than -20 dBFS, for 90 s, on sat and sun, at most once in 5 min; tells phone, with the recording.",
        ),
        (
            {"when": "state", "on": ("failed",), "between": ("sunset", "06:30"), "cooldown_seconds": 0.0},
            "The stream is failed, between sunset and 06:30; is in the log alone.",
        ),
        ({"when": "Dog", "count": 3, "cooldown_seconds": 0.0}, "Dog, 3 times within 1 min; is in the log alone."),
    ],
)
def test_an_alert_is_a_sentence(settings: dict[str, Any], words: str) -> None:
    assert sentence(AlertSettings(name="it", **settings)) == words
