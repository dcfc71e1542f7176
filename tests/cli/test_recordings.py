import errno
import os
from pathlib import Path

import pytest

from streamtag.cli.recordings import find


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_stand_for_themselves_in_the_order_given() -> None:
    found = list(find(["z.wav", "a.mp3", "no suffix"]))
    assert [each.name for each in found] == ["z.wav", "a.mp3", "no suffix"]


def test_a_folder_stands_for_the_recordings_below_it_by_name(tmp_path: Path) -> None:
    _touch(tmp_path, "b.wav", "a.FLAC", "notes.txt", "deeper/c.mp4", "deeper/still/d.opus")
    found = [str(Path(each.name).relative_to(tmp_path)) for each in find([str(tmp_path)])]
    assert found == ["a.FLAC", "b.wav", "deeper/c.mp4", "deeper/still/d.opus"]


def test_a_folder_without_recordings_stands_for_itself(tmp_path: Path) -> None:
    _touch(tmp_path, "notes.txt")
    assert [(each.name, "no recordings" in each.problem) for each in find([str(tmp_path)])] == [(str(tmp_path), True)]


def test_results_of_different_recordings_never_have_the_same_place(tmp_path: Path) -> None:
    _touch(tmp_path, "x/a.wav", "x/a.mp3", "y/a.wav", "x/deeper/a.wav")
    names = [str(tmp_path / "x"), str(tmp_path / "y"), str(tmp_path / "x" / "a.wav"), str(tmp_path / "y" / "a.wav")]
    places = [str(each.result_path) for each in find(names)]
    assert places == ["x/a.mp3", "x/a.wav", "x/deeper/a.wav", "y/a.wav", "a.wav", "a-2.wav"]


KINDS = (
    "ac3",
    "eac3",
    "dts",
    "snd",
    "awb",
    "bwf",
    "rf64",
    "mp1",
    "voc",
    "asf",
    "rm",
    "mxf",
    "shn",
    "tak",
    "dsf",
    "WAV",
)


@pytest.mark.parametrize("suffix", KINDS)
def test_recordings_of_every_kind_are_found(tmp_path: Path, suffix: str) -> None:
    _touch(tmp_path, f"a.{suffix}")
    assert [each.name for each in find([str(tmp_path)])] == [str(tmp_path / f"a.{suffix}")]


def test_an_empty_name_is_not_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "a.wav")
    monkeypatch.chdir(tmp_path)
    (found,) = find([""])
    assert found.name == ""
    assert "empty name" in found.problem


def test_links_are_followed_once_and_keep_their_own_names(tmp_path: Path) -> None:
    _touch(tmp_path, "elsewhere/b.wav", "store/1f3a", "yard/a.wav")
    yard = tmp_path / "yard"
    (yard / "annexed.wav").symlink_to(tmp_path / "store" / "1f3a")
    (yard / "linked").symlink_to(tmp_path / "elsewhere")
    (yard / "linked" / "back").symlink_to(yard)
    (yard / "self.wav").symlink_to("self.wav")
    found = list(find([str(yard)]))
    assert [str(each.result_path) for each in found] == [
        "yard/a.wav",
        "yard/annexed.wav",
        "yard/linked/b.wav",
        "yard/self.wav",
    ]
    assert not any(each.problem for each in found)


def test_a_folder_that_is_linked_from_beside_it_keeps_its_name(tmp_path: Path) -> None:
    _touch(tmp_path, "yard/z/b.wav", "yard/c/d.wav")
    (tmp_path / "yard" / "a link").symlink_to("z")
    (tmp_path / "yard" / "c" / "link").symlink_to("../z")
    assert [str(each.result_path) for each in find([str(tmp_path / "yard")])] == ["yard/c/d.wav", "yard/z/b.wav"]


def test_a_linked_folder_gives_its_own_name_to_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "2026-11-26/a.wav")
    (tmp_path / "latest").symlink_to("2026-11-26")
    assert [str(each.result_path) for each in find([str(tmp_path / "latest")])] == ["latest/a.wav"]
    monkeypatch.chdir(tmp_path / "2026-11-26")
    assert [str(each.result_path) for each in find(["."])] == ["2026-11-26/a.wav"]


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, "locked/a.wav", "open/b.wav")
    scan = os.scandir

    def guarded(folder: Path) -> object:
        if Path(folder).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    locked, other = find([str(tmp_path)])
    assert locked.problem == f"{tmp_path / 'locked'}: this folder cannot be read: permission denied"
    assert other.name == str(tmp_path / "open" / "b.wav")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\udcff.wav", "~nobody-has-this-name.wav"])
def test_any_name_stands_for_a_recording(name: str) -> None:
    (found,) = find([name])
    assert found.name == name
