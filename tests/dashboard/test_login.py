"""One budget of failures for whatever way a password comes."""

import base64
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from streamtag.dashboard.failures import FailureBudget, network_of
from streamtag.dashboard.login import Account, Logins, WaitError, read_account, read_token
from streamtag.errors import ConfigError

ANNA = Account("anna", "correct horse")
TOKEN = "a-token-that-nobody-guesses"
RIGHT, WRONG = b"user=anna&password=correct+horse", b"user=anna&password=guess"
API = "/api/v1/events"


def basic(password: str) -> Headers:
    return Headers({"Authorization": "Basic " + base64.b64encode(f"anna:{password}".encode()).decode()})


def bearer(token: str) -> Headers:
    return Headers({"Authorization": f"Bearer {token}"})


@pytest.fixture
def logins() -> Logins:
    return Logins(ANNA, "visit", TOKEN)


WAYS: dict[str, Callable[[Logins, str], object]] = {
    "form": lambda logins, visitor: logins.open_session(WRONG, visitor),
    "basic": lambda logins, visitor: logins.is_known(basic("guess"), visitor, "/"),
    "token": lambda logins, visitor: logins.is_known(bearer("guess"), visitor, API),
}


@pytest.mark.parametrize("way", WAYS)
def test_after_ten_failures_by_one_way_no_other_way_is_open_either(
    logins: Logins, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        assert not WAYS[way](logins, "192.0.2.1")
    for other in WAYS.values():
        with pytest.raises(WaitError) as refused:
            other(logins, "192.0.2.1")
        assert 0 < refused.value.seconds <= 6
    with pytest.raises(WaitError):
        logins.open_session(RIGHT, "192.0.2.1")
    assert logins.open_session(RIGHT, "192.0.2.2")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 11
    assert warnings[0].startswith("192.0.2.1 gave a wrong ")
    assert warnings[-1].startswith("too many passwords from 192.0.2.1 were wrong")
    assert "guess" not in caplog.text


def test_failures_grow_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    budget, now = FailureBudget(), time.monotonic()
    monkeypatch.setattr("streamtag.dashboard.failures.time.monotonic", lambda: now)
    assert [budget.fail("a") for _ in range(10)] == [False] * 9 + [True]
    assert budget.wait_seconds("a") == pytest.approx(6)
    now += 6.1
    assert budget.wait_seconds("a") == 0
    assert budget.fail("a")
    now += 3600
    assert [budget.fail("a") for _ in range(10)] == [False] * 9 + [True]


def test_many_who_guess_together_have_one_budget_too() -> None:
    budget = FailureBudget()
    for number in range(100):
        assert budget.wait_seconds(str(number)) == 0
        budget.fail(str(number))
    assert 0 < budget.wait_seconds("somebody else") <= 1


def test_who_was_let_in_stays_in_while_others_guess(logins: Logins) -> None:
    token = logins.open_session(RIGHT, "192.0.2.1")
    for _ in range(10):
        logins.open_session(WRONG, "192.0.2.1")
    assert logins.is_known(Headers({"Cookie": f"visit={token}"}), "192.0.2.1", "/")


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ä", "Basic !", "Basic YQ==", "Basic //79", "Basic \udcff", "Bearer", "Bearer ä", "x", ""]
)
def test_a_header_that_is_none_lets_nobody_in(logins: Logins, header: str) -> None:
    headers = Headers(raw=[(b"authorization", header.encode("latin-1", "replace"))])
    assert not logins.is_known(headers, "192.0.2.1", API)


@pytest.mark.parametrize("form", [b"", b"\xff", b"&" * 4000, b"user=anna", b"user=anna&password=%ff", b"user=\x00"])
def test_a_form_that_is_none_lets_nobody_in(logins: Logins, form: bytes) -> None:
    assert logins.open_session(form, "192.0.2.1") is None


def test_a_token_opens_the_read_api_and_nothing_else(logins: Logins) -> None:
    assert logins.is_known(bearer(TOKEN), "x", API)
    assert not logins.is_known(bearer(TOKEN), "x", "/")
    alone = Logins(None, "visit", TOKEN)
    assert alone.is_known(Headers(), "x", "/")
    assert not alone.is_known(Headers(), "x", API)
    assert alone.is_known(bearer(TOKEN), "x", API)


def test_a_network_of_ipv6_is_one_visitor() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("no address" * 100) == ("no address" * 100)[:64]


@pytest.mark.parametrize("text", ["anna", ":", "anna:", ":password", "anna:no-such-file"])
def test_a_wrong_account_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--auth"):
        read_account(text)


def test_the_first_line_of_the_file_is_the_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\nmore\n")
    account = read_account(f"anna:{file}")
    assert account == ANNA
    assert "horse" not in repr(account)
    file.write_text("\n")
    with pytest.raises(ConfigError, match="empty"):
        read_account(f"anna:{file}")


@pytest.mark.parametrize("text", ["", "short", "with spaces in it, many of them"])
def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token(str(file)) == TOKEN
    file.write_text(text)
    with pytest.raises(ConfigError, match="--token-file"):
        read_token(str(file))
