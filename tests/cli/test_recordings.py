from pathlib import Path

from streamtag.cli.recordings import find


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_stand_for_themselves_in_the_order_given() -> None:
    found = list(find(["z.wav", "a.mp3", "no suffix"]))
    assert [str(each.path) for each in found] == ["z.wav", "a.mp3", "no suffix"]


def test_a_folder_stands_for_the_recordings_below_it_by_name(tmp_path: Path) -> None:
    _touch(tmp_path, "b.wav", "a.FLAC", "notes.txt", "deeper/c.mp4", "deeper/still/d.opus")
    found = [str(each.path.relative_to(tmp_path)) for each in find([str(tmp_path)])]
    assert found == ["a.FLAC", "b.wav", "deeper/c.mp4", "deeper/still/d.opus"]


def test_a_folder_without_recordings_stands_for_itself(tmp_path: Path) -> None:
    _touch(tmp_path, "notes.txt")
    assert [each.path for each in find([str(tmp_path)])] == [tmp_path]


def test_results_of_different_recordings_never_have_the_same_place(tmp_path: Path) -> None:
    _touch(tmp_path, "x/a.wav", "x/a.mp3", "y/a.wav", "x/deeper/a.wav")
    names = [str(tmp_path / "x"), str(tmp_path / "y"), str(tmp_path / "x" / "a.wav"), str(tmp_path / "y" / "a.wav")]
    places = [str(each.place) for each in find(names)]
    assert places == ["x/a.mp3", "x/a.wav", "x/deeper/a.wav", "y/a.wav", "a.wav", "a-2.wav"]
