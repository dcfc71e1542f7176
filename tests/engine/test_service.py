"""The service over real sockets."""

import faulthandler
import json
import threading
import time
from collections.abc import Callable, Set
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamtag.audio import Block
from streamtag.engine import Service, inference
from streamtag.engine import service as service_module
from streamtag.engine.times import ServiceTimes
from streamtag.errors import BundleError, ConfigError, RuntimeUnavailableError, StreamtagError, WireError
from streamtag.history import HistoryReader
from streamtag.intake import source_reader
from streamtag.scoring import ScoreStage
from streamtag.settings import EventSettings, HistorySettings, LabelThresholds, ServiceSettings, Stream
from streamtag.sources import Source, open_source
from streamtag.tagger import Tagger
from tests.bundles import LABELS
from tests.engine.fakes import HungSource, ScriptedSource, slow_down
from tests.engine.listening import Listener, brief, config
from tests.ports import free_port
from tests.real.servers import TcpServer, file_server, running, wait_until
from tests.real.test_rude_servers import hung
from tests.sounds import noise, tone, write
from tests.wire.receiving import patches

_OF_SOURCES = ("streamtag-connection to ", "streamtag-turns")
_others: set[threading.Thread] = set()

Serve = Callable[..., Service]
Begin = Callable[..., tuple[Service, Listener]]


@pytest.fixture
def whistle(tmp_path: Path) -> Path:
    """4.5 s of a tone that the made bundle calls Whistle."""
    return write(tmp_path / "whistle.wav", tone(4.5, 2900))


@pytest.fixture(autouse=True)
def _know_others() -> None:
    """An earlier test's threads may take their time to end."""
    _others.clear()
    _others.update(threading.enumerate())


def stop_within_two_seconds(service: Service) -> None:
    begin = time.monotonic()
    service.stop()
    assert time.monotonic() - begin < 2.0


def own_threads() -> set[threading.Thread]:
    """Threads of this test's services; those of sources by themselves may hang for as long as they like."""
    threads = {thread for thread in threading.enumerate() if thread.name.startswith("streamtag")}
    return {thread for thread in threads - _others if not thread.name.startswith(_OF_SOURCES)}


def wait_for_the_end_of_threads(but: Set[threading.Thread] = frozenset()) -> None:
    try:
        wait_until(lambda: own_threads() <= but, 60, "the end of all threads")
    except AssertionError:
        faulthandler.dump_traceback()
        raise AssertionError(f"alive: {own_threads() - but}") from None


def test_scores_on_the_wire_are_those_of_the_tagger(begin: Begin, tiny: Path, tmp_path: Path) -> None:
    sound = np.concatenate([tone(3.0, 300, 44100), noise(3.0, 44100), tone(3.3, 2900, 44100)])
    path = write(tmp_path / "sounds.flac", np.stack([sound, sound / 2], axis=1), 44100)
    result = Tagger(tiny, "onnxruntime").tag(path)
    service, listener = begin(Stream(id="yard", source=f"file:{path}"))
    listener.state("yard", "ended")
    messages = listener.scores("yard")
    # A batch of another size sums in another order.
    np.testing.assert_allclose(patches(messages), result.patches, atol=1e-5)
    assert [message.header["start"] for message in messages] == result.starts.tolist()
    assert [message.header["seq"] for message in messages] == list(range(len(messages)))
    for index, message in enumerate(messages):
        header = message.header
        rolling = message.rolling
        assert rolling is not None
        mean = patches(messages[max(0, index - 4) : index + 1]).mean(axis=0)
        np.testing.assert_allclose(rolling, mean, atol=1e-6)
        assert header["end"] == pytest.approx(header["start"] + 0.96)
        assert (header["model"], header["n"], header["rolling"]) == ("tiny", len(LABELS), 5)
        assert header["labels_hash"] == service.models["default"].labels.hash
        assert header["lost_samples"] == 0
        best = [top["score"] for top in header["top"]]
        assert best == pytest.approx(sorted(rolling.tolist(), reverse=True)[:5])
        assert all(rolling[LABELS.index(top["label"])] == pytest.approx(top["score"]) for top in header["top"])
    offs = [event.header for event in listener.of("event", "yard") if event.header["state"] == "off"]
    assert {(off["label"], off["onset"], min(off["offset"], result.seconds)) for off in offs} == {
        (event.label, event.onset, event.offset) for event in result.events
    }


def test_a_file_goes_from_starting_over_live_to_its_end(begin: Begin, whistle: Path) -> None:
    _, listener = begin(Stream(id="yard", source=str(whistle)))
    status = listener.state("yard", "ended").header
    assert listener.states("yard") == ["starting", "live", "ended"]
    assert (status["rate"], status["channels"], status["patches"]) == (16000, 1, 5)
    assert (status["dropped_patches"], status["lost_samples"], status["queue"]) == (0, 0, 0)
    assert status["source"] == str(whistle)
    assert status["reason"] == ""


def test_an_event_ends_with_its_stream_before_the_status_says_so(begin: Begin, whistle: Path) -> None:
    _, listener = begin(Stream(id="yard", source=str(whistle)))
    listener.state("yard", "ended")
    whistles = [event.header for event in listener.of("event", "yard") if event.header["label"] == "Whistle"]
    assert [(event["state"], event["onset"]) for event in whistles] == [("on", 0), ("off", 0)]
    assert whistles[0]["offset"] is None
    assert whistles[1]["offset"] == pytest.approx(4.8)
    assert whistles[0]["id"] == whistles[1]["id"]


def test_stop_ends_events_says_so_and_closes_everything(begin: Begin, whistle: Path) -> None:
    service, listener = begin(Stream(id="yard", source=str(whistle), realtime=True, loop=True))
    listener.until(lambda message: brief(message)[0] == "event" and message.header["label"] == "Whistle")
    stop_within_two_seconds(service)
    listener.rest()
    last = [event.header["state"] for event in listener.of("event", "yard") if event.header["label"] == "Whistle"][-1]
    assert last == "off"
    assert listener.states("yard") == ["starting", "live", "ended"]
    assert listener.heard[-1].header["kind"] == "service"
    wait_for_the_end_of_threads()
    service.stop()  # once more does no harm


def test_a_stopped_service_leaves_its_ports_to_the_next(serve: Serve, tiny: Path) -> None:
    first = serve()
    endpoint, input_endpoint = first.endpoint, first.input_endpoint
    first.stop()
    again = ServiceSettings(endpoint=endpoint, input=input_endpoint, processes=1)
    second = Service(msgspec.structs.replace(config(tiny), service=again))
    second.start()
    second.stop()


def test_the_history_keeps_the_events_that_were_published(begin: Begin, tmp_path: Path, whistle: Path) -> None:
    kept = HistorySettings(path=str(tmp_path / "history.sqlite"))
    service, listener = begin(
        Stream(id="short", source=str(whistle)),
        Stream(id="endless", source=str(whistle), realtime=True, loop=True),
        history=kept,
    )
    listener.states_of("ended", "short")
    listener.until(lambda _: len(listener.of("event", "endless")) > 0)
    service.stop()
    listener.rest()
    told = {
        (event.header["stream"], event.header["label"], event.header["onset"], event.header["offset"])
        for event in listener.of("event")
        if event.header["state"] == "off"
    }
    events = HistoryReader(tmp_path / "history.sqlite").search()
    assert {(event.stream, event.label, event.onset, event.offset) for event in events} == told
    assert {stream for stream, *_ in told} == {"short", "endless"}
    assert not any(event.is_on for event in events)


def test_an_event_tells_its_times_of_day_and_an_end_the_same_onset(begin: Begin, tmp_path: Path, whistle: Path) -> None:
    history = HistorySettings(path=str(tmp_path / "history.sqlite"))
    service, listener = begin(Stream(id="yard", source=str(whistle)), history=history)
    listener.until(lambda message: message.header.get("state") == "ended")
    service.stop()
    kept = {event.onset: event.time for event in HistoryReader(tmp_path / "history.sqlite").search(text="Whistle")}
    events = [event.header for event in listener.of("event", "yard") if event.header["label"] == "Whistle"]
    assert [(event["state"], event["offset_time"] is None) for event in events] == [("on", True), ("off", False)]
    on, off = events
    assert on["onset_time"] == off["onset_time"] == pytest.approx(kept[on["onset"]], abs=0.01)
    assert off["offset_time"] - off["onset_time"] == pytest.approx(off["offset"] - off["onset"])


def test_an_endless_file_read_as_fast_as_possible_stops_at_once(begin: Begin, whistle: Path) -> None:
    service, listener = begin(*(Stream(id=f"s{number}", source=str(whistle), loop=True) for number in range(3)))
    for number in range(3):
        listener.patches(f"s{number}", 5)
    stop_within_two_seconds(service)
    listener.rest()
    for number in range(3):
        assert listener.states(f"s{number}") == ["starting", "live", "ended"]
    wait_for_the_end_of_threads()


def test_sources_that_hang_do_not_keep_the_service(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(source_reader, "open_source", lambda uri, **_: HungSource(uri, released))
    with TcpServer(hung) as server:
        camera = f"127.0.0.1:{server.port}/audio"
        microphone = Stream(id="porch", source="-")
        service, listener = begin(Stream(id="hung", source=f"rtsp://user:secret@{camera}"), microphone)
        wait_until(lambda: server.connections, 60, "the connection")
        listener.states_of("starting", "hung", "porch")
        stop_within_two_seconds(service)
        listener.rest()
        assert listener.states("hung") == listener.states("porch") == ["starting", "ended"]
        assert listener.of("status", "hung")[-1].header["source"] == f"rtsp://{camera}"
        assert all("secret" not in json.dumps(message.header) for message in listener.heard)
    released.set()


def test_a_source_that_is_closed_before_it_is_open_is_closed_all_the_same(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    released, asked, opened = threading.Event(), threading.Event(), threading.Event()
    sources: list[HungSource] = []

    def open_late(uri: str, **_: object) -> HungSource:
        asked.set()
        opened.wait(60)
        sources.append(HungSource(uri, released))
        return sources[-1]

    monkeypatch.setattr(source_reader, "open_source", open_late)
    service, _ = begin(Stream(id="late", source="-"))
    asked.wait(60)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "streamtag-late")
    service.reload(config(tiny))
    opened.set()
    thread.join(60)
    assert not thread.is_alive()  # it would hang in the source
    assert len(sources) == 1


def test_a_stream_that_fails_leaves_the_others_alone(begin: Begin, whistle: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound at all")
    _, listener = begin(
        Stream(id="missing", source=str(tmp_path / "missing.wav")),
        Stream(id="text", source=str(text)),
        Stream(id="odd", source="gopher://host/sound"),
        Stream(id="yard", source=str(whistle)),
    )
    listener.states_of("failed", "missing", "text", "odd")
    listener.states_of("ended", "yard")
    reasons = {status.header["stream"]: status.header["reason"] for status in listener.of("status")}
    assert "no such file" in reasons["missing"]
    assert "text.wav" in reasons["text"]
    assert "unknown kind of source" in reasons["odd"]
    assert not any("\n" in reason for reason in reasons.values())
    assert len(listener.scores("yard")) == 5


def test_an_error_that_nobody_foresaw_fails_one_stream(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, whistle: Path
) -> None:
    def open_or_break(uri: str, **options: object) -> Source:
        if uri == "-":
            raise ZeroDivisionError("of a library")
        return open_source(uri, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(source_reader, "open_source", open_or_break)
    _, listener = begin(Stream(id="broken", source="-"), Stream(id="yard", source=str(whistle)))
    listener.states_of("failed", "broken")
    listener.states_of("ended", "yard")
    assert "internal error: ZeroDivisionError: of a library" in listener.of("status", "broken")[-1].header["reason"]
    assert len(listener.scores("yard")) == 5


def test_a_source_that_is_lost_and_returns_ends_its_events_and_jumps(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = tone(2.6, 2900)
    script: list[Block | tuple[str, str]] = [
        ("live", ""),
        Block(sound, 0, 16000, 1000.0),
        ("reconnecting", "the connection broke off; next try in 1 s"),
        ("reconnecting", "refused; next try in 2 s"),
        ("live", ""),
        Block(sound, len(sound) + 80_000, 16000, 1007.6),
        ("stalled", "no audio for 10 s"),
    ]
    monkeypatch.setattr(source_reader, "open_source", lambda uri, *, on_state, **_: ScriptedSource(script, on_state))
    service, listener = begin(Stream(id="camera", source="-"))
    stalled = listener.state("camera", "stalled").header
    assert listener.states("camera") == ["starting", "live", "reconnecting", "live", "stalled"]
    reasons = [status.header["reason"] for status in listener.of("status", "camera")]
    assert reasons[2:4] == ["the connection broke off; next try in 1 s", "refused; next try in 2 s"]
    since = [status.header["since"] for status in listener.of("status", "camera")][2:4]
    assert since[0] == since[1]
    starts = [message.header["start"] for message in listener.scores("camera")]
    assert starts == pytest.approx([0, 0.96, 1.92, 7.6, 8.56, 9.52])
    assert stalled["lost_samples"] == 80_000
    whistles = [event.header for event in listener.of("event", "camera") if event.header["label"] == "Whistle"]
    assert [(event["id"], event["state"]) for event in whistles] == [(0, "on"), (0, "off"), (1, "on"), (1, "off")]
    assert (whistles[1]["offset"], whistles[2]["onset"]) == (pytest.approx(2.88), pytest.approx(7.6))
    kinds = [brief(message)[0] + brief(message)[2] for message in listener.heard if brief(message)[1] == "camera"]
    assert kinds.index("eventoff") < kinds.index("statusreconnecting")  # what ended is told before why
    stop_within_two_seconds(service)


def test_a_cut_file_says_so_and_is_tagged_as_far_as_it_goes(begin: Begin, whistle: Path) -> None:
    whistle.write_bytes(whistle.read_bytes()[: whistle.stat().st_size // 2])
    _, listener = begin(Stream(id="yard", source=str(whistle)))
    status = listener.state("yard", "ended").header
    assert len(listener.scores("yard")) == 2
    assert "ended early" in status["reason"]


def test_a_looped_file_is_one_unbroken_stream(begin: Begin, whistle: Path) -> None:
    _, listener = begin(Stream(id="yard", source=str(whistle), loop=True))
    starts = [message.header["start"] for message in listener.patches("yard", 12)]
    assert starts == pytest.approx([0.96 * index for index in range(len(starts))])


def test_a_file_in_real_time_is_told_as_it_plays(begin: Begin, tmp_path: Path) -> None:
    path = write(tmp_path / "tone.wav", tone(2.4))
    _, listener = begin(Stream(id="yard", source=str(path), realtime=True))
    listener.state("yard", "live")
    began = time.time()
    listener.state("yard", "ended")
    assert time.time() - began > 1.5
    first, second, _tail = (message.header["time"] for message in listener.scores("yard"))
    assert second - first == pytest.approx(0.96, abs=0.2)
    assert first == pytest.approx(began + 0.975, abs=1.0)


def test_status_and_service_messages_are_repeated(begin: Begin, whistle: Path) -> None:
    _, listener = begin(Stream(id="yard", source=str(whistle)), times=ServiceTimes(repeat=0.4))
    ended = listener.state("yard", "ended").header
    again = listener.state("yard", "ended").header
    assert 0.3 < again["time"] - ended["time"] < 4  # by itself it would take longer
    assert again["since"] == ended["since"]
    assert again["seq"] == ended["seq"] + 1
    listener.until(lambda message: message.header["kind"] == "service" and message.header["patches"] == 5)


def test_repeated_messages_come_at_least_every_five_seconds() -> None:
    assert ServiceTimes().repeat + inference._LOOK_SECONDS <= 5
    assert ServiceTimes().repeat + service_module._LOOK_SECONDS <= 5


def test_the_service_message_tells_model_labels_streams_and_counts(begin: Begin, whistle: Path) -> None:
    service, listener = begin(Stream(id="a", source=str(whistle)), Stream(id="b", source=str(whistle)))
    listener.states_of("ended", "a", "b")
    service.stop()
    listener.rest()
    header = listener.of("service")[-1].header
    assert header["labels"] == LABELS
    assert header["labels_hash"] == service.models["default"].labels.hash
    assert (header["model"], header["streams"]) == ("tiny", ["a", "b"])
    assert (header["patches"], header["dropped_patches"]) == (10, 0)
    assert header["sustainable_streams"] is None
    assert "onnxruntime CPU float32" in header["runtime"]
    assert header["uptime"] > 0


def test_who_comes_late_hears_the_newest_of_everything_at_once(
    begin: Begin, listen: Callable[..., Listener], whistle: Path
) -> None:
    service, listener = begin(Stream(id="yard", source=str(whistle)))
    listener.state("yard", "ended")
    late = listen(service)
    late.until(lambda _: {brief(message)[0] for message in late.heard} == {"scores", "event", "status", "service"})
    assert late.scores("yard")[0].header["seq"] == 4
    assert late.states("yard") == ["ended"]


def test_a_port_in_use_is_one_line_and_nothing_runs(tiny: Path, serve: Serve) -> None:
    taken = serve()
    before = own_threads()
    for address in (taken.endpoint, taken.input_endpoint):
        settings = msgspec.structs.replace(config(tiny), service=ServiceSettings(endpoint=address or ""))
        service = Service(settings)
        with pytest.raises(WireError, match="the port is in use") as refusal:
            service.start()
        assert "\n" not in str(refusal.value)
        service.stop()
        wait_for_the_end_of_threads(but=before)


def test_without_an_input_no_pcm_is_taken(tiny: Path) -> None:
    settings = msgspec.structs.replace(config(tiny), service=ServiceSettings(endpoint="tcp://127.0.0.1:*"))
    service = Service(settings)
    service.start()
    try:
        assert service.input_endpoint is None
        assert not service.endpoint.endswith("*")
    finally:
        service.stop()


def test_the_service_message_counts_the_streams_in_each_state(begin: Begin, whistle: Path, tmp_path: Path) -> None:
    _, listener = begin(Stream(id="missing", source=str(tmp_path / "no.wav")), Stream(id="yard", source=str(whistle)))
    listener.until(
        lambda message: message.header["kind"] == "service" and message.header["states"] == {"failed": 1, "ended": 1}
    )


def test_a_service_that_never_started_stops(tiny: Path) -> None:
    stop_within_two_seconds(Service(config(tiny)))


def test_what_the_configuration_cannot_have_is_refused_before_anything_runs(tiny: Path, tmp_path: Path) -> None:
    three = tuple(Stream(id=name, source="zmq:") for name in "abc")
    with pytest.raises(ConfigError, match=r"3 streams are configured and .* max_streams is 2"):
        Service(config(tiny, streams=three, max_streams=2))
    with pytest.raises(ConfigError, match="Purr"):
        Service(config(tiny, events=EventSettings(labels={"Purr": LabelThresholds()})))
    with pytest.raises(BundleError):
        Service(config(tmp_path / "absent"))
    with pytest.raises(RuntimeUnavailableError):
        Service(config(tiny, runtime="tensorrt"))
    wait_for_the_end_of_threads()


@pytest.mark.parametrize("place", ["{folder}", "http://127.0.0.1:{port}"])
def test_a_recording_read_as_fast_as_possible_loses_nothing(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    slow_down(monkeypatch, 0.002)
    write(tmp_path / "long.flac", noise(300, 8000), 8000)
    with running(file_server(tmp_path, port := free_port())):
        source = f"{place.format(folder=tmp_path, port=port)}/long.flac"
        _, listener = begin(Stream(id="long", source=source))
        status = listener.until(lambda message: brief(message) == ("status", "long", "ended"), 50).header
    starts = [message.header["start"] for message in listener.scores("long")]
    assert starts == pytest.approx([0.96 * index for index in range(313)])
    assert (status["patches"], status["dropped_patches"], status["lost_samples"]) == (313, 0, 0)
    assert sum(message.missed for message in listener.heard) == 0


def test_a_slow_model_still_stops_within_two_seconds(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, whistle: Path
) -> None:
    slow_down(monkeypatch, 0.05)
    service, listener = begin(*(Stream(id=f"s{number}", source=str(whistle), loop=True) for number in range(4)))
    listener.patches("s3", 10)
    stop_within_two_seconds(service)


def test_a_slow_model_ends_what_it_began_where_the_machine_lets_it(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, whistle: Path
) -> None:
    slow_down(monkeypatch, 0.05)
    # A machine that is busy with other things may hold threads up for longer than the two seconds.
    monkeypatch.setattr("streamtag.engine.service._DRAIN_SECONDS", 60.0)
    service, listener = begin(*(Stream(id=f"s{number}", source=str(whistle), loop=True) for number in range(4)))
    listener.patches("s3", 10)
    service.stop()
    listener.rest()
    assert all(listener.states(f"s{number}")[-1] == "ended" for number in range(4))
    on_and_off = [event.header["state"] for event in listener.of("event")]
    assert on_and_off.count("on") == on_and_off.count("off")


def test_time_that_readers_did_not_need_is_left_to_scoring(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, whistle: Path
) -> None:
    slow_down(monkeypatch, 2.0)
    monkeypatch.setattr("streamtag.engine.service._DRAIN_SECONDS", 60.0)
    service, listener = begin(Stream(id="slow", source=str(whistle), loop=True), max_batch=1)
    listener.patches("slow", 1)
    service.stop()  # the next patch is being scored
    listener.rest()
    assert listener.states("slow")[-1] == "ended"


def test_a_model_that_breaks_ends_the_service_with_its_cause(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, whistle: Path
) -> None:
    def break_down(*_: object, embeds: bool) -> None:
        raise MemoryError("no room for scores")

    service, _ = begin()
    monkeypatch.setattr(ScoreStage, "score", break_down)
    service.reload(msgspec.structs.replace(service._config, streams=(Stream(id="yard", source=str(whistle)),)))
    with pytest.raises(StreamtagError, match="scoring failed: MemoryError: no room for scores"):
        service.wait(60)
    stop_within_two_seconds(service)
    wait_for_the_end_of_threads()


def test_every_thread_takes_turns_though_there_is_nothing_to_do(serve: Callable[..., Service]) -> None:
    service = serve()
    first = service.beats()
    assert {"the publisher", "the watch", "the input", "inference 1"} <= set(first)
    wait_until(
        lambda: all(count > first[name] for name, count in service.beats().items()), 30, "a turn of every thread"
    )


def test_a_thread_that_hangs_does_no_rounds(serve: Callable[..., Service]) -> None:
    service = serve()
    reached, released = threading.Event(), threading.Event()

    def hang() -> None:
        reached.set()
        released.wait(60)

    service._workers[0].queues.call(hang)
    assert reached.wait(30)
    before = service.beats()
    wait_until(lambda: service.beats()["the watch"] > before["the watch"] + 3, 30, "turns of another thread")
    assert service.beats()["inference 1"] == before["inference 1"]
    released.set()
    wait_until(lambda: service.beats()["inference 1"] > before["inference 1"], 30, "its next turn")
