"""What is announced to Home Assistant, against the rules that it publishes."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamtag.bundle import Bundle
from streamtag.sinks.board import Board
from streamtag.wire import ServiceHeader
from tests.wire import samples

RULES = jsonschema_rs.validator_for(json.loads(Path(__file__).with_name("discovery.schema.json").read_text()))
TOPIC = re.compile(r"homeassistant/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")


def announced(labels: tuple[str, ...], *streams: str, takes_requests: bool = True) -> dict[str, dict[str, Any]]:
    """The announcements by their topics."""
    board = Board(base="streamtag/cellar", service="cellar", discovery="homeassistant", labels=labels, began=0.0)
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.input = list(streams), "tcp://127.0.0.1:5557" if takes_requests else None
    assert list(board.hear(header, 0.0)) == []
    return {topic: json.loads(said) for topic, said in board.kept.items() if topic.startswith("homeassistant/")}


def components(announcements: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {id_: component for each in announcements.values() for id_, component in each["components"].items()}


def test_every_label_of_the_model_is_announced_by_the_rules() -> None:
    found = announced(tuple(Bundle.open().labels), "porch", "yard.mic-2")
    assert len(found) == 3
    for topic, announcement in found.items():
        assert TOPIC.fullmatch(topic)
        RULES.validate(announcement)


@settings(max_examples=50)
@given(
    st.lists(st.text(min_size=1, max_size=20).filter(str.strip), max_size=5, unique=True),
    st.lists(st.text("ab_.-", min_size=1, max_size=4), min_size=1, max_size=4, unique=True),
)
@example(labels=["config"], streams=["config"])  # as announcements' topics end
def test_whatever_labels_and_streams_are_called_ids_are_their_own(labels: list[str], streams: list[str]) -> None:
    found = announced(tuple(labels), *streams)
    assert len(found) == 1 + len(streams)
    assert all(TOPIC.fullmatch(topic) for topic in found)
    for announcement in found.values():
        RULES.validate(announcement)
    ids = [component["unique_id"] for each in found.values() for component in each["components"].values()]
    assert len(ids) == len(set(ids))
    topics = [each["state_topic"] for each in components(found).values()]
    assert len(topics) == len(set(topics)) + 1  # the service has two entities of one topic


def test_a_stream_belongs_to_its_service_and_goes_with_either() -> None:
    found = announced(("Dog",), "porch")
    porch = found["homeassistant/device/streamtag_cellar_porch/config"]
    assert porch["device"]["via_device"] == "streamtag_cellar"
    assert [each["topic"] for each in porch["availability"]] == [
        "streamtag/cellar/status",
        "streamtag/cellar/porch/status",
    ]
    assert porch["availability_mode"] == "all"
    switch = porch["components"]["streamtag_cellar_porch_enabled"]
    assert switch["availability"] == [{"topic": "streamtag/cellar/status"}]  # or nobody could switch it on again
    assert switch["command_topic"] == "streamtag/cellar/porch/enabled/set"


def test_a_service_that_takes_no_requests_has_no_switch() -> None:
    platforms = [each["platform"] for each in components(announced(("Dog",), "porch", takes_requests=False)).values()]
    assert "switch" not in platforms


@pytest.mark.parametrize(
    "spoil",
    [
        lambda porch: porch.pop("origin"),
        lambda porch: porch["device"].pop("identifiers"),
        lambda porch: porch.update(components={}),
        lambda porch: porch.update(availability_mode="every"),
        lambda porch: porch["components"]["streamtag_cellar_porch_dog"].pop("unique_id"),
        lambda porch: porch["components"]["streamtag_cellar_porch_dog"].update(platform="ear"),
        lambda porch: porch["components"]["streamtag_cellar_porch_dog"].update(object_id="dog"),
        lambda porch: porch["components"]["streamtag_cellar_porch_level"].update(device_class="sound_pressure"),
        lambda porch: porch["components"]["streamtag_cellar_porch_state"].pop("options"),
        lambda porch: porch["components"]["streamtag_cellar_porch_heard"].update(event_types=[]),
    ],
)
def test_the_rules_refuse_what_home_assistant_refuses(spoil: Callable[[dict[str, Any]], object]) -> None:
    porch = copy.deepcopy(announced(("Dog",), "porch")["homeassistant/device/streamtag_cellar_porch/config"])
    assert RULES.is_valid(porch)
    spoil(porch)
    assert not RULES.is_valid(porch)
