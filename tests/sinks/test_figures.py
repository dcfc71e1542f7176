import time

import pytest

from streamtag.sinks.figures import Figures
from streamtag.sinks.health import health, readiness
from streamtag.wire import EventHeader, ScoresHeader, ServiceHeader, StatusHeader
from tests.wire import samples


def service(*streams: str, session: str = "00000001") -> ServiceHeader:
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.session = list(streams), session
    return header


def status(state: str, lost: int = 0, stream: str = "porch") -> StatusHeader:
    header = samples.status(stream, state).header
    assert isinstance(header, StatusHeader)
    header.lost_samples = lost
    return header


def scores(when: float | None = None) -> ScoresHeader:
    header = samples.scores().header
    assert isinstance(header, ScoresHeader)
    header.time = time.time() if when is None else when
    return header


def event(state: str, label: str = "Dog", when: float | None = None) -> EventHeader:
    header = samples.event().header
    assert isinstance(header, EventHeader)
    header.state, header.label = state, label
    header.time = time.time() if when is None else when
    return header


@pytest.fixture
def figures() -> Figures:
    return Figures(["Dog"], began=time.time() - 1)


def test_only_configured_labels_are_counted_and_all_begin_at_nothing(figures: Figures) -> None:
    figures.hear(service("porch"), 0)
    assert figures.streams["porch"].events == {"Dog": 0}
    for header in (event("on"), event("on", "Cat"), event("off"), event("on")):
        figures.hear(header, 0)
    assert figures.streams["porch"].events == {"Dog": 2}
    assert figures.streams["porch"].active == {"Dog": True}


def test_what_the_service_repeats_to_a_newcomer_is_not_counted(figures: Figures) -> None:
    figures.hear(event("on", when=time.time() - 60), 0)
    assert (figures.streams["porch"].events, figures.streams["porch"].active) == ({"Dog": 0}, {"Dog": True})
    figures.hear(scores(when=time.time() - 60), 0)
    assert not readiness(figures, 0)[0]


def test_lost_sound_adds_up_though_a_stream_begins_anew_or_leaves(figures: Figures) -> None:
    for lost in (16_000, 32_000, 8_000):
        figures.hear(status("live", lost), 0)
    assert figures.streams["porch"].lost_samples == 8_000
    figures.hear(service("porch"), 1)
    figures.hear(service(), 2)
    assert "porch" in figures.streams  # a stream whose settings changed comes again
    figures.hear(service(), 20)
    assert (list(figures.streams), figures.lost_seconds) == ([], 2.5)


def test_each_loss_of_a_connection_counts_once(figures: Figures) -> None:
    for state in ("live", "reconnecting", "reconnecting", "live", "reconnecting"):
        figures.hear(status(state), 0)
    assert figures.streams["porch"].reconnects == 2


def test_nothing_is_on_in_a_service_that_began_anew(figures: Figures) -> None:
    figures.hear(service("porch"), 0)
    figures.hear(event("on"), 0)
    figures.hear(service("porch", session="00000002"), 1)
    assert (figures.streams["porch"].active, figures.streams["porch"].events) == ({"Dog": False}, {"Dog": 1})


def test_a_visitor_s_microphone_has_no_figures(figures: Figures) -> None:
    header = service("porch", "browser-1")
    header.private = ["browser-1"]
    figures.hear(header, 0)
    assert list(figures.streams) == ["porch"]


def test_a_service_that_is_silent_or_a_thread_that_ended_is_not_well(figures: Figures) -> None:
    assert not health(figures, {}, 0)[0]
    figures.hear(service(), 100)
    assert health(figures, {"mqtt": True}, 105)[0]
    assert not health(figures, {"mqtt": False}, 105)[0]
    is_well, found = health(figures, {"mqtt": True}, 116)
    assert (is_well, found["service_heard_seconds_ago"]) == (False, 16)


def test_a_service_is_ready_when_sound_is_scored_or_there_is_none_to_score(figures: Figures) -> None:
    assert not readiness(figures, 100)[0]  # nobody was heard yet
    figures.hear(service(), 100)
    assert readiness(figures, 100)[0]  # nothing is configured
    assert not readiness(figures, 100, awaits_streams=True)[0]  # or its streams begin in a moment
    figures.hear(service("porch"), 100)
    assert not readiness(figures, 100)[0]
    figures.hear(scores(), 101)
    assert readiness(figures, 110)[0]
    figures.hear(service("porch"), 112)
    assert not readiness(figures, 112)[0]
    figures.hear(status("ended"), 112)
    assert readiness(figures, 112, awaits_streams=True)[0]
