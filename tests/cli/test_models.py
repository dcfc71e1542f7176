import json
from pathlib import Path

import pytest

from streamtag.bundle import Bundle
from streamtag.cli import main
from tests.bundles import make_bundle
from tests.sounds import tone, write


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_what_was_added_is_listed_beside_the_packaged_ones_until_it_is_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "add", str(make_bundle(tmp_path / "tiny")), "--name", "mine"]) == 0
    assert Bundle.open("mine").name == "mine"  # which scores carry
    rows = listed(capsys)
    assert {name: row["added"] for name, row in rows.items()} == {"default": False, "fast": False, "mine": True}
    assert (rows["mine"]["rate"], rows["mine"]["samples"], rows["mine"]["hop"]) == (16000, 15600, 15360)
    assert main(["models", "list"]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["models", "remove", "mine"]) == 0
    assert set(listed(capsys)) == {"default", "fast"}
    assert main(["models", "remove", "mine"]) == 2
    assert main(["models", "remove", "default"]) == 2


def test_a_damaged_one_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "add", str(make_bundle(tmp_path / "tiny"))]) == 0
    (tmp_path / "data" / "streamtag" / "bundles" / "tiny" / "labels.csv").write_text("index,name,mid\n0,Other,\n")
    assert main(["models", "list"]) == 0
    output, errors = capsys.readouterr()
    assert "default" in output
    assert "labels.csv has 1 labels and the manifest says 8" in errors


def test_check_tells_what_goes_in_and_what_comes_out_and_goes_on_after_a_bad_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_bundle(tmp_path / "tiny")
    sound = write(tmp_path / "tone.wav", tone(2.0, 440.0))
    assert main(["models", "check", str(folder), str(tmp_path / "absent.wav"), str(sound), "--json"]) == 1
    bad, good = map(json.loads, capsys.readouterr().out.splitlines())
    assert "absent.wav" in bad["error"]
    assert (good["rate"], good["samples"], good["windows"], good["within"]) == (16000, 15600, 2, True)
    assert good["least"] <= good["mean"] <= good["greatest"]
    assert len(good["top"]) == 5
    assert good["ms_a_window"] > 0
    assert main(["models", "check", str(folder), str(sound)]) == 0
    assert "within 0 to 1" in capsys.readouterr().out


def test_a_packed_bundle_is_the_same_file_each_time_and_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_bundle(tmp_path / "tiny")
    for name in ("one", "two"):
        assert main(["models", "pack", str(folder), str(tmp_path / f"{name}.streamtag")]) == 0
    first, second = (line.split()[0] for line in capsys.readouterr().out.splitlines())
    assert first == second
    assert Bundle.open(tmp_path / "one.streamtag").read("model.onnx") == (folder / "model.onnx").read_bytes()
    assert main(["models", "pack", str(folder), str(tmp_path / "three.zip")]) == 2


def test_a_hash_that_is_none_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "add", str(tmp_path), "--sha256", "abc"])
    assert ended.value.code == 2
