from typing import Any

import pytest

from benchmarks import sustained
from streamtag.benchmark.live_streams import LiveStreams
from streamtag.settings import Config
from tests.benchmark.made import live


def carry(monkeypatch: pytest.MonkeyPatch, most: int, most_for_long: int | None = None) -> list[int]:
    """Have a machine carry so many streams, and fewer for a minute; return what is tried on it."""
    tried: list[int] = []

    def measure(config: Config, streams: int, seconds: float, **cores: Any) -> LiveStreams:
        tried.append(streams)
        limit = most if seconds < 60 else most_for_long or most
        return live(streams, in_real_time=streams <= limit, seconds=seconds)

    monkeypatch.setattr(sustained, "measure_live", measure)
    return tried


@pytest.mark.parametrize("guess", [100, 700, 2000])
def test_the_number_that_is_carried_is_found_from_any_guess(monkeypatch: pytest.MonkeyPatch, guess: int) -> None:
    carry(monkeypatch, 730)
    found = sustained.measure_sustained(Config(), 1, 60, guess, lambda _: None)
    assert found.streams is not None
    assert 400 < found.streams <= 730
    assert [run.seconds for run in found.proofs] == [60]


def test_a_number_that_does_not_last_is_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    carry(monkeypatch, 1000, most_for_long=900)
    found = sustained.measure_sustained(Config(), 1, 60, 990, lambda _: None)
    assert found.streams is not None
    assert 840 < found.streams <= 900
    assert len(found.proofs) > 1


def test_a_machine_that_carries_nothing_is_told_of_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = carry(monkeypatch, 0)
    found = sustained.measure_sustained(Config(), 1, 60, 3, lambda _: None)
    assert found.streams is None
    assert not found.proofs
    assert tried == [3, 2, 1]
