import json
import tomllib
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.config import load_config
from streamtag.dashboard.answers import TuningAnswers
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.tuning import save_thresholds, would_fire
from streamtag.errors import ConfigError
from streamtag.events import EventDetector, EventRules, thresholds_of
from streamtag.settings import Config, EventSettings, LabelThresholds, ModelSettings
from tests.bundles import LABELS, make_bundle

ZERO = 1_700_000_000.0


def heard(scores: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = 0.96 * np.arange(len(scores))
    spans = np.stack([starts, starts + 0.96], axis=1)
    return ZERO + spans[:, 1], spans, np.array(scores, np.float16)


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=60),
    st.sampled_from([0.3, 0.6, 0.9]),
    st.sampled_from([0.1, 0.3]),
)
def test_what_would_fire_is_what_the_service_would_have_told(scores: list[float], on: float, off: float) -> None:
    settings = EventSettings(on=on, off=off)
    detector = EventDetector(EventRules(["Dog"], settings))
    times, spans, values = heard(scores)
    told = []
    for row, (start, end) in zip(values.astype(np.float32), spans.tolist(), strict=True):
        told += detector.push(np.array([row]), start, end)
    told += detector.finish()
    ended = [event for event in told if event.state == "off"]
    fired = would_fire(times, spans, values, thresholds_of("Dog", settings, {}))
    assert [round(event.begin - ZERO, 3) for event in fired] == [round(event.onset, 3) for event in ended]
    assert [round(event.end - ZERO, 3) for event in fired] == [round(event.offset or 0, 3) for event in ended]


def test_a_service_that_began_anew_ends_what_was_on() -> None:
    times, spans, scores = heard([0.9, 0.9, 0.9, 0.9])
    spans[2:] -= spans[2, 0]
    fired = would_fire(times, spans, scores, thresholds_of("Dog", EventSettings(), {}))
    assert [(round(event.begin - ZERO, 2), round(event.end - ZERO, 2)) for event in fired] == [(0, 1.92), (1.92, 3.84)]


TEXT = """# The porch
[service]
endpoint = "tcp://127.0.0.1:7001"   # ours

[events]
on = 0.4  # lower than usual

[events.labels."Dog"]
on = 0.8   # it barks a lot
min_seconds = 1.5

[[stream]]
id = "porch"
source = "-"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "streamtag.toml"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


def test_saving_changes_two_numbers_and_nothing_else(config: Path) -> None:
    save_thresholds(config, "Dog", 0.7, 0.2)
    expected = TEXT.replace(
        "on = 0.8   # it barks a lot\nmin_seconds = 1.5\n",
        "on = 0.7   # it barks a lot\nmin_seconds = 1.5\noff = 0.2\n",
    )
    assert config.read_text() == expected
    assert config.stat().st_mode & 0o777 == 0o640
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.parametrize("label", ["Cat", 'Say "hello"', "Vehicle horn, car horn, honking", "[x]\n", "Ä"])
def test_a_label_of_any_name_gets_a_table_of_its_own(config: Path, label: str) -> None:
    save_thresholds(config, label, 0.7, 0.2)
    saved = load_config(config).events.labels
    assert (saved[label].on, saved[label].off) == (0.7, 0.2)
    assert saved["Dog"].on == 0.8


def test_a_configuration_without_events_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "streamtag.toml"
    path.write_text("# Nothing yet\n")
    save_thresholds(path, "Dog", 0.7, 0.2)
    assert path.read_text().startswith("# Nothing yet\n")
    assert tomllib.loads(path.read_text()) == {"events": {"labels": {"Dog": {"on": 0.7, "off": 0.2}}}}


def test_what_would_be_no_configuration_is_not_saved(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"streamtag\.toml.*must not be above"):
        save_thresholds(config, "Dog", 0.2, 0.7)
    assert config.read_text() == TEXT
    assert list(config.parent.iterdir()) == [config]


def test_a_configuration_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not saved"):
        save_thresholds(tmp_path / "none.toml", "Dog", 0.7, 0.2)


class Labels:
    """What the page knows of a service: its labels."""

    def __init__(self, labels: list[str]) -> None:
        self.labels = lambda: labels


@pytest.mark.parametrize(("labels", "on"), [(LABELS, 0.8), (["Beep", "Dog"], 0.5)], ids=["its model", "another model"])
def test_the_page_shows_the_thresholds_that_the_service_judges_by(tmp_path: Path, labels: list[str], on: float) -> None:
    folder = make_bundle(tmp_path / "tiny")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["thresholds"]["labels"] = {"Beep": {"on": 0.8, "off": 0.6}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    config = Config(model=ModelSettings(bundle=str(folder)))
    answers = TuningAnswers(cast("Hub", Labels(labels)), config, may_write=False)
    assert answers._thresholds("Beep").on == on
    own = EventSettings(labels={"Beep": LabelThresholds(min_seconds=2.0)})
    answers = TuningAnswers(cast("Hub", Labels(labels)), msgspec.structs.replace(config, events=own), may_write=False)
    assert (answers._thresholds("Beep").on, answers._thresholds("Beep").min_seconds) == (on, 2.0)
