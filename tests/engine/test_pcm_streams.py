"""Streams that other programs push, over real sockets."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
import zmq

from streamtag.audio import PATCH_HOP
from streamtag.audio.resample import Resampler
from streamtag.engine import Service
from streamtag.engine.times import ServiceTimes
from streamtag.errors import WireError
from streamtag.intake import PushedTimes
from streamtag.settings import Stream
from streamtag.tagger import Tagger
from streamtag.wire import PcmPusher
from tests.engine.fakes import slow_down
from tests.engine.listening import Listener, brief, config
from tests.sounds import noise, tone, write
from tests.wire.receiving import patches

Begin = Callable[..., tuple[Service, Listener]]
Push = Callable[[Service], PcmPusher]
RATE = 16000


QUICK = ServiceTimes(pushed=PushedTimes(stalled=0.4, forget=0.8))


@pytest.fixture
def raw() -> Iterator[Callable[[Service], "zmq.Socket[bytes]"]]:
    """Sockets that push whatever a test likes."""
    with ExitStack() as opened:
        context = opened.enter_context(zmq.Context())

        def make(service: Service) -> "zmq.Socket[bytes]":
            socket = opened.enter_context(context.socket(zmq.PUSH))
            socket.linger = 0
            socket.connect(service.input_endpoint or "")
            return socket

        yield make


def header(stream: str = "desk", **changes: object) -> bytes:
    return json.dumps(
        {"v": 1, "stream": stream, "rate": RATE, "channels": 1, "format": "s16le", "start": None, **changes}
    ).encode()


def starts(listener: Listener, stream: str = "desk") -> list[float]:
    return [message.header["start"] for message in listener.scores(stream)]


def test_the_first_message_makes_a_live_stream_and_the_last_ends_it(begin: Begin, push: Push) -> None:
    service, listener = begin()
    pusher = push(service)
    pusher.push("desk", tone(2.5, 2900), RATE)
    listener.state("desk", "live")
    pusher.end("desk")
    status = listener.state("desk", "ended").header
    assert listener.states("desk") == ["starting", "live", "ended"]
    assert starts(listener) == pytest.approx([0, 0.96, 1.92])
    assert (status["rate"], status["channels"], status["source"]) == (RATE, 1, "zmq:")
    states = [event.header["state"] for event in listener.of("event", "desk")]
    assert states.count("on") == states.count("off") > 0


@pytest.mark.parametrize("kind", ["int16", "int32", "float32"])
def test_pushed_sound_scores_as_the_tagger_does(begin: Begin, push: Push, tiny: Path, kind: str) -> None:
    service, listener = begin()
    floats = noise(4.0, 44100).reshape(-1, 1).repeat(2, axis=1)
    samples = (floats * {"int16": 2**15 - 1, "int32": 2.0**31 - 1, "float32": 1}[kind]).astype(kind)
    expected = [scores.patch for scores in Tagger(tiny, "onnxruntime").stream([samples], 44100)]
    pusher = push(service)
    for part in np.array_split(samples, 23):
        pusher.push("desk", part, 44100)
    pusher.end("desk")
    listener.state("desk", "ended")
    np.testing.assert_allclose(patches(listener.scores("desk")), np.array(expected), atol=1e-5)


def test_a_new_stream_of_the_same_name_begins_at_0(begin: Begin, push: Push) -> None:
    service, listener = begin()
    pusher = push(service)
    for _ in range(5):
        pusher.push("desk", tone(2.0, 2900), RATE)
        pusher.end("desk")
    listener.until(lambda _: listener.states("desk").count("ended") == 5)
    assert listener.states("desk") == ["starting", "live", "ended"] * 5
    assert starts(listener) == pytest.approx([0, 0.96] * 5)
    assert [message.header["seq"] for message in listener.scores("desk")] == list(range(10))
    events = [(event.header["id"], event.header["state"]) for event in listener.of("event", "desk")]
    assert events.count((0, "on")) == events.count((0, "off")) == 5
    last_of_each = [
        message.header["patches"] for message in listener.of("status", "desk") if brief(message)[2] == "ended"
    ]
    assert last_of_each == [2] * 5


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_an_end_that_is_told_twice_or_of_no_stream_does_no_harm(
    begin: Begin, push: Push, rate: int, caplog: pytest.LogCaptureFixture
) -> None:
    service, listener = begin()
    pusher = push(service)
    pusher.end("nobody")
    pusher.push("desk", tone(1.0, rate=rate), rate)
    for _ in range(3):
        pusher.end("desk")
    pusher.push("other", tone(1.0), RATE)
    listener.patches("other", 1)
    listener.states_of("ended", "desk")
    listener.rest()
    assert listener.states("desk") == ["starting", "live", "ended"]
    assert len(listener.scores("desk")) == 1
    assert listener.of("status", "nobody") == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_stream_without_messages_is_stalled_and_its_return_live(begin: Begin, push: Push) -> None:
    service, listener = begin(times=QUICK)
    pusher = push(service)
    pusher.push("desk", tone(1.7, 2900), RATE)
    status = listener.state("desk", "stalled").header
    assert "no audio for 0 s" in status["reason"]
    states = [event.header["state"] for event in listener.of("event", "desk")]
    assert states.count("on") == states.count("off") > 0
    assert starts(listener) == pytest.approx([0, 0.96])  # the tail is not held back
    pusher.push("desk", tone(1.0), RATE)
    listener.state("desk", "live")
    listener.patches("desk", 3)
    assert starts(listener)[2] == pytest.approx(1.7)
    assert listener.scores("desk")[2].header["lost_samples"] == 0


def test_a_stream_is_stalled_after_ten_seconds() -> None:
    assert PushedTimes().stalled == 10


def test_a_declared_stream_that_never_comes_is_stalled(begin: Begin) -> None:
    _, listener = begin(Stream(id="desk", source="zmq:"), times=QUICK)
    listener.state("desk", "stalled")
    assert listener.states("desk") == ["starting", "stalled"]


def test_an_ended_stream_is_forgotten_unless_it_is_declared(begin: Begin, push: Push, tiny: Path) -> None:
    service, listener = begin(Stream(id="declared", source="zmq:"), times=QUICK)
    pusher = push(service)
    for name in ("declared", "passing"):
        pusher.push(name, tone(1.0), RATE)
        pusher.end(name)
    listener.until(lambda message: message.header["kind"] == "service" and "passing" in message.header["streams"])
    listener.until(lambda message: message.header["kind"] == "service" and "passing" not in message.header["streams"])
    assert listener.of("service")[-1].header["streams"] == ["declared"]
    pusher.push("declared", tone(1.0), RATE)
    listener.until(lambda _: listener.states("declared")[-2:] == ["starting", "live"])
    service.reload(config(tiny))
    listener.until(lambda message: message.header["kind"] == "service" and message.header["streams"] == [])


def test_a_program_that_broke_off_does_not_keep_its_stream_for_ever(begin: Begin, push: Push) -> None:
    times = ServiceTimes(pushed=QUICK.pushed._replace(abandon=1.2))
    service, listener = begin(Stream(id="declared", source="zmq:"), max_streams=2, times=times)
    pusher = push(service)
    for name in ("declared", "broken"):
        pusher.push(name, tone(1.0), RATE)
    listener.states_of("stalled", "declared", "broken")
    listener.until(lambda message: message.header["kind"] == "service" and message.header["streams"] == ["declared"])
    pusher.push("next", tone(1.0), RATE)
    listener.state("next", "live")
    assert "ended" in listener.states("broken")
    assert "ended" not in listener.states("declared")


def test_a_jump_by_start_is_lost_audio(begin: Begin, push: Push) -> None:
    service, listener = begin(times=QUICK)
    pusher = push(service)
    sound = tone(2.0)
    pusher.push("desk", sound, RATE, start=1000)
    pusher.push("desk", sound, RATE, start=1000 + 32000 + 8000)
    pusher.end("desk")
    status = listener.state("desk", "ended").header
    assert starts(listener) == pytest.approx([0, 0.96, 2.5, 3.46])
    assert status["lost_samples"] == listener.scores("desk")[-1].header["lost_samples"] == 8000 + 32000 - 2 * PATCH_HOP


def test_without_start_blocks_follow_each_other(begin: Begin, push: Push) -> None:
    service, listener = begin()
    pusher = push(service)
    pusher.push("desk", tone(1.0), RATE, start=500)
    pusher.push("desk", tone(1.0, rate=48000), 48000)
    pusher.push("desk", tone(1.0), RATE)
    pusher.end("desk")
    status = listener.state("desk", "ended").header
    assert status["lost_samples"] == 0
    assert starts(listener) == pytest.approx([0, 0.96, 1.92])


def push_until_scored(pusher: PcmPusher, listener: Listener) -> None:
    """What was pushed before, and has not been taken in yet, has a share of what may be converted, too."""
    while True:
        pusher.push("desk", tone(3.0, rate=44100), 44100)
        with suppress(AssertionError):
            listener.until(lambda message: message.header["kind"] == "scores" and message.header["start"] > 1.5, 2.0)
            return


@pytest.mark.parametrize("breaks", ["rate", "start"])
def test_sound_that_is_converted_anew_with_each_message_is_dropped_until_it_is_steady(
    begin: Begin, push: Push, breaks: str
) -> None:
    service, listener = begin()
    pusher = push(service)
    for number in range(60):
        rate = 44100 + number % 2 if breaks == "rate" else 44100
        pusher.push("desk", tone(0.02, rate=rate), rate, start=None if breaks == "rate" else number * rate)
    status = listener.until(lambda message: brief(message) == ("status", "desk", "live") and message.header["reason"])
    assert "too often" in status.header["reason"]
    push_until_scored(pusher, listener)
    listener.patches("desk", 3)


def test_streams_that_follow_each_other_under_one_name_share_what_it_may_convert(begin: Begin, push: Push) -> None:
    service, listener = begin()
    pusher = push(service)
    for _ in range(60):
        pusher.push("desk", tone(0.02, rate=44100), 44100)
        pusher.end("desk")
    listener.until(lambda message: message.header["kind"] == "status" and "too often" in message.header["reason"])
    push_until_scored(pusher, listener)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([header(), b"\0\0\0"], "are not whole samples"),
        ([header(), b""], "PCM frame is empty"),
        ([header(), b"\0" * ((1 << 20) + 2)], "at most 1048576"),
        ([header(rate=7999), b"\0\0"], "rate"),
        ([header(channels=9), b"\0\0"], "channels"),
        ([header(format="u8"), b"\0\0"], "format"),
        ([header(v=2), b"\0\0"], "v"),
        ([header()], "2 frames"),
        ([header(), b"\0\0", b"\0\0"], "2 frames"),
    ],
    ids=["half-a-sample", "empty", "too-long", "rate", "channels", "format", "version", "one-frame", "three-frames"],
)
def test_a_bad_message_is_named_once_in_a_reason_and_dropped(
    begin: Begin, push: Push, raw: Callable[[Service], "zmq.Socket[bytes]"], frames: list[bytes], said: str
) -> None:
    service, listener = begin()
    socket = raw(service)
    socket.send_multipart([header(), tone(1.0).astype("<f4").view("<i2")[:16000].tobytes()])
    listener.state("desk", "live")
    for _ in range(3):
        socket.send_multipart(frames)
    status = listener.until(lambda message: brief(message) == ("status", "desk", "live") and message.header["reason"])
    assert said in status.header["reason"]
    assert "\n" not in status.header["reason"]
    socket.send_multipart([header(), bytes(64_000)])
    socket.send_multipart([json.dumps({"v": 1, "stream": "desk", "end": True}).encode(), b""])
    assert listener.state("desk", "ended").header["faults"] == 3
    assert starts(listener) == pytest.approx([0, 0.96, 1.92])
    named = [message for message in listener.of("status", "desk") if message.header["reason"]]
    assert len(named) == 1


def test_garbage_ends_nothing_and_fills_no_log(
    begin: Begin, push: Push, raw: Callable[[Service], "zmq.Socket[bytes]"], caplog: pytest.LogCaptureFixture
) -> None:
    service, listener = begin()
    socket = raw(service)
    random = np.random.default_rng(0)
    for _ in range(200):
        socket.send_multipart([random.bytes(int(random.integers(0, 50))) for _ in range(random.integers(1, 4))])
    socket.send_multipart([b"[" * 4000, b""])
    socket.send_multipart([header("bad name!"), b"\0\0"])
    push(service).push("desk", tone(1.0), RATE)
    listener.patches("desk", 1)
    told = listener.until(lambda message: message.header["kind"] == "service" and "desk" in message.header["streams"])
    assert told.header["pcm_faults"] == 202
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_a_stream_made_by_a_bad_message_is_told_and_then_forgotten(
    begin: Begin, raw: Callable[[Service], "zmq.Socket[bytes]"]
) -> None:
    service, listener = begin(times=QUICK)
    raw(service).send_multipart([header("typo", rate=1), b"\0\0"])
    listener.until(lambda message: brief(message) == ("status", "typo", "starting") and message.header["reason"])
    listener.until(lambda message: message.header["kind"] == "service" and "typo" in message.header["streams"])
    listener.until(lambda message: message.header["kind"] == "service" and "typo" not in message.header["streams"])


@pytest.mark.filterwarnings("error")
def test_samples_that_are_not_finite_score_finite_and_are_told(begin: Begin, push: Push) -> None:
    service, listener = begin()
    sound = tone(2.0)
    sound[::5], sound[1::50], sound[2::50] = np.nan, np.inf, -np.inf
    push(service).push("desk", sound, RATE)
    listener.patches("desk", 2)
    for message in listener.scores("desk"):
        assert message.patch is not None
        assert message.rolling is not None
        assert np.isfinite(message.patch).all()
        assert np.isfinite(message.rolling).all()
        assert np.isfinite([message.header["rms_dbfs"], message.header["peak_dbfs"]]).all()
    listener.until(lambda message: brief(message)[0] == "status" and "not finite" in message.header["reason"])


def test_no_more_than_max_streams_are_taken(begin: Begin, push: Push, caplog: pytest.LogCaptureFixture) -> None:
    service, listener = begin(max_streams=2, times=ServiceTimes(pushed=PushedTimes(stalled=1000.0)))
    pusher = push(service)
    for name in ("one", "two", "three", "three"):
        pusher.push(name, tone(1.0), RATE)
    pusher.push("one", tone(1.0), RATE)
    listener.patches("one", 2)
    assert listener.of("status", "three") == []
    assert caplog.text.count("PCM for stream three is refused") == 1
    pusher.end("two")
    listener.state("two", "ended")


def test_where_all_places_are_taken_the_stream_that_stalled_for_longest_leaves_its_own(
    begin: Begin, push: Push
) -> None:
    service, listener = begin(max_streams=1, times=QUICK)
    pusher = push(service)
    pusher.push("one", tone(1.0), RATE)
    listener.state("one", "stalled")
    pusher.push("two", tone(1.0), RATE)
    assert listener.state("one", "ended").header["reason"] == "another stream needed its place"
    listener.patches("two", 1)


def test_a_name_of_the_configuration_cannot_be_pushed(
    begin: Begin, push: Push, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "low.wav", tone(2.0))
    service, listener = begin(Stream(id="yard", source=str(path)))
    listener.state("yard", "ended")
    pusher = push(service)
    pusher.push("yard", tone(1.0), RATE)
    pusher.push("desk", tone(1.0), RATE)
    listener.patches("desk", 1)
    assert len(listener.scores("yard")) == 2
    assert "PCM for stream yard is refused" in caplog.text


def test_scores_of_others_go_out_however_long_pushed_sound_takes(
    begin: Begin, push: Push, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held, released = threading.Event(), threading.Event()
    make = Resampler.__init__

    def make_slowly(resampler: Resampler, rate: int, wanted: int) -> None:
        if rate == 44100:
            held.set()
            released.wait(60)
        make(resampler, rate, wanted)

    monkeypatch.setattr(Resampler, "__init__", make_slowly)
    path = write(tmp_path / "low.wav", tone(2.0))
    service, listener = begin(Stream(id="yard", source=str(path), realtime=True, loop=True))
    listener.state("yard", "live")
    push(service).push("desk", tone(1.0, rate=44100), 44100)
    assert held.wait(20)
    listener.patches("yard", len(listener.scores("yard")) + 2)
    assert not listener.scores("desk")
    released.set()
    listener.state("desk", "live")


@pytest.fixture
def flood(push: Push) -> Iterator[Callable[[Service], None]]:
    """Push a stream as fast as it goes, in the largest messages, until the test is over."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def pour(endpoint: str) -> None:
        block = np.zeros((1 << 20) // 2, np.int16)
        with PcmPusher(endpoint, 0.5) as pusher, suppress(WireError):  # at last nobody takes it any more
            while not over.is_set():
                pusher.push("flood", block, 8000)

    def begin_to_pour(service: Service) -> None:
        threads.append(threading.Thread(target=pour, args=(service.input_endpoint,)))
        threads[-1].start()

    yield begin_to_pour
    over.set()
    for thread in threads:
        thread.join()


def test_a_flood_of_pcm_holds_nobody_up(
    begin: Begin, flood: Callable[[Service], None], tiny: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "tone.wav", tone(4.0, 2900))
    service, listener = begin()
    flood(service)
    listener.patches("flood", 50)
    service.reload(config(tiny, streams=(Stream(id="yard", source=str(path), realtime=True),)))
    listener.state("yard", "ended")
    assert starts(listener, "yard") == pytest.approx([0, 0.96, 1.92, 2.88])
    begin_of_stop = time.monotonic()
    service.stop()
    assert time.monotonic() - begin_of_stop < 2
    listener.rest()
    assert listener.states("flood") == ["starting", "live", "ended"]


def test_a_stream_that_floods_loses_patches_of_its_own_alone(
    begin: Begin, push: Push, flood: Callable[[Service], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(monkeypatch, 0.005)
    service, listener = begin()
    flood(service)
    listener.patches("flood", 1)
    pusher = push(service)
    others = [f"desk{number}" for number in range(5)]
    for number in range(3):
        for name in others:
            pusher.push(name, noise(0.975 if number == 0 else 0.96, seed=number), RATE)
        for name in others:
            listener.patches(name, number + 1)  # each goes on at its own pace
    service.stop()
    listener.rest()
    for name in others:
        assert starts(listener, name) == pytest.approx([0, 0.96, 1.92])
        status = listener.of("status", name)[-1].header
        assert (status["patches"], status["dropped_patches"], status["lost_samples"]) == (3, 0, 0)
    flooding = listener.of("status", "flood")[-1].header
    assert flooding["dropped_patches"] > 100
    assert listener.of("service")[-1].header["dropped_patches"] == flooding["dropped_patches"]


def test_patches_that_find_no_room_are_counted_and_show_as_a_jump(
    begin: Begin, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(monkeypatch, 0.005)
    service, listener = begin()
    pusher = push(service)
    pusher.push("desk", noise(400, RATE), RATE)  # 416 patches and a tail, where 128 have room
    pusher.end("desk")
    status = listener.state("desk", "ended").header
    assert status["dropped_patches"] > 100
    assert status["patches"] + status["dropped_patches"] == 417
    assert status["lost_samples"] == 0
    found = starts(listener)
    assert len(found) == status["patches"]
    assert found == sorted(set(found))
    assert found[-1] == pytest.approx(0.96 * 416)  # the newest are kept
    service.stop()
    listener.rest()
    assert listener.of("service")[-1].header["dropped_patches"] == status["dropped_patches"]
