import os
from pathlib import Path

import numpy as np
import pytest

from streamtag.cli.formats import FORMATS, Tagged
from streamtag.cli.recordings import Recording
from streamtag.cli.results import Results
from streamtag.tagger import Result
from tests.disk import files_of_at_most

RESULT = Result(["Dog"], 1.0, np.zeros(1), np.zeros((1, 1), np.float32), (), (), 16000)


def show(results: Results, name: str) -> None:
    results.show(Recording(name, Path(name)), Tagged(name, RESULT))


def test_a_result_that_cannot_be_written_is_told_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = Results(FORMATS["json"], tmp_path)
    (tmp_path / "taken.wav.json").mkdir()
    for name in ("a.wav", "taken.wav", "n" * 252 + ".wav", "b.wav"):
        show(results, name)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.wav.json", "b.wav.json"]
    taken, long = capsys.readouterr().err.splitlines()
    assert "taken.wav.json cannot be written: is a directory" in taken
    assert "cannot be written: file name too long" in long
    assert results.failed


def test_a_result_is_written_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.wav.json").write_text("what was there before")
    results = Results(FORMATS["json"], tmp_path)
    with files_of_at_most(20):
        show(results, "a.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav.json"]
    assert (tmp_path / "a.wav.json").read_text() == "what was there before"
    assert capsys.readouterr().err.endswith("a.wav.json cannot be written: file too large\n")
    assert results.failed


def test_a_result_takes_the_place_of_an_older_one_and_is_for_whom_new_files_are(tmp_path: Path) -> None:
    (tmp_path / "a.wav.jsonl").write_text("old")
    show(Results(FORMATS["jsonl"], tmp_path), "a.wav")
    assert (tmp_path / "a.wav.jsonl").read_text().startswith('{"file"')
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "a.wav.jsonl").stat().st_mode == plain.stat().st_mode


def test_a_name_that_is_as_long_as_can_be_gets_its_result(tmp_path: Path) -> None:
    name = "n" * 240 + ".wav"
    show(Results(FORMATS["json"], tmp_path), name)
    assert os.listdir(tmp_path) == [f"{name}.json"]
