"""A service whose scoring is done in processes of its own."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamtag.engine import Service, processes
from streamtag.settings import Config, ServiceSettings, Stream
from streamtag.tagger import Tagger
from streamtag.wire import PcmPusher, Subscriber
from streamtag.workers import ScoringWorker
from tests.engine.listening import Listener, config
from tests.sounds import noise, tone, write
from tests.wire.receiving import patches


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Service]:
    service = Service(config(tiny, processes=2))
    service.start()
    yield service
    service.stop()


@pytest.fixture
def listener(service: Service) -> Iterator[Listener]:
    listener = Listener(Subscriber(service.endpoint))
    listener.until(lambda message: message.header["kind"] == "service")
    yield listener
    listener.close()


def test_two_processes_score_as_the_tagger_does(
    service: Service, listener: Listener, tiny: Path, tmp_path: Path
) -> None:
    sounds = {"low": tone(8.0, 300), "high": np.concatenate([noise(4.0), tone(4.0, 2900)])}
    files = {name: write(tmp_path / f"{name}.wav", sound) for name, sound in sounds.items()}
    streams = tuple(Stream(id=name, source=str(path)) for name, path in files.items())
    service.reload(config(tiny, processes=2, streams=streams))
    listener.states_of("ended", *files)
    for name, path in files.items():
        # A batch of another size sums in another order.
        np.testing.assert_allclose(
            patches(listener.scores(name)), Tagger(tiny, "onnxruntime").tag(path).patches, atol=1e-5
        )
    assert listener.of("service")[-1].header["processes"] == 2


def test_a_process_that_is_killed_takes_no_stream_and_no_event_with_it(
    service: Service, listener: Listener, push: Callable[[Service], PcmPusher]
) -> None:
    pusher = push(service)
    names = ["one", "two", "three", "four"]

    def sound() -> None:
        for name in names:
            pusher.push(name, tone(0.96, 2900), 16000)

    sound()
    sound()
    for name in names:
        listener.patches(name, 1)
    victim = service._models.workers[0].pid
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    for _ in range(4):
        sound()
    told = listener.until(lambda message: message.header.get("restarts") == {"scoring": 1})
    assert told.header["processes"] == 2
    sound()
    for name in names:
        pusher.end(name)
    listener.states_of("ended", *names)
    for name in names:
        ended = listener.of("status", name)[-1].header
        assert ended["patches"] == len(listener.scores(name))
        assert ended["patches"] + ended["dropped_patches"] == 7
        whistles = [event.header for event in listener.of("event", name) if event.header["label"] == "Whistle"]
        assert [event["state"] for event in whistles] == ["on", "off"] * (len(whistles) // 2)
        assert len(whistles) == 2 or ended["dropped_patches"] > 0  # a hole of two patches ends an event
    shares = [len(worker._streams) for worker in service._workers]
    assert max(shares) - min(shares) <= 1


def test_auto_is_one_process_for_each_core_and_no_more_than_streams() -> None:
    def wanted(cores: int, **settings: object) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
            streams = tuple(Stream(id=f"s{n}", source="-") for n in range(int(str(settings.pop("streams", 0)))))
            service = msgspec.convert({"processes": "auto", **settings}, ServiceSettings)
            return processes._wanted(Config(service=service, streams=streams))

    assert wanted(1, input="tcp://127.0.0.1:*", streams=5) == 1
    assert wanted(4, input="tcp://127.0.0.1:*") == 4
    assert wanted(4, streams=3) == 3
    assert wanted(4, streams=1) == wanted(4) == 1
    assert wanted(2, processes=3) == 3


def test_where_no_process_can_be_started_the_service_scores_by_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(number: int) -> ScoringWorker:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(processes, "ScoringWorker", refuse)
    assert processes.begin_workers(Config(service=ServiceSettings(processes=2))) == []
    assert caplog.messages == [
        "no processes can be started to score in (Operation not permitted): it is done within the service"
    ]
