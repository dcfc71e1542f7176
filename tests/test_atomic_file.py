import os
import stat
from pathlib import Path

import pytest

from streamtag.atomic_file import Draft, write_whole
from tests.disk import files_of_at_most


@pytest.mark.parametrize("lasting", [True, False])
def test_a_file_is_replaced_whole_and_nothing_lies_beside_it(tmp_path: Path, lasting: bool) -> None:
    path = tmp_path / "file"
    for content in (b"first", b"second, and longer"):
        write_whole(path, content, lasting=lasting)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("lasting", [True, False])
def test_where_it_cannot_be_written_whole_what_was_there_stays(tmp_path: Path, lasting: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with files_of_at_most(100), pytest.raises(OSError, match="File too large"):
        write_whole(path, bytes(1000), lasting=lasting)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


def test_a_draft_that_is_not_published_goes_and_one_that_is_goes_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Draft(path, suffix=".tmp") as draft:
        draft.file.write(b"unwanted")
        assert [name[-4:] for name in os.listdir(tmp_path)] == [".tmp"]
    assert os.listdir(tmp_path) == []
    with Draft(path) as draft:
        draft.file.write(b"wanted")
        draft.publish()
    assert path.read_bytes() == b"wanted"


def test_a_file_is_for_whom_new_files_are_unless_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_whole(tmp_path / "like it", b"")
    write_whole(tmp_path / "own", b"", mode=0o640)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["like it"] == modes["plain"]
    assert modes["own"] == 0o640
