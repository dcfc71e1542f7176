from pathlib import Path

import pytest

from streamtag.config import load_config
from streamtag.errors import ConfigError
from streamtag.fleet.settings import check_reach, load_fleet, node_text

FILE = """
[service]
endpoint = "tcp://127.0.0.1:5556"
[fleet]
loopback = true
[model]
max_batch = 64
[events.labels."Dog \\"x\\""]
on = 0.6
[[stream]]
id = "a"
source = "rtsp://user:s\\"ecret\\\\@camera/1"
pause = ["22:00", "06:00"]
[[stream]]
id = "b"
source = "file:b.wav"
loop = true
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "FLEET.toml"
    file.write_text(text)
    return file


def test_a_nodes_configuration_is_the_fleets_with_its_own_streams(tmp_path: Path) -> None:
    fleet = load_fleet(written(tmp_path, FILE))
    node = tmp_path / "elsewhere" / "node.toml"
    node.parent.mkdir()
    node.write_text(node_text(fleet, fleet.config.streams, "tcp://127.0.0.1:7000"))
    config = load_config(node)
    assert config.streams == fleet.config.streams
    assert (config.events, config.model, config.scores) == (
        fleet.config.events,
        fleet.config.model,
        fleet.config.scores,
    )
    assert config.service.endpoint == "tcp://127.0.0.1:7000"
    node.write_text(node_text(fleet, (), "tcp://127.0.0.1:7000"))
    assert load_config(node).streams == ()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[mqtt]\nhost = 'a'\n", 'line 1: "mqtt" is not for a fleet: .* streamtag relay FILE --connect'),
        ("[history]\npath = 'a'\n", 'line 1: "history" is not for a fleet'),
        ("[service]\ninput = 'tcp://127.0.0.1:1'\n", "a fleet takes no PCM"),
        ("[[stream]]\nid = 'a'\nsource = 'mic:'\n", "line 3: .*that is of one machine"),
        ("[fleet]\nheadroom = 1\n", r"line 2: \[fleet\] headroom = 1: must be a number from 0 to 0.9"),
        ("[fleet]\nroom = 1\n", r"line 2: \[fleet\] room: unknown key"),
        ("[flet]\n", 'line 1: "flet": unknown section'),
    ],
)
def test_what_a_fleet_cannot_have_is_one_line(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_fleet(written(tmp_path, lines))


@pytest.mark.parametrize(
    ("lines", "is_let_in"),
    [
        ("[fleet]\nloopback = true\n", True),
        ("", False),
        ("[service]\nendpoint = 'tcp://*:5556'\n[fleet]\nloopback = true\n", False),
        ("[service]\nendpoint = 'tcp://*:5556'\nopen = true\n", True),
        ("[service]\nkeys = 'keys'\n", True),
    ],
)
def test_nobody_from_elsewhere_comes_in_without_a_key(tmp_path: Path, lines: str, is_let_in: bool) -> None:
    fleet = load_fleet(written(tmp_path, lines))
    if is_let_in:
        check_reach(fleet)
    else:
        with pytest.raises(ConfigError, match="streamtag keys new"):
            check_reach(fleet)
