from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtag.dashboard.access import VISITOR, Access
from streamtag.dashboard.headers import SecurityHeaders
from streamtag.dashboard.ingress import AnyHost, Ingress, Prefixed
from streamtag.dashboard.login import Logins

PEER = "172.30.32.2"
PREFIX = "/api/hassio_ingress/a-Token_1"
ASKED = {
    "X-Ingress-Path": PREFIX,
    "X-Forwarded-For": "192.168.1.7, 172.30.32.1",
    "X-Forwarded-Host": "home.example",
    "X-Forwarded-Proto": "https",
}
Visit = Callable[[str], TestClient]


def _tell(request: Request) -> JSONResponse:
    return JSONResponse(
        {"url": str(request.url), "root": request.scope.get("root_path"), "visitor": request.scope[VISITOR]}
    )


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(str(socket.url))
    await socket.close()


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Make clients, by their address, of a small application behind all that judges a request."""
    routes = [Route("/streamtag/history", _tell), WebSocketRoute("/streamtag/live", _talk)]
    clients: list[TestClient] = []

    def make(address: str) -> TestClient:
        inner = Prefixed(Starlette(routes=routes))
        access = Access(inner, logins=Logins(None, "visit"), names=AnyHost(), large={})
        page = Ingress(SecurityHeaders(access, in_frame=True), PEER)
        clients.append(TestClient(page, base_url="http://172.30.33.4:7860", client=(address, 4000)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_a_request_through_the_ingress_is_what_the_browser_asked(visit: Visit) -> None:
    answer = visit(PEER).get("/streamtag/history", headers=ASKED)
    assert answer.json() == {
        "url": f"https://home.example{PREFIX}/streamtag/history",
        "root": PREFIX,
        "visitor": "192.168.1.7",
    }
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_the_live_view_goes_through_too(visit: Visit) -> None:
    headers = {**ASKED, "Origin": "https://home.example"}
    with visit(PEER).websocket_connect("/streamtag/live", headers=headers) as socket:
        assert socket.receive_text() == f"wss://home.example{PREFIX}/streamtag/live"


def test_another_sites_page_is_kept_out_within_home_assistant_too(visit: Visit) -> None:
    client = visit(PEER)
    with pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/streamtag/live", headers={**ASKED, "Origin": "https://evil.example"}).__enter__()


def test_nobody_else_is_answered_whatever_they_say(visit: Visit) -> None:
    client = visit("172.30.33.9")
    assert client.get("/streamtag/history", headers=ASKED).status_code == 403
    with pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/streamtag/live", headers=ASKED).__enter__()


def test_this_machine_is_answered_and_not_believed(visit: Visit) -> None:
    told = visit("127.0.0.1").get("/streamtag/history", headers=ASKED).json()
    assert told == {"url": "http://172.30.33.4:7860/streamtag/history", "root": "", "visitor": "127.0.0.1"}


@pytest.mark.parametrize("path", ["//evil.example", "/a/../..%2f", "/<script>", "x", "/" + "a" * 200])
def test_a_path_that_is_none_is_not_believed(visit: Visit, path: str) -> None:
    told = visit(PEER).get("/streamtag/history", headers={**ASKED, "X-Ingress-Path": path}).json()
    assert told["root"] == ""
