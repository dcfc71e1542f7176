from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamtag.engine import Service
from streamtag.engine.times import USUAL_TIMES, ServiceTimes
from streamtag.settings import Stream
from streamtag.wire import PcmPusher, Subscriber
from tests.bundles import make_bundle
from tests.engine.listening import Listener, config


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def serve(tiny: Path) -> Iterator[Callable[..., Service]]:
    """Make and start services that stop with the test; settings as for `config`, and what they wait for."""
    services: list[Service] = []

    def make(times: ServiceTimes = USUAL_TIMES, **settings: Any) -> Service:
        service = Service(config(tiny, **settings), times=times)
        services.append(service)
        service.start()
        return service

    yield make
    for service in services:
        service.stop()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Make listeners that close with the test."""
    listeners: list[Listener] = []

    def make(service: Service, **wishes: Any) -> Listener:
        listeners.append(Listener(Subscriber(service.endpoint, **wishes)))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()


@pytest.fixture
def begin(
    tiny: Path, serve: Callable[..., Service], listen: Callable[..., Listener]
) -> Callable[..., tuple[Service, Listener]]:
    """Make services with streams, and a listener that is there before the first of them begins."""

    def make(*streams: Stream, times: ServiceTimes = USUAL_TIMES, **settings: Any) -> tuple[Service, Listener]:
        service = serve(times, **settings)
        listener = listen(service)
        listener.until(lambda message: message.header["kind"] == "service")
        service.reload(config(tiny, streams=streams, **settings))
        return service, listener

    return make


@pytest.fixture
def push() -> Iterator[Callable[[Service], PcmPusher]]:
    """Make pushers that close with the test."""
    pushers: list[PcmPusher] = []

    def make(service: Service) -> PcmPusher:
        pushers.append(PcmPusher(service.input_endpoint or ""))
        return pushers[-1]

    yield make
    for pusher in pushers:
        pusher.close()
