"""`alerts`, over a history."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from streamtag.history.store import Begin, End, Store
from streamtag.settings import HistorySettings

Call = Callable[..., CompletedProcess[str]]
ALERTS = """
[history]
path = "history.sqlite"
[[alert]]
name = "dog"
when = "Dog"
cooldown_seconds = 600
[[alert]]
name = "down"
when = "state"
"""


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A configuration with alerts, and a history with two barks a minute apart."""
    store = Store(tmp_path / "history.sqlite", HistorySettings(path=""))
    for number in range(2):
        begin = time.time() - 3600 + 60 * number
        store.write([Begin(number, "porch", "Dog", begin, 60.0 * number, 0.9), End(number, 60.0 * number + 2, 0.95)])
    store.close()
    path = tmp_path / "live.toml"
    path.write_text(ALERTS)
    return path


def test_what_would_have_been_sent_is_listed(call: Call, live: Path) -> None:
    done = call("alerts", live)
    assert done.returncode == 0
    head, line = done.stdout.splitlines()
    assert head.split() == ["TIME", "ALERT", "STREAM", "HEARD", "SCORE"]
    assert line.split()[2:] == ["dog", "porch", "Dog", "0.95"]
    assert "1 would have been sent, 1 held back" in done.stderr
    assert "left out, for a history holds neither levels nor states: down" in done.stderr


def test_what_was_held_back_is_listed_where_it_is_asked_for(call: Call, live: Path) -> None:
    lines = [json.loads(line) for line in call("alerts", live, "--last", "2h", "--why", "--json").stdout.splitlines()]
    assert [(line["alert"], line["sent"], line["reason"]) for line in lines] == [
        ("dog", True, ""),
        ("dog", False, "within 600 s of the one before"),
    ]
    assert call("alerts", live, "--last", "5m", "--json").stdout == ""


@pytest.mark.parametrize("last", ["", "24", "0h", "-3h", "1w", "99999999999d"])
def test_a_time_that_is_none_is_wrong_usage(call: Call, live: Path, last: str) -> None:
    with pytest.raises(SystemExit) as ended:
        call("alerts", live, "--last", last)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "it has no alert"),
        ('[[alert]]\nname = "dog"\nwhen = "Dog"\n', "keeps no history"),
        ('[history]\npath = "h"\n[[alert]]\nname = "dog"\nwhen = "Dgo"\n', 'no label "Dgo"; did you mean "Dog"?'),
    ],
)
def test_what_is_missing_is_said(call: Call, tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "live.toml"
    path.write_text(text)
    done = call("alerts", path)
    assert done.returncode == 2
    assert wrong in done.stderr
