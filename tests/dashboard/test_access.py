from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtag.dashboard.access import Access
from streamtag.dashboard.hosts import HostNames
from streamtag.dashboard.login import Account, Logins

ANNA = Account("anna", "correct horse")
HOME = "http://127.0.0.1:7860"
SOCKET = "ws://127.0.0.1:7860/streamtag/socket"
ELSEWHERE = {"Origin": "https://elsewhere.example"}
Visit = Callable[..., TestClient]


async def _take(request: Request) -> Response:
    size = 0
    async for part in request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Make clients of a small application behind all that judges a request."""
    routes = [
        Route("/", _take, methods=["GET", "POST"]),
        Route("/streamtag/large", _take, methods=["POST"]),
        Route("/gradio_api/{rest:path}", _take, methods=["GET", "POST"]),
        Route("/streamtag/headers", lambda request: JSONResponse(list(request.headers))),
        WebSocketRoute("/streamtag/socket", _talk),
    ]
    clients: list[TestClient] = []

    def make(account: Account | None = None) -> TestClient:
        access = Access(
            Starlette(routes=routes),
            logins=Logins(account, "visit"),
            names=HostNames(["page.example"]),
            large={"/streamtag/large": 3 << 20},
        )
        clients.append(TestClient(access, base_url=HOME, follow_redirects=False))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize("auth", [None, ("anna", "wrong"), ("bob", "correct horse"), ("anna", ""), ("", "")])
def test_a_wrong_password_opens_neither_page_nor_socket(visit: Visit, auth: tuple[str, str] | None) -> None:
    client = visit(ANNA)
    assert client.get("/", auth=auth).status_code == 401
    with pytest.raises(WebSocketDisconnect):
        client.websocket_connect(SOCKET).__enter__()


def test_a_browser_without_login_is_led_to_it(visit: Visit) -> None:
    answer = visit(ANNA).get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_a_login_opens_page_and_socket_until_the_logout(visit: Visit) -> None:
    client = visit(ANNA)
    assert client.post("/login", data={"user": "anna", "password": "wrong"}).status_code == 401
    assert client.get("/").status_code == 401
    answer = client.post("/login", data={"user": "anna", "password": "correct horse"})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/").status_code == 200
    with client.websocket_connect(SOCKET) as socket:
        assert socket.receive_text() == "hello"
    assert client.get("/logout").status_code == 405
    assert client.get("/").status_code == 200
    assert client.post("/logout", headers=ELSEWHERE).status_code == 403
    client.post("/logout")
    assert client.get("/").status_code == 401


def test_a_session_that_was_never_given_is_none(visit: Visit) -> None:
    client = visit(ANNA)
    client.cookies.set("visit", "made-up")
    assert client.get("/").status_code == 401


def test_a_program_may_use_basic_authentication(visit: Visit) -> None:
    assert visit(ANNA).get("/", auth=("anna", "correct horse")).status_code == 200


def test_without_an_account_the_page_is_open(visit: Visit) -> None:
    assert visit().get("/").status_code == 200
    assert visit().get("/login").headers["location"] == "/"


def test_another_sites_page_opens_no_socket_and_changes_nothing(visit: Visit) -> None:
    client = visit()
    with pytest.raises(WebSocketDisconnect):
        client.websocket_connect(SOCKET, headers=ELSEWHERE).__enter__()
    assert client.post("/", headers=ELSEWHERE).status_code == 403
    assert client.post("/login", headers=ELSEWHERE).status_code == 403
    with client.websocket_connect(SOCKET, headers={"Origin": HOME}) as socket:
        assert socket.receive_text() == "hello"


def test_another_name_for_this_machine_is_refused(visit: Visit) -> None:
    assert visit().get("/", headers={"Host": "elsewhere.example:7860"}).status_code == 403
    assert visit().get("/", headers={"Host": "localhost:7860"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["file=/etc/passwd", "file/etc/passwd", "upload", "upload_progress", "proxy=x", "stream/1"]
)
def test_what_gradio_offers_and_no_page_uses_is_shut(visit: Visit, path: str) -> None:
    assert visit().get(f"/gradio_api/{path}").status_code == 404
    assert visit().post(f"/gradio_api/{path}").status_code == 404
    assert visit().get("/gradio_api/info").status_code == 200


def test_what_is_too_large_is_refused_before_it_comes(visit: Visit) -> None:
    client = visit()
    assert client.post("/", content=b"x" * ((1 << 20) + 1)).status_code == 413
    assert client.post("/streamtag/large", content=b"x" * (2 << 20)).text == str(2 << 20)
    assert client.post("/streamtag/large", content=b"x" * ((3 << 20) + 1)).status_code == 413


def test_wrong_passwords_are_answered_later_and_later(visit: Visit) -> None:
    client = visit(ANNA)
    statuses = [client.get("/", auth=("anna", "guess")).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = client.post("/login", data={"user": "anna", "password": "correct horse"})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 6


@pytest.mark.parametrize("path", ["//", "/%00", "/" + "x" * 300, "/x" * 600, "/%ff", "/a%0ab"])
def test_paths_of_no_file_are_not_looked_for(visit: Visit, path: str) -> None:
    assert visit().get(HOME + path).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_there_are_no_other_methods(visit: Visit, method: str) -> None:
    answer = visit().request(method, "/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_whoever_answers_hears_nothing_of_cookies_and_passwords(visit: Visit) -> None:
    client = visit(ANNA)
    client.cookies.set("visit", "made-up")
    told = client.get("/streamtag/headers", auth=("anna", "correct horse"), headers={"X-Forwarded-Host": "evil"}).json()
    assert not {"cookie", "authorization", "x-forwarded-host"} & set(told)
    assert "user-agent" in told


@pytest.mark.parametrize(("client", "is_told"), [("192.0.2.5", True), ("127.0.0.1", False)])
def test_who_logs_in_over_http_from_elsewhere_is_warned(
    visit: Visit, client: str, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = TestClient(visit(ANNA).app, base_url=HOME, client=(client, 5), follow_redirects=False)
    assert ("not encrypted" in visitor.get("/login").text) is is_told
    for _ in range(2):
        assert visitor.post("/login", data={"user": "anna", "password": "correct horse"}).status_code == 303
    assert caplog.text.count("a password came over http") == is_told
    visitor.close()
