"""The read API over HTTP, with a real publisher and a real history behind it."""

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamtag.dashboard.access import Access
from streamtag.dashboard.api import Api
from streamtag.dashboard.api import events_stream as events_stream_module
from streamtag.dashboard.headers import SecurityHeaders
from streamtag.dashboard.hosts import HostNames
from streamtag.dashboard.limits import Limits
from streamtag.dashboard.login import Logins
from streamtag.history import event_id
from streamtag.history.clips import Clip
from streamtag.history.store import Begin, End, Store
from streamtag.settings import Config, HistorySettings
from streamtag.wire import EventHeader, Outgoing, Publisher, ServiceHeader
from tests.dashboard.conftest import until
from tests.ports import free_port
from tests.wire import samples

BEGAN = 1_700_000_000.12
ROOT = "/api/v1"
TOKEN = "a-token-that-nobody-guesses"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Take = Callable[[], tuple[str, dict[str, Any]]]


class Client:
    """Asks one server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request("GET", f"{ROOT}{path}", headers=BEARER)
            answer = connection.getresponse()
            body = answer.read()
        return answer.status, json.loads(body) if answer.headers["content-type"] == "application/json" else body

    @contextmanager
    def follow(self, path: str = "/events/stream", last: str = "") -> Iterator[Take]:
        """Follow what comes; each call waits for the next and returns its id and data."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request("GET", f"{ROOT}{path}", headers=BEARER | ({"Last-Event-ID": last} if last else {}))
            answer = connection.getresponse()
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = (line.decode().rstrip("\n") for line in answer)
            assert next(lines) == "retry: 3000"

            def take() -> tuple[str, dict[str, Any]]:
                found: dict[str, str] = {}
                for line in lines:
                    if not line and "data" in found:
                        return found["id"], json.loads(found["data"])
                    key, _, value = line.partition(": ")
                    found[key] = value
                raise EOFError

            yield take


def nowhere(_: Request, error: Exception) -> Response:
    """What the page says of other paths, as far as the API is asked for in JSON."""
    return JSONResponse({"error": str(error)}, 404)


@pytest.fixture
def serve(publisher: Publisher) -> Iterator[Callable[..., Client]]:
    """Start servers that end with the test."""
    servers: list[tuple[uvicorn.Server, threading.Thread, Api]] = []

    def start(config: Config | None = None) -> Client:
        api = Api(publisher.endpoint, config or Config())
        api.start()
        port = free_port()
        bare = Starlette(routes=[api.mount], exception_handlers={404: nowhere})
        limited = Limits(bare, streams=frozenset({f"{ROOT}/events/stream"}), own=frozenset())
        logins, names = Logins(None, "page", TOKEN), HostNames(["127.0.0.1"])
        app = SecurityHeaders(Access(limited, logins=logins, names=names, large={}))
        server = uvicorn.Server(
            uvicorn.Config(app, port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        servers.append((server, thread, api))
        assert until(lambda: server.started)
        return Client(port)

    yield start
    for server, thread, api in servers:
        server.should_exit = True
        thread.join(20)
        api.stop()
        assert not thread.is_alive()


@pytest.fixture
def history(tmp_path: Path) -> Config:
    """A history of ten dogs, of which the fourth has a clip."""
    settings = HistorySettings(path=str(tmp_path / "history.sqlite"), keep_days=36500, clips=True)
    with closing(Store(tmp_path / "history.sqlite", settings, session="5e551011")) as store:
        for number in range(10):
            stream = "porch" if number % 2 else "yard"
            store.write([Begin(number, stream, "Dog", BEGAN + number, 1.0 + number, 0.5)])
            store.write([End(number, 1.5 + number, 0.75)])
        store.keep(Clip(3, np.zeros(1600, np.float32)))
    return Config(history=settings)


def service(*streams: str, private: tuple[str, ...] = ()) -> Outgoing:
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.private = [*streams, *private], list(private)
    return Outgoing(header)


def hear(client: Client, publisher: Publisher) -> None:
    """Wait until a server has subscribed: an event that is published before is nobody's."""
    publisher.publish([service("porch"), samples.status()])
    assert until(lambda: client.get("/streams")[1]["streams"], 60)


def event(state: str, number: int = 0, *, stream: str = "porch", label: str = "Dog") -> Outgoing:
    begin = BEGAN + number
    is_on = state == "on"
    return Outgoing(
        EventHeader(
            stream=stream,
            id=number,
            label=label,
            index=0,
            state=state,
            onset=1.0,
            offset=None if is_on else 2.0,
            peak=0.9,
            onset_time=begin,
            offset_time=None if is_on else begin + 1,
        )
    )


def name(number: int, state: str = "", stream: str = "porch") -> str:
    return event_id(stream, "Dog", BEGAN + number) + (f"~{state}" if state else "")


def test_streams_and_labels_are_those_that_the_service_tells(
    serve: Callable[..., Client], publisher: Publisher
) -> None:
    client = serve()
    assert client.get("/labels") == (503, {"error": "The tagging service was not heard yet."})
    assert client.get("/streams")[1]["service"]["state"] == "waiting"
    publisher.publish([service("porch"), samples.status()])
    assert until(lambda: client.get("/streams")[1]["streams"])
    told = client.get("/streams")[1]
    assert (told["service"]["state"], told["service"]["model"]) == ("connected", "default")
    assert [(stream["id"], stream["state"], stream["source"]) for stream in told["streams"]] == [
        ("porch", "live", "file:yard.flac")
    ]
    assert client.get("/labels") == (
        200,
        {"model": "default", "labels_hash": "c0ffee", "labels": ["Dog", "Cat"]},
    )


def test_a_visitor_s_microphone_is_told_to_nobody(serve: Callable[..., Client], publisher: Publisher) -> None:
    client = serve()
    hear(client, publisher)
    publisher.publish([samples.status("browser-1"), service("porch", private=("lent",)), samples.status("lent")])
    publisher.publish([event("on", stream="browser-1"), event("on", stream="lent"), samples.status(), event("on")])
    assert until(lambda: client.get("/events")[1]["events"])
    assert [each["stream"] for each in client.get("/events")[1]["events"]] == ["porch"]
    assert [each["id"] for each in client.get("/streams")[1]["streams"]] == ["porch"]


def test_events_of_a_history_are_found_by_label_stream_and_time(serve: Callable[..., Client], history: Config) -> None:
    client = serve(history)
    status, found = client.get("/events?limit=3")
    assert (status, found["more"], found["source"]) == (200, True, "history")
    assert [each["id"] for each in found["events"]] == [name(9), name(8, stream="yard"), name(7)]
    assert found["events"][0] == {
        "id": name(9),
        "stream": "porch",
        "label": "Dog",
        "state": "off",
        "onset_time": BEGAN + 9,
        "offset_time": BEGAN + 9.5,
        "onset": 10.0,
        "offset": 10.5,
        "peak": 0.75,
        "clip": None,
    }
    assert client.get("/events?label=Do")[1]["events"] == []
    assert len(client.get("/events?label=Dog&stream=porch")[1]["events"]) == 5
    by_seconds = client.get(f"/events?since={BEGAN + 2}&until={BEGAN + 4}")[1]["events"]
    by_name = client.get("/events?since=2023-11-14T22:13:22Z&until=2023-11-14T22:13:24.5")[1]["events"]
    assert [each["id"] for each in by_seconds] == [name(4, stream="yard"), name(3), name(2, stream="yard")]
    assert by_name == by_seconds


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "since=yesterday", "since=nan", "stream=a/b"])
def test_a_parameter_that_is_wrong_is_named_in_one_line(serve: Callable[..., Client], query: str) -> None:
    status, answer = serve().get(f"/events?{query}")
    assert status == 422
    assert answer["error"].startswith(f"{query.partition('=')[0]}: ")
    assert "\n" not in answer["error"]


def test_without_a_history_events_are_those_since_the_page_began(
    serve: Callable[..., Client], publisher: Publisher
) -> None:
    client = serve()
    hear(client, publisher)
    publisher.publish([event("on", 1), event("off", 1), event("on", 2)])
    assert until(lambda: len(client.get("/events")[1]["events"]) == 2)
    found = client.get("/events")[1]
    assert [(each["id"], each["state"]) for each in found["events"]] == [(name(2), "on"), (name(1), "off")]
    assert found["source"] == "memory"


def test_a_history_that_cannot_be_read_is_said_without_its_place(serve: Callable[..., Client], tmp_path: Path) -> None:
    config = Config(history=HistorySettings(path=str(tmp_path / "none.sqlite")))
    status, answer = serve(config).get("/events")
    assert (status, answer) == (503, {"error": "There is no history yet."})


def test_a_clip_is_had_by_its_event_s_id(serve: Callable[..., Client], history: Config) -> None:
    client = serve(history)
    (link,) = [each["clip"] for each in client.get("/events")[1]["events"] if each["clip"]]
    status, sound = client.get(link.removeprefix(ROOT))
    assert (status, sound[:4]) == (200, b"RIFF")
    for other in (name(4), name(3, stream="yard"), "17", "..%2F..%2Fetc%2Fpasswd"):
        assert client.get(f"/clips/{other}")[0] == 404
    assert client.get("/clips/a%20b")[0] == 422


def test_whoever_follows_is_told_what_comes(serve: Callable[..., Client], publisher: Publisher) -> None:
    client = serve()
    hear(client, publisher)
    publisher.publish([event("on", 1)])
    assert until(lambda: client.get("/events")[1]["events"])
    with client.follow() as take, client.follow("/events/stream?label=Cat") as take_cats:
        publisher.publish([event("off", 1), event("on", 2, label="Cat")])
        assert [take()[0] for _ in range(2)] == [name(1, "off"), f"{event_id('porch', 'Cat', BEGAN + 2)}~on"]
        assert take_cats()[1]["label"] == "Cat"


def test_whoever_comes_back_goes_on_where_it_was(serve: Callable[..., Client], publisher: Publisher) -> None:
    client = serve()
    hear(client, publisher)
    with client.follow() as take:
        publisher.publish([event("on", 1)])
        last, _ = take()
    publisher.publish([event(state, number) for number in range(2, 500) for state in ("on", "off")])
    with client.follow(last=last) as take:
        told = [take()[0] for _ in range(996)]
    assert told == [name(number, state) for number in range(2, 500) for state in ("on", "off")]


def test_whoever_comes_back_to_a_page_that_began_anew_gets_the_rest_from_the_history(
    serve: Callable[..., Client], publisher: Publisher, history: Config
) -> None:
    client = serve(history)
    hear(client, publisher)
    publisher.publish([event("on", 20)])
    assert until(lambda: client.get("/streams")[1]["service"]["state"] == "connected")
    with client.follow(last=name(7, "on")) as take:
        told: list[str] = []
        while not told or told[-1] != name(20, "on"):
            told.append(take()[0])
    wanted = [name(7, "off"), name(8, "on", "yard"), name(8, "off", "yard"), name(9, "on"), name(9, "off")]
    assert told[-6:-1] == wanted
    assert len(told) == len(set(told))


def test_a_name_that_is_none_begins_now(serve: Callable[..., Client], publisher: Publisher) -> None:
    client = serve()
    hear(client, publisher)
    publisher.publish([event("on", 1)])
    assert until(lambda: client.get("/events")[1]["events"])
    with client.follow(last="17") as take:
        publisher.publish([event("off", 1)])
        assert take()[0] == name(1, "off")


def test_too_many_do_not_follow(serve: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_stream_module, "MOST_FOLLOWERS", 1)
    client = serve()
    with client.follow():
        assert client.get("/events/stream")[0] == 503

    def is_free() -> bool:
        try:
            with client.follow():
                return True
        except AssertionError:
            return False

    assert until(is_free)  # who left is noticed


def test_the_interface_s_own_description_is_true(
    serve: Callable[..., Client], publisher: Publisher, history: Config, tmp_path: Path
) -> None:
    publisher.publish([service("porch"), samples.status()])
    client = serve(history)
    assert until(lambda: client.get("/labels")[0] == 200)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{client.port}{ROOT}/openapi.json"),
            *("--exclude-path", "/events/stream", "--max-examples", "8", "--seed", "1", "--suppress-health-check=all"),
            *("--header", f"Authorization: Bearer {TOKEN}"),
            *("--no-color", "--phases", "examples,coverage,fuzzing"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic x"])
def test_without_the_token_nothing_is_told(serve: Callable[..., Client], token: str) -> None:
    client = serve()
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    with closing(connection):
        for path in ("/streams", "/events", "/openapi.json"):
            connection.request("GET", f"{ROOT}{path}", headers={"Authorization": token} if token else {})
            answer = connection.getresponse()
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert json.loads(answer.read()) == {"error": "Please log in, or send a token as Authorization: Bearer."}


def test_every_path_that_is_promised_is_described(serve: Callable[..., Client]) -> None:
    _, described = serve().get("/openapi.json")
    assert described["openapi"].startswith("3.")
    assert list(described["paths"]) == ["/streams", "/labels", "/events", "/events/stream", "/clips/{id}"]
    assert {method for path in described["paths"].values() for method in path} == {"get"}
