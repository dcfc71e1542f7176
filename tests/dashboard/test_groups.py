"""Groups of sounds on the page: shown, made of a tree of all sounds, written into the configuration."""

import json
import tomllib
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from streamtag.bundle import Bundle
from streamtag.config import load_config
from streamtag.dashboard.group_routes import GroupRoutes
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.sound_tree import sounds_of, tree
from streamtag.settings import Config

TEXT = """# my cellar
[groups]
"Any dog" = ["Dog", "Howl"]  # and the neighbour's
"Noise" = ["Rain"]

[events.labels."Any dog"]
on = 0.6

[[stream]]
id = "porch"
source = "zmq:"
"""


class Labels:
    """What the page knows of a service: its labels."""

    def every_label(self) -> list[str]:
        return ["Dog", "Howl", "Cat", "Rain", "Mine", "Any dog", "Noise"]


class Page:
    """The page's answers about groups."""

    def __init__(self, config: Config, *, may_write: bool = True) -> None:
        self._routes = GroupRoutes(cast(Hub, Labels()), config, may_write=may_write)

    def ask(self, what: str, **query: str) -> dict[str, Any]:
        scope = {"type": "http", "method": "GET", "headers": [], "query_string": urlencode(query).encode()}
        found: dict[str, Any] = json.loads(bytes(getattr(self._routes, what)(Request(scope)).body))
        return found

    def save(self, name: str, *labels: str, before: str = "") -> dict[str, Any]:
        return self.ask("save", group=json.dumps({"name": name, "labels": labels, "before": before}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "live.toml"
    path.write_text(TEXT)
    return path


def test_the_tree_knows_every_label_of_audioset_and_what_is_above_it() -> None:
    parents = tree()
    assert parents["Dog"] == ("Domestic animals, pets",)
    assert all(parent in parents for above in parents.values() for parent in above)
    assert len(set(Bundle.open("default").labels) - parents.keys()) <= 3


def test_labels_stand_below_what_is_above_them_and_unknown_ones_at_the_top() -> None:
    sounds = {sound.name: sound for sound in sounds_of(["Howl", "Mine"])}
    assert sounds["Mine"] == ("Mine", (), True)
    assert sounds["Howl"].is_label
    assert not sounds["Animal"].is_label
    assert sounds["Animal"].parents == ()


def test_groups_are_shown_and_are_no_sounds_to_make_others_of(path: Path) -> None:
    answer = Page(load_config(path)).ask("show")
    assert answer["groups"][0] == {"name": "Any dog", "labels": ["Dog", "Howl"]}
    assert {name for name, _, is_label in answer["sounds"] if is_label} == {"Dog", "Howl", "Cat", "Rain", "Mine"}
    assert answer["cannot_save"] == ""


def test_a_saved_group_stands_in_the_file_and_nothing_else_changes(path: Path) -> None:
    page = Page(load_config(path))
    assert page.save("Pets", "Dog", "Cat") == {"saved": True}
    assert page.save("Any dog", "Dog", "Howl", "Mine", before="Any dog") == {"saved": True}
    assert page.ask("remove", name="Noise") == {"saved": True}
    assert load_config(path).groups == {"Any dog": ("Dog", "Howl", "Mine"), "Pets": ("Dog", "Cat")}
    text = path.read_text()
    assert text.startswith("# my cellar\n")
    assert tomllib.loads(text)["events"] == tomllib.loads(TEXT)["events"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"group": "["}, "That is no group."),
        ({"group": '{"name": " ", "labels": ["Dog"]}'}, "A group has a name"),
        ({"group": '{"name": "Nothing", "labels": []}'}, "at least one sound"),
        ({"group": '{"name": "Any dog", "labels": ["Cat"]}'}, "There is a group of this name already."),
        ({"group": '{"name": "Cat", "labels": ["Dog"]}'}, "a label is called so"),
        ({"group": '{"name": "Pets", "labels": ["Dgo"]}'}, 'no label "Dgo"; did you mean "Dog"'),
        ({"group": '{"name": "Dogs", "labels": ["Dog"], "before": "Any dog"}'}, '[events.labels."Any dog"]'),
    ],
)
def test_what_is_no_group_is_said_and_the_file_stays(path: Path, asked: dict[str, str], words: str) -> None:
    answer = Page(load_config(path)).ask("save", **asked)
    assert words in answer["error"]
    assert path.read_text() == TEXT


def test_nothing_is_written_where_that_is_not_allowed(path: Path) -> None:
    page = Page(load_config(path), may_write=False)
    assert "--allow-write" in page.save("Pets", "Dog")["error"]
    assert "--allow-write" in page.ask("show")["cannot_save"]
    assert path.read_text() == TEXT
