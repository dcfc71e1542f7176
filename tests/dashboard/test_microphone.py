"""A microphone of the page, with a publisher for a service that takes it up or does not."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from streamtag.dashboard import microphone
from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.microphone import Microphones
from streamtag.wire import Outgoing, PcmPusher, Publisher, ServiceHeader
from tests.dashboard.conftest import until
from tests.wire import samples

BLOCK = struct.pack("<d", 0.0) + bytes(3200)


def service(endpoint: str, *streams: str) -> Outgoing:
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.private, header.input = list(streams), list(streams), endpoint
    return Outgoing(header)


@pytest.fixture
def input_() -> Iterator[str]:
    """Where sound may be pushed; nobody listens to it."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.bind("tcp://127.0.0.1:*")
        yield socket.get_string(zmq.LAST_ENDPOINT)


@pytest.fixture
def page(publisher: Publisher, input_: str, request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """A page; a parameter says for how many seconds it waits for the service to take a stream up."""
    hub = Hub(publisher.endpoint)
    hub.start()
    publisher.publish([service(input_)])
    assert until(lambda: hub.service is not None)
    microphones = Microphones(hub, getattr(request, "param", 5.0))
    app = Starlette(routes=[WebSocketRoute("/", microphones.serve)])

    async def visited(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, VISITOR: "192.0.2.1"}, receive, send)

    with TestClient(visited) as client:
        yield client
    hub.stop()


@pytest.mark.parametrize("page", [0.0], indirect=True)
def test_a_service_that_has_no_room_is_named(page: TestClient) -> None:
    with page.websocket_connect("/?rate=16000") as socket:
        assert socket.receive_json()["kind"] == "ready"
        socket.send_bytes(BLOCK)
        ended = socket.receive_json()
        assert (ended["kind"], ended["reason"]) == (
            "ended", "The service takes no more streams: it has as many as it may."
        )  # fmt: skip


@pytest.mark.parametrize("page", [1000.0], indirect=True)
def test_what_came_in_is_told_once_the_service_has_the_stream(
    page: TestClient, publisher: Publisher, input_: str
) -> None:
    with page.websocket_connect("/?rate=16000") as socket:
        stream = socket.receive_json()["stream"]
        publisher.publish([service(input_, stream)])
        told: list[dict[str, object]] = []
        for _ in range(100):
            socket.send_bytes(BLOCK)
        socket.send_json({"end": True})
        while not told or told[-1]["kind"] != "ended":
            told.append(socket.receive_json())
        assert told[-1]["reason"] == ""


@pytest.mark.parametrize("rate", ["", "0", "x", "16000.0", "9" * 5000, "१६०००", "200000"])
def test_a_rate_that_is_none_is_refused(page: TestClient, rate: str) -> None:
    with page.websocket_connect(f"/?rate={rate}") as socket:
        assert socket.receive_json()["reason"] == "Your browser records at a rate that the service cannot use."


def test_what_a_visitor_needed_is_let_go_even_where_the_visit_is_cancelled_and_every_thread_is_busy(
    publisher: Publisher, input_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class Told(PcmPusher):
        def end(self, stream: str) -> None:
            done.append("ended")

        def close(self) -> None:
            super().close()
            done.append("closed")

    monkeypatch.setattr(microphone, "PcmPusher", Told)
    hub = Hub(publisher.endpoint)
    hub.start()
    publisher.publish([service(input_)])
    assert until(lambda: hub.service is not None)
    ready = asyncio.Event()

    async def receive() -> Message:
        if not ready.is_set():
            return {"type": "websocket.connect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        ready.set()

    async def visit() -> None:
        busy = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            asyncio.get_running_loop().set_default_executor(threads)
            threads.submit(busy.wait)
            scope = {"type": "websocket", "path": "/", "query_string": b"rate=16000", "headers": [], VISITOR: "visitor"}
            task = asyncio.create_task(Microphones(hub).serve(WebSocket(scope, receive, send)))
            await ready.wait()
            await asyncio.sleep(0)
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
            busy.set()

    asyncio.run(visit())
    hub.stop()
    assert until(lambda: done == ["ended", "closed"])
