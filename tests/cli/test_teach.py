"""`streamtag teach` and `streamtag search`, as people type them."""

import json
from pathlib import Path

import numpy as np
import pytest

from streamtag.bundle import Bundle
from streamtag.cli import main
from streamtag.history.embeddings import Embedding
from streamtag.history.store import Store
from streamtag.settings import HistorySettings
from tests.sounds import noise, tone, write


def test_a_label_is_taught_shown_heard_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        sound = 0.7 * tone(2.0, 1900 + 20 * number) + 0.01 * noise(2.0, seed=number)
        write(tmp_path / f"ring{number}.wav", sound)
    assert main(["teach", "My ring", "--like", "ring0.wav", "ring1.wav@0-1.92", "--unlike", "ring2.wav@1-2"]) == 0
    said = capsys.readouterr().out
    assert "My ring: " in said
    assert "too few to be sure" in said
    assert "threshold 0.5" in said
    assert main(["teach", "--list", "--json"]) == 0
    (listed,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (listed["label"], listed["recordings"], listed["negatives"]) == ("My ring", 2, 1)
    (tmp_path / "live.toml").write_text("")
    assert main(["--config", "live.toml", "tag", "ring0.wav", "--format", "json"]) == 0
    assert "My ring" in json.loads(capsys.readouterr().out)["labels"]
    assert main(["teach", "--remove", "My ring"]) == 0
    assert main(["teach", "--remove", "My ring"]) == 1
    assert "no label 'My ring' was taught" in capsys.readouterr().err


def test_the_history_is_searched_by_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "ring.wav", tone(1.0, 1900))
    embedder = Bundle.open("default").embedder
    store = Store(tmp_path / "h.sqlite", HistorySettings(keep_days=36500))
    random = np.random.default_rng(0)
    rows = random.normal(size=(20, 512)).astype(np.float32)
    store.write_embeddings([Embedding("yard", 1.7e9 + 10 * row, embedder, each) for row, each in enumerate(rows)])
    store.close()
    assert main(["search", "--like", "ring.wav", "--history", "h.sqlite", "--top", "3", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 3
    assert [each["likeness"] for each in found] == sorted((each["likeness"] for each in found), reverse=True)
    assert set(found[0]) == {"likeness", "stream", "time", "label", "event"}


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["teach"], 2, "say what to teach and by what"),
        (["teach", "Dog", "--like", "a.wav"], 1, "the model has a label 'Dog': choose another name"),
        (["teach", "X", "--like", "a.wav", "--unlike", "a.wav"], 2, "a.wav: it is an example and a counter-example"),
        (["teach", "X", "--like", "none.wav"], 1, "there is no such file"),
        (["search", "--like", "a.wav"], 2, "say in which history"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str],
    status: int,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == status
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1
    assert not (tmp_path / "heads").exists()
