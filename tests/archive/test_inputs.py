import os
from pathlib import Path

import pytest

from streamtag.archive.inputs import Recording, Shard, State, recordings
from streamtag.errors import ConfigError


def paths(names: list[str], shard: Shard | None = None) -> list[str]:
    return [each.path for each in recordings(names, shard or Shard()) if isinstance(each, Recording)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.wav", "b.flac", "deeper/c.mp3", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_list_names_files_and_folders_and_none_is_there_twice(folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"\xef\xbb\xbfdeeper\r\n\nb.flac\n./b.flac\nnotes.txt")
    expected = [str(folder / name) for name in ("a.wav", "deeper/c.mp3", "b.flac", "notes.txt")]
    assert paths(["a.wav", "@list.txt", "."]) == expected


def test_a_recording_is_known_by_its_size_and_its_time(folder: Path) -> None:
    os.utime(folder / "a.wav", (1000.5, 1000.5))
    (found, missing) = recordings(["a.wav", "missing.wav"], Shard())
    assert found == Recording(str(folder / "a.wav"), State(5, 1000.5))
    assert missing == Recording(str(folder / "missing.wav"), State(None, None))


def test_what_holds_no_recordings_is_told_of_and_no_password_with_it(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert list(recordings(["empty", "http://user:secret@host/a.wav"], Shard())) == [
        "empty: there are no recordings in this folder",
        "http://host/a.wav: there is no such file",
    ]


def test_a_list_that_is_not_there_is_an_error_that_names_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"@nowhere\.txt: the list cannot be read: no such file or directory"):
        list(recordings(["@nowhere.txt"], Shard()))


def test_each_recording_is_of_one_shard_and_stays_there_when_others_come(folder: Path) -> None:
    names = [f"recording-{number}.wav" for number in range(300)]
    shards = [paths(names, Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(path for shard in shards for path in shard) == sorted(str(folder / name) for name in names)
    assert all(len(shard) > 60 for shard in shards)
    assert shards[1] == [path for path in paths([*names, "one-more.wav"], Shard(2, 3)) if "one-more" not in path]
