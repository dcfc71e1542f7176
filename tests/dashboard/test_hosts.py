import socket

import pytest

from streamtag.dashboard.hosts import HostNames

NAMES = HostNames(["Page.example", "192.0.2.7"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:7860", "[::1]:7860", "192.168.1.5", "[fe80::1]", "localhost", "LOCALHOST:1", "page.example",
        "PAGE.example.:7860", socket.gethostname(), f"{socket.gethostname().partition('.')[0]}.local:7860",
    ],
)  # fmt: skip
def test_the_page_goes_by_addresses_and_names_of_its_own(host: str) -> None:
    assert NAMES.refusal(host) == ""


@pytest.mark.parametrize(
    "host", ["evil.example", "page.example.evil.example", "127.0.0.1.evil.example", "x-page.example"]
)
def test_whoever_comes_by_another_name_is_told_which_option_adds_it(host: str) -> None:
    assert f"--host-name {host}" in NAMES.refusal(host)


@pytest.mark.parametrize(
    "host", ["", "[", "[::1", "a b", "a/b", "evil.example@127.0.0.1", "127.0.0.1:port", "ä", "<x>"]
)
def test_what_is_no_host_is_not_repeated(host: str) -> None:
    assert NAMES.refusal(host) == "The request names no host that could be one."


@pytest.mark.parametrize(
    ("origin", "host", "is_same"),
    [
        ("http://page.example:7860", "page.example:7860", True),
        ("http://PAGE.example", "page.example:80", True),
        ("https://page.example", "page.example", True),
        ("https://page.example", "page.example:80", False),
        ("http://[::1]:7860", "[::1]:7860", True),
        ("http://page.example:7861", "page.example:7860", False),
        ("http://evil.example", "page.example", False),
        ("null", "null", False),
        ("http://[", "[", False),
        ("", "", False),
        ("file://page.example", "page.example", False),
    ],
)
def test_a_site_is_the_same_by_name_and_port(origin: str, host: str, is_same: bool) -> None:
    assert NAMES.is_same_site(origin, host) is is_same
