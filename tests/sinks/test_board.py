import json

from streamtag.sinks.board import Board
from streamtag.wire import ServiceHeader, StatusHeader
from tests.wire import samples

CONFIG = "homeassistant/device/streamtag_cellar_{}/config"


def board() -> Board:
    return Board(base="s/cellar", service="cellar", discovery="homeassistant", labels=("Dog",), began=0.0)


def service(*streams: str, private: tuple[str, ...] = ()) -> ServiceHeader:
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.private = [*streams, *private], list(private)
    return header


def status(stream: str, state: str, *, paused: bool = False) -> StatusHeader:
    header = samples.status(stream, state).header
    assert isinstance(header, StatusHeader)
    header.paused = paused
    return header


def test_a_stream_that_leaves_the_configuration_is_taken_away_and_one_that_changed_is_not() -> None:
    told = board()
    list(told.hear(service("porch", "yard"), 0.0))
    list(told.hear(service("porch"), 1.0))
    list(told.look(5.0))
    list(told.hear(service("porch", "yard"), 6.0))  # its settings changed, and it came again
    list(told.look(12.0))
    assert CONFIG.format("yard") in told.kept
    list(told.hear(service("porch"), 13.0))
    list(told.look(22.9))
    assert CONFIG.format("yard") in told.kept
    list(told.hear(service("porch"), 22.9))
    list(told.look(23.0))
    assert not [topic for topic in told.kept if "yard" in topic]
    assert CONFIG.format("porch") in told.kept


def test_a_service_that_says_nothing_any_more_is_offline_and_takes_no_stream_away() -> None:
    told = board()
    list(told.hear(service("porch"), 0.0))
    list(told.look(14.0))
    assert told.kept["s/cellar/status"] == "online"
    list(told.look(16.0))
    assert told.kept["s/cellar/status"] == "offline"
    assert CONFIG.format("porch") in told.kept


def test_a_pause_is_told_beside_the_state_whatever_that_is() -> None:
    told = board()
    list(told.hear(service("porch"), 0.0))
    assert told.kept["s/cellar/porch/enabled"] == "ON"
    for state in ("paused", "reconnecting"):
        list(told.hear(status("porch", state, paused=True), 1.0))
        assert (told.kept["s/cellar/porch/state"], told.kept["s/cellar/porch/enabled"]) == (state, "OFF")
        assert told.kept["s/cellar/porch/status"] == "offline"
    list(told.hear(status("porch", "reconnecting"), 2.0))
    assert told.kept["s/cellar/porch/enabled"] == "ON"


def test_a_stream_that_is_another_s_beginning_shares_no_id_with_it_whichever_came_first() -> None:
    for streams in (("porch", "porch_dog"), ("porch_dog", "porch")):
        told = Board(base="s/cellar", service="cellar", discovery="homeassistant", labels=("Dog", "Dog dog"), began=0.0)
        for number in range(len(streams)):
            list(told.hear(service(*streams[: number + 1]), float(number)))
        ids = [
            component["unique_id"]
            for stream in streams
            for component in json.loads(told.kept[CONFIG.format(stream)])["components"].values()
        ]
        assert len(ids) == len(set(ids))


def test_a_visitor_s_microphone_has_no_topics() -> None:
    told = board()
    list(told.hear(service("porch", private=("lent",)), 0.0))
    assert not [topic for topic in told.kept if "lent" in topic]
