from pathlib import Path
from typing import get_args

import msgspec
import pytest

from streamtag.config import check_labels
from streamtag.config_alerts import STATES
from streamtag.daytime import DAYS
from streamtag.errors import ConfigError
from streamtag.settings import AlertSettings
from streamtag.toml_tables import may_be
from streamtag.wire.messages import StreamState
from tests.configurations import load, refusal

ALERT = '[[alert]]\nname = "dog"\nwhen = "Dog"\n'
PHONE = '[[notify]]\nname = "phone"\nurls = ["json://localhost"]\n'


def test_every_key_of_an_alert_is_read(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        f"""
[service]
latitude = 52.5
longitude = 13.4
[mqtt]
host = "127.0.0.1"
[[webhook]]
url = "http://127.0.0.1:8080/hook"
{PHONE}
digest_seconds = 60
[[alert]]
name = "dog at night"
when = "Any dog"
streams = ["porch"]
on = 0.6
for_seconds = 0
count = 1
within_seconds = 60
unless = ["Speech"]
between = ["sunset", "06:30"]
days = ["mon", "tue"]
cooldown_seconds = 300
send = ["mqtt", "phone", "webhook"]
clip = true
[[alert]]
name = "loud"
when = "level"
on = -20
[[alert]]
name = "down"
when = "state"
[history]
no_clip_when = ["Speech"]
[[stream]]
id = "porch"
source = "mic:"
""",
    )
    first, loud, down = config.alerts
    assert (first.streams, first.on, first.unless, first.days) == (("porch",), 0.6, ("Speech",), ("mon", "tue"))
    assert (first.between, first.send, first.clip) == (("sunset", "06:30"), ("mqtt", "phone", "webhook"), True)
    assert (loud.on, down.on) == (-20, ("reconnecting", "stalled", "failed"))
    assert down.send == ("mqtt", "webhook", "phone")  # all that there are
    assert [(label, title) for label, title, _ in config.sink_labels] == [
        ("Speech", "[history] no_clip_when"),
        ("Any dog", "[[alert]] when"),
        ("Speech", "[[alert]] unless"),
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (ALERT + ALERT, 'line 5: [[alert]] name = "dog": another alert has this name'),
        (ALERT + "on = 1.5\n", "line 4: [[alert]] on: must be of a label a score from 0 to 1"),
        (ALERT + 'on = ["failed"]\n', "line 4: [[alert]] on: must be of a label a score from 0 to 1"),
        (
            ALERT + 'on = "loud"\n',
            'line 4: [[alert]] on = "loud": must be a score from 0 to 1, a level in dBFS, or a list',
        ),
        (ALERT + "count = 2\nfor_seconds = 3\n", "line 4: [[alert]] count and for_seconds cannot both be there"),
        (ALERT + 'unless = ["Dog"]\n', 'line 4: [[alert]] unless: "Dog" is what the alert waits for'),
        (ALERT + 'between = ["sunset", "06:00"]\n', "line 4: [[alert]] between: sunrise and sunset need [service]"),
        (ALERT + 'between = ["06:00", "06:00"]\n', "line 4: [[alert]] between: begins and ends at the same time"),
        (ALERT + 'days = ["monday"]\n', 'line 4: [[alert]] days = a list: must be a list of days: "mon", "tue"'),
        (ALERT + 'send = ["mqtt"]\n', 'line 4: [[alert]] send: there is no "mqtt"; write [mqtt]'),
        (PHONE + ALERT + 'send = ["fone"]\n', 'line 7: [[alert]] send: there is no "fone"; did you mean "phone"?'),
        (
            ALERT + 'streams = ["porsch"]\n[[stream]]\nid = "porch"\nsource = "mic:"\n',
            'line 4: [[alert]] streams: there is no stream "porsch"; did you mean "porch"?',
        ),
        ('[[alert]]\nname = "loud"\nwhen = "level"\n', '[[alert]] on is missing, which must be of "level" a number'),
        ('[[alert]]\nname = "loud"\nwhen = "level"\non = 3\n', 'line 4: [[alert]] on: must be of "level" a number'),
        ('[[alert]]\nname = "down"\nwhen = "state"\non = ["gone"]\n', 'line 4: [[alert]] on: there is no state "gone"'),
        ('[[alert]]\nname = "down"\nwhen = "state"\non = 0.5\n', 'line 4: [[alert]] on: of "state" it must be a list'),
        ('[alert]\nname = "dog"\n', "line 1: [alert]: must be written [[alert]], once for each alert"),
        (PHONE + PHONE, 'line 5: [[notify]] name = "phone": another notification has this name'),
        ('[[notify]]\nname = "mqtt"\nurls = ["json://x"]\n', 'line 2: [[notify]] name = "mqtt": that is [mqtt]'),
        ('[[notify]]\nname = "phone"\n', "line 1: [[notify]]: urls or urls_file is missing"),
        ('[[notify]]\nname = "phone"\nurls = []\n', "line 3: [[notify]] urls: must be a list of addresses"),
        (PHONE + 'urls_file = "x"\n', "line 4: [[notify]] urls_file and urls cannot both be there"),
    ],
)
def test_what_is_wrong_of_alerts_and_notifications_is_said(tmp_path: Path, text: str, wrong: str) -> None:
    assert wrong in refusal(tmp_path, text)


def test_a_label_of_an_alert_that_no_model_has_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r'line 3: \[\[alert\]\] when: the model has no label "Dog"; did you mean "Dogs"'
    ):
        check_labels(load(tmp_path, ALERT), ["Dogs", "Cat"])
    with pytest.raises(ConfigError, match=r"line 2: \[history\] no_clip_when: the model has no label"):
        check_labels(load(tmp_path, '[history]\nno_clip_when = ["Speach"]\n'), ["Speech"])
    check_labels(load(tmp_path, '[[alert]]\nname = "loud"\nwhen = "level"\non = -20\n'), ["Dog"])


def test_addresses_of_notifications_are_shown_nowhere(tmp_path: Path) -> None:
    config = load(tmp_path, '[[notify]]\nname = "phone"\nurls = ["ntfy://me:secret@host/topic"]\n')
    assert "secret" not in repr(config)
    assert "secret" not in refusal(tmp_path, '[[notify]]\nname = "phone"\nurls = "ntfy://me:secret@host/topic"\n')


def test_what_alerts_may_name_is_what_there_is() -> None:
    assert get_args(StreamState) == STATES
    kind = {field.name: field.type for field in msgspec.structs.fields(AlertSettings)}["days"]
    assert all(f'"{day}"' in may_be(kind) for day in DAYS)
