import errno
import fcntl
import json
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.config import load_config
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.rewriting import BusyError, rewrite
from streamtag.dashboard.threshold_routes import ThresholdRoutes
from streamtag.dashboard.tuning import save_thresholds, would_fire
from streamtag.errors import ConfigError
from streamtag.events import EventDetector, EventRules, thresholds_of
from streamtag.labels import LabelSet
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
    detector = EventDetector(EventRules(LabelSet(["Dog"]), settings))
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
    answers = ThresholdRoutes(cast("Hub", Labels(labels)), config, may_write=False)
    assert answers._thresholds("Beep").on == on
    own = EventSettings(labels={"Beep": LabelThresholds(min_seconds=2.0)})
    answers = ThresholdRoutes(cast("Hub", Labels(labels)), msgspec.structs.replace(config, events=own), may_write=False)
    assert (answers._thresholds("Beep").on, answers._thresholds("Beep").min_seconds) == (on, 2.0)


OTHERS = 4242, 4343
"""An account and a group; who is not root has only its own to give."""


@pytest.fixture
def owned(config: Path) -> Path:
    if os.getuid() == 0:
        os.chown(config, *OTHERS)
    config.chmod(0o664)
    return config


def test_owner_group_and_mode_stay(owned: Path) -> None:
    before = owned.stat()
    save_thresholds(owned, "Dog", 0.7, 0.2)
    after = owned.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


def test_what_cannot_be_given_to_another_file_keeps_its_own(owned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    before = owned.stat()
    monkeypatch.setattr(os, "fchown", refuse)  # as for everybody but root
    save_thresholds(owned, "Dog", 0.7, 0.2)
    after = owned.stat()
    assert (after.st_ino, after.st_uid, after.st_gid) == (before.st_ino, before.st_uid, before.st_gid)
    assert load_config(owned).events.labels["Dog"].on == 0.7
    assert list(owned.parent.iterdir()) == [owned]


def test_other_names_of_the_file_see_the_change_too(config: Path) -> None:
    hard, soft = config.with_name("hard.toml"), config.with_name("soft.toml")
    hard.hardlink_to(config)
    soft.symlink_to(config.name)
    save_thresholds(soft, "Dog", 0.7, 0.2)
    assert load_config(hard).events.labels["Dog"].on == 0.7
    assert (soft.is_symlink(), hard.samefile(config)) == (True, True)


def test_access_lists_and_notes_that_hang_on_the_file_stay(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = {"system.posix_acl_access": b"more readers", "user.note": b"ours", "security.selinux": b"the system's"}
    copied = {}
    monkeypatch.setattr(os, "listxattr", lambda path: list(notes))
    monkeypatch.setattr(os, "getxattr", lambda path, name: notes[name])
    monkeypatch.setattr(os, "setxattr", lambda draft, name, value: copied.update({name: value}))
    save_thresholds(config, "Dog", 0.7, 0.2)
    del notes["security.selinux"]
    assert copied == notes


@pytest.mark.parametrize("linked", [False, True])
def test_a_full_disk_leaves_the_file_as_it_was(config: Path, linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if linked:
        config.with_name("hard.toml").hardlink_to(config)
    monkeypatch.setattr(os, "posix_fallocate" if linked else "fsync", full)
    with pytest.raises(ConfigError, match=r"the thresholds were not saved: .*No space left"):
        save_thresholds(config, "Dog", 0.7, 0.2)
    assert config.read_text() == TEXT


def test_of_many_saves_at_once_all_are_in_the_file_or_told(config: Path) -> None:
    labels = [f"Sound {number}" for number in range(12)]
    saved = []

    def save(label: str) -> None:
        save_thresholds(config, label, 0.7, 0.2)
        saved.append(label)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(save, labels))
    assert sorted(saved) == sorted(labels)
    assert set(load_config(config).events.labels) == {"Dog", *labels}


def test_what_two_programs_write_is_all_in_the_file(config: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from streamtag.dashboard.rewriting import rewrite\n"
        "for number in range(5):\n"
        "    rewrite(Path(sys.argv[1]), lambda text: f'{text}# {sys.argv[2]} {number}\\n', lambda draft: None)"
    )
    names = ["Ours", "Theirs"]
    programs = [subprocess.Popen([sys.executable, "-c", program, str(config), name]) for name in names]
    assert [running.wait() for running in programs] == [0, 0]
    added = config.read_text().removeprefix(TEXT).splitlines()
    assert sorted(added) == [f"# {name} {number}" for name in names for number in range(5)]


def test_who_saves_for_too_long_is_told_of(config: Path) -> None:
    descriptor = os.open(config.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(BusyError, match="another program is saving too; try again"):
            rewrite(config, str.upper, load_config, lock_seconds=0.05)
    finally:
        os.close(descriptor)
    assert config.read_text() == TEXT


def test_an_editor_that_saves_at_the_same_moment_loses_nothing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = TEXT + "# a word of theirs\n"
    check = load_config

    def load_and_edit(draft: Path) -> object:
        config.write_text(theirs)
        return check(draft)

    monkeypatch.setattr("streamtag.dashboard.config_file.load_config", load_and_edit)
    with pytest.raises(ConfigError, match="was changed by another program at the same moment; try again"):
        save_thresholds(config, "Dog", 0.7, 0.2)
    assert config.read_text() == theirs


def test_a_mark_at_the_beginning_stays(config: Path) -> None:
    config.write_text("\ufeff" + TEXT)
    save_thresholds(config, "Dog", 0.7, 0.2)
    assert config.read_text().startswith("\ufeff# The porch")
