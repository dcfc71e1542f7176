import json
import signal
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from streamtag.cli.subscribe import readable
from streamtag.wire import Message, Outgoing, Publisher, ScoresHeader, StatusHeader, TopLabel, scores_payload
from tests.cli.commands import run, running

SCORES = np.array([[0.25, 0.75], [0.5, 0.625]], np.float32)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """Something published by two streams: scores of each, and a status of one."""
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.start()
    publisher.publish([_scores("porch"), _scores("yard"), _status("porch")])
    yield publisher
    publisher.stop()


def _scores(stream: str) -> Outgoing:
    header = ScoresHeader(
        stream=stream,
        start=0.96,
        end=1.92,
        model="tiny",
        labels_hash="0" * 64,
        n=2,
        rolling=5,
        rms_dbfs=-20.0,
        peak_dbfs=-10.0,
        lost_samples=0,
        top=[TopLabel("Dog", 0.625), TopLabel("Rain", 0.5)],
    )
    return Outgoing(header, scores_payload(SCORES))


def _status(stream: str) -> Outgoing:
    return Outgoing(
        StatusHeader(
            stream=stream,
            state="reconnecting",
            reason="refused",
            since=0.0,
            source="rtsp://camera/audio",
            rate=48000,
            channels=1,
            patches=2,
            dropped_patches=1,
            lost_samples=0,
            queue=0,
        )
    )


def test_without_a_terminal_each_message_is_one_json_object(publisher: Publisher) -> None:
    done = run("subscribe", publisher.endpoint, "--count", "3")
    assert (done.returncode, done.stderr) == (0, "")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((each["kind"], each["stream"]) for each in messages) == [
        ("scores", "porch"),
        ("scores", "yard"),
        ("status", "porch"),
    ]
    scores = next(each for each in messages if each["kind"] == "scores")
    assert scores["patch"] == [0.25, 0.75]
    assert scores["rolling"] == [0.5, 0.625]


def test_streams_and_kinds_can_be_chosen(publisher: Publisher) -> None:
    for seconds in (1.5, 20):  # the second on a machine that needs the first to begin
        done = run("subscribe", publisher.endpoint, "--stream", "yard", "--kind", "scores", "--seconds", seconds)
        if done.stdout:
            break
    (message,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (message["kind"], message["stream"]) == ("scores", "yard")
    assert done.returncode == 0


def test_a_service_that_is_not_there_is_waited_for_as_long_as_asked() -> None:
    done = run("subscribe", "tcp://127.0.0.1:9", "--seconds", "0.5")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_exit_status_0(publisher: Publisher, number: signal.Signals) -> None:
    with running("subscribe", publisher.endpoint) as command:
        command.wait_message(kind="status")
        assert command.end(number) == 0


def test_lost_messages_are_told_on_standard_error(publisher: Publisher) -> None:
    with running("subscribe", publisher.endpoint, "--kind", "scores", "--stream", "porch") as command:
        command.wait_message(stream="porch")
        publisher._inbox._delivery.lost[b"scores/porch/"] += 3  # as if the queue had been full
        publisher.publish([_scores("porch")])
        assert command.wait_error("missed") == "streamtag: 3 messages of porch were missed"


def _event(state: str) -> dict[str, object]:
    return {"kind": "event", "state": state, "onset": 1.92, "offset": 3.84, "label": "Dog", "peak": 0.8}


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (_event("on"), "     1.92 s        begins  Dog"),
        (_event("off"), "     3.84 s          ends  Dog, 1.92 s, peak 0.80"),
        (msgspec.to_builtins(_scores("porch").header), "     0.96 s    -20.0 dBFS  Dog 0.62, Rain 0.50"),
        (
            msgspec.to_builtins(_status("porch").header),
            "reconnecting  rtsp://camera/audio, 2 patches, 1 dropped: refused",
        ),
        (
            {"kind": "service", "model": "tiny", "runtime": "CPU", "streams": ["porch"], "sustainable_streams": 900},
            "1 stream  tiny on CPU, room for 900",
        ),
    ],
)
def test_on_a_terminal_a_message_is_a_line_for_a_person(header: dict[str, object], part: str) -> None:
    line = readable(Message({"time": 0.0, **header}))
    assert line.endswith(part)
    assert "\n" not in line
