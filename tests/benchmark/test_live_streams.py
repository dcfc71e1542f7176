from collections import Counter
from typing import Any, cast

import pytest

from streamtag.benchmark.live_streams import LatencyMeter
from streamtag.benchmark.load_generator import PATCH_SECONDS, Plan
from streamtag.wire import Message, Subscriber


class Script:
    """A subscriber that gives messages at times of their own."""

    def __init__(self, messages: list[tuple[float, Message]]) -> None:
        self.now = 0.0
        self._messages = messages

    def receive(self, seconds: float) -> Message | None:
        if not self._messages or self._messages[0][0] > self.now + seconds:
            self.now += seconds
            return None
        self.now, message = self._messages.pop(0)
        return message


def scores(stream: int, patch: int, missed: int = 0) -> Message:
    header: dict[str, Any] = {"kind": "scores", "stream": f"bench{stream}", "start": patch * PATCH_SECONDS}
    return Message(header, missed=missed)


@pytest.fixture
def plan() -> Plan:
    return Plan.of(2, 15360, 0.0, 9.6)


def hear(plan: Plan, messages: list[tuple[float, Message]], monkeypatch: pytest.MonkeyPatch) -> LatencyMeter:
    script = Script(sorted(messages, key=lambda each: each[0]))
    monkeypatch.setattr("streamtag.benchmark.live_streams.time.monotonic", lambda: script.now)
    meter = LatencyMeter(cast(Subscriber, script), plan)
    meter.until(plan.end)
    meter.rest()
    return meter


def test_latency_is_from_the_capture_of_the_last_sample(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    came = [
        (plan.captured(stream, 15360 * patch) + 0.004, scores(stream, patch))
        for stream in range(2)
        for patch in range(16)
    ]
    meter = hear(plan, came, monkeypatch)
    assert list(meter.latencies) == pytest.approx([0.004] * 20)
    assert Counter(meter.streams) == {0: 10, 1: 10}
    assert meter.scored > 20  # those before and after count for nothing but the work they are


def test_what_never_comes_is_waited_for_no_longer_than_five_seconds(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = [(plan.captured(0, 15360 * patch) + 0.01, scores(0, patch)) for patch in range(16) if patch != 9]
    meter = hear(plan, came, monkeypatch)
    assert Counter(meter.streams) == {0: 9}
    assert sum(meter.expected) == 20


def test_missed_messages_and_the_services_own_estimate_are_kept(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    when = plan.captured(0, 15360 * 9)
    service = Message({"kind": "service", "sustainable_streams": 77})
    meter = hear(plan, [(1.0, service), (when + 0.01, scores(0, 9, missed=3))], monkeypatch)
    assert meter.missed == 3
    assert meter.sustainable_streams == 77
