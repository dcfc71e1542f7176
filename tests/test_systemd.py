import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtag.systemd import Systemd, Watchdog


@pytest.fixture
def hearing(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd has: a socket at an address that the service is told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(60)
        yield made


class Signs(Systemd):
    """Counts signs of life."""

    def __init__(self, seconds: float) -> None:
        super().__init__({})
        self.watchdog_seconds = seconds
        self.count = 0

    def alive(self) -> None:
        self.count += 1


def test_nothing_is_told_where_nobody_asked() -> None:
    systemd = Systemd({})
    systemd.ready("here")
    assert systemd.watchdog_seconds == 0


def test_its_variables_are_kept_from_other_processes(hearing: socket.socket) -> None:
    environment = {
        "NOTIFY_SOCKET": hearing.getsockname(),
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": "1",
        "HOME": "/",
    }
    assert Systemd(environment).watchdog_seconds == 0  # meant for another process
    assert environment == {"HOME": "/"}
    environment = {
        "NOTIFY_SOCKET": hearing.getsockname(),
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    assert Systemd(environment).watchdog_seconds == 30


def test_an_address_of_the_abstract_kind_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind(f"\0streamtag-test-{os.getpid()}")
        Systemd({"NOTIFY_SOCKET": f"@streamtag-test-{os.getpid()}"}).alive()
        assert abstract.recv(100) == b"WATCHDOG=1"


def test_signs_of_life_are_given_while_every_thread_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    now, systemd = 0.0, Signs(60.0)
    watchdog = Watchdog(systemd, lambda: now)
    counts = {"the publisher": 0, "inference 1": 0}
    with caplog.at_level(logging.INFO):
        for _ in range(600):
            counts = {name: count + 1 for name, count in counts.items()}
            watchdog.look(counts)
            now += 0.25
        assert systemd.count == 10  # four in the time after which it would be ended
        assert caplog.messages == []
        for _ in range(240):  # one of them stands still
            counts["the publisher"] += 1
            watchdog.look(counts)
            now += 0.25
        assert systemd.count in (12, 13)
        assert caplog.messages == ["inference 1 has not gone on for 30 s: no more signs of life"]
        counts["inference 1"] += 1
        watchdog.look(counts)
    assert systemd.count in (13, 14)
    assert caplog.messages[1:] == ["inference 1 goes on"]
