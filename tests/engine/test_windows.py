"""Models of other windows and rates in a service: the clock, events, levels, status and history go by their hop."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamtag.audio import Geometry
from streamtag.bundle_paths import added_folder
from streamtag.engine import Service
from streamtag.foreign.add import add_model
from streamtag.history import HistoryReader
from streamtag.settings import HistorySettings, Stream
from streamtag.tagger import Tagger
from streamtag.wire import PcmPusher
from tests.engine.listening import Listener
from tests.foreign.networks import PITCHES, Shape, describe, network
from tests.sounds import tone

GEOMETRIES = {
    "short": Geometry(8000, 4000, 4000),
    "overlapping": Geometry(32000, 96000, 16000),
    "apart": Geometry(48000, 24000, 72000),
    "bats": Geometry(96000, 288_000, 144_000),
}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Models that were added, by name."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name, each in GEOMETRIES.items():
        shape = Shape("waveform", ["n", "samples"], 4, "scores", "Sigmoid", ("embedding", 8))
        lines = f'rate = {each.rate}\nsamples = {each.samples}\nhop = {each.hop}\nembedding = "embedding"\n'
        path = describe(tmp_path / name, lines, network(shape), ["Low", "Middle", "High", "Highest"])
        add_model(str(path), name, lambda _: None)
    return {name: added_folder() / name for name in GEOMETRIES}


def test_every_stream_goes_by_the_windows_of_its_model(
    models: dict[str, Path], serve: Callable[..., Service], listen: Callable[..., Listener], tmp_path: Path
) -> None:
    database = tmp_path / "history.sqlite"
    history = HistorySettings(path=str(database), clips=True, clip_seconds=1.0)
    streams = tuple(Stream(id=name, source="zmq:", model=name) for name in models)
    service = serve(models=models, streams=streams, history=history)
    listener = listen(service)
    listener.until(lambda message: message.header["kind"] == "service")
    watcher = listen(service, kinds=["levels", "embedding", "status"])
    watcher.until(lambda message: message.header["kind"] == "status")
    assert service.input_endpoint is not None
    sounds = {}
    with PcmPusher(service.input_endpoint) as pusher:
        for name, each in GEOMETRIES.items():
            sounds[name] = tone(7.3, PITCHES[1] * each.rate, each.rate)
            pusher.push(name, sounds[name], each.rate)
            pusher.end(name)
        listener.states_of("ended", *models)
        watcher.states_of("ended", *models)
    for name, each in GEOMETRIES.items():
        expected = list(Tagger(models[name], "onnxruntime").stream([sounds[name]], each.rate))
        messages = listener.scores(name)
        assert [message.header["start"] for message in messages] == [scores.start for scores in expected]
        for number, message in enumerate(messages):
            assert message.header["start"] == number * each.hop / each.rate
            assert message.header["end"] == pytest.approx(message.header["start"] + each.hop / each.rate)
            assert message.header["lost_samples"] == 0
        heard = np.array([message.patch for message in messages])
        np.testing.assert_allclose(heard, np.array([scores.patch for scores in expected]), atol=1e-5)
        assert {scores.patch.argmax() for scores in expected} == {1}
        status = [message.header for message in listener.of("status", name)][-1]
        assert (status["model"], status["patch_seconds"]) == (name, each.seconds)
        on, *_ = listener.of("event", name)
        assert (on.header["label"], on.header["onset"]) == ("Middle", 0.0)
        levels = watcher.of("levels", name)
        places = np.array([message.header["start"] for message in levels]) / 0.12
        assert len(places) >= 30  # some are left out of sound that comes faster than real time
        np.testing.assert_allclose(places, np.rint(places), atol=1e-6)
        assert len(watcher.of("embedding", name)) == len(messages)
    service.stop()
    reader = HistoryReader(database)
    kept = {event.stream: event for event in reader.search(label="Middle", limit=10)}
    assert kept.keys() == models.keys()
    for name, event in kept.items():
        path = reader.clip(event.id)
        assert path is not None
        with wave.open(str(path)) as clip:
            assert (clip.getframerate(), clip.getnframes()) == (GEOMETRIES[name].rate, GEOMETRIES[name].rate)


def test_a_model_that_gives_what_is_no_number_is_told_of_and_nothing_of_it_is_published(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
    monkeypatch: pytest.MonkeyPatch,
    models: dict[str, Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("streamtag.runtimes.onnx_window.activated", lambda values, _: np.full_like(values, np.nan))
    service = serve(models={"short": models["short"]}, streams=(Stream(id="yard", source="zmq:", model="short"),))
    listener = listen(service)
    listener.until(lambda message: message.header["kind"] == "service")
    pusher = push(service)
    pusher.push("yard", tone(2.0, 440, 8000), 8000)
    pusher.end("yard")
    listener.states_of("ended", "yard")
    assert [message.patch.tolist() for message in listener.scores("yard") if message.patch is not None] == [
        [0.0] * 4
    ] * 4
    told = listener.until(
        lambda message: message.header["kind"] == "service" and message.header["models"]["short"]["bad_patches"]
    )
    assert told.header["models"]["short"]["bad_patches"] == 4
    assert caplog.text.count("gives scores that are not finite") == 1
