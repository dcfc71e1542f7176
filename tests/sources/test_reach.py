"""Where a server may lead, and where its name may."""

import socket
from collections.abc import Callable

import pytest

from streamtag.sources.reach import Reach
from streamtag.sources.reasons import ReadError

Answer = Callable[[str, list[str]], None]


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Sets what a name is found to be from now on."""
    known: dict[str, list[str]] = {}
    look = socket.getaddrinfo

    def find(host: str, *given: object, **named: object) -> object:
        return [found for address in known.get(host, [host]) for found in look(address, *given, **named)]  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    return known.__setitem__


def begun(url: str, *leads_to: str) -> Reach:
    reach = Reach(leads_to)
    reach.begin(url)
    return reach


@pytest.mark.parametrize(
    ("origin", "target", "allowed"),
    [
        ("http://93.184.216.34/a.m3u", "http://93.184.216.35/x", True),
        ("http://93.184.216.34/a.m3u", "http://127.0.0.1/x", False),
        ("http://93.184.216.34/a.m3u", "http://[::ffff:127.0.0.1]/x", False),
        ("http://93.184.216.34/a.m3u", "http://169.254.169.254/latest", False),
        ("http://93.184.216.34/a.m3u", "http://192.168.1.1/x", False),
        ("http://93.184.216.34/a.m3u", "http://[::1]/x", False),
        ("http://93.184.216.34/a.m3u", "http://0.0.0.0/x", False),
        ("http://93.184.216.34/a.m3u", "http://2130706433/x", False),
        ("http://192.168.1.1/a.m3u", "http://192.168.1.2/x", True),
        ("http://192.168.1.1/a.m3u", "http://localhost/x", False),
        ("http://93.184.216.34/a.m3u", "http://[64:ff9b::7f00:1]/x", False),
        ("http://93.184.216.34/a.m3u", "http://[2002:7f00:1::]/x", False),
        ("http://93.184.216.34/a.m3u", "http://[::127.0.0.1]/x", False),
        ("http://93.184.216.34/a.m3u", "http://127.0.0.1\t.example/x", False),
        ("http://93.184.216.34/a.m3u", "http://93.184.216.35\\@127.0.0.1/x", False),
        ("http://192.168.1.1/a.m3u", "http://169.254.169.254/latest", False),
        ("http://127.0.0.1/a.m3u", "http://127.0.0.1:80/x", True),
        ("http://127.0.0.1/a.m3u", "http://127.0.0.1:81/x", False),
        ("http://127.0.0.1/a.m3u", "http://127.0.0.2/x", False),
        ("http://127.0.0.1/a.m3u", "file:///etc/passwd", False),
        ("http://93.184.216.34/a.m3u", "http://127.0.0.1:8080/x", True),
        ("http://93.184.216.34/a.m3u", "http://[::1]:8080/x", True),
        ("http://93.184.216.34/a.m3u", "http://localhost:8080/x", False),
        ("http://93.184.216.34/a.m3u", "http://10.0.0.7:1234/x", True),
    ],
)
def test_a_server_leads_no_further_inward_than_it_stands_nor_where_it_may(
    origin: str, target: str, allowed: bool
) -> None:
    reach = begun(origin, "127.0.0.1:8080", "[::1]:8080", "10.0.0.7")
    if allowed:
        reach.check(target, ("http",))
        return
    with pytest.raises(ReadError):
        reach.check(target, ("http",))


def test_a_name_that_comes_nearer_leads_nowhere_and_is_heard_again_when_it_is_back(name_server: Answer) -> None:
    url = "http://radio.example:8000/x"
    reach = Reach()
    for address, allowed in [("93.184.216.34", True), ("127.0.0.1", False), ("192.168.1.1", False), ("1.1.1.1", True)]:
        name_server("radio.example", [address])
        reach.begin(url)
        if allowed:
            assert reach.addresses("radio.example", 8000) == [address]
            continue
        with pytest.raises(ReadError, match=r'its name leads into .*leads_to = \["radio.example:8000"\]'):
            reach.addresses("radio.example", 8000)
    name_server("radio.example", ["127.0.0.1"])
    assert begun(url, "radio.example").addresses("radio.example", 8000) == ["127.0.0.1"]


def test_of_a_names_addresses_those_further_inward_are_left_out(name_server: Answer) -> None:
    name_server("radio.example", ["93.184.216.34", "127.0.0.1", "::1"])
    reach = begun("http://radio.example/x")
    assert reach.addresses("radio.example", 80) == ["93.184.216.34"]
    with pytest.raises(ReadError):
        reach.check("http://192.168.1.1/x", ("http",))
    name_server("camera.local", ["192.168.1.7", "fe80::1%1"])
    assert begun("rtsp://camera.local/x").addresses("camera.local", 554) == ["192.168.1.7"]


def test_a_users_own_name_may_be_this_machines_from_the_beginning(name_server: Answer) -> None:
    name_server("cellar.example", ["127.0.1.1"])
    assert begun("http://cellar.example/x").addresses("cellar.example", 80) == ["127.0.1.1"]
