from pathlib import Path

import pytest

from streamtag.errors import ConfigError
from streamtag.foreign.label_files import read_labels


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("file", "content", "names"),
    [
        ("map.csv", 'index,mid,display_name\n0,/m/09x0r,Speech\n1,/m/0ytgt,"Child speech, kid speaking"\n', 2),
        ("map.csv", 'index,name,mid\n0,Speech,/m/09x0r\n1,"Child speech, kid speaking",/m/0ytgt\n', 2),
        ("map.csv", '0,x,Speech\n1,y,"Child speech, kid speaking"\n', 2),
        ("map.csv", "id;name\n1;Speech\n2;Child speech, kid speaking\n", 2),
        ("map.csv", '\ufeffname\r\nSpeech\r\n"Child speech, kid speaking"\r\n', 2),
        ("list.txt", 'Speech\n"Child speech, kid speaking"\n\n', 2),
        ("list.txt", "\ufeffSpeech\r\nChild speech, kid speaking", 2),
        ("config.json", '{"id2label": {"1": "Child speech, kid speaking", "0": "Speech"}}', 2),
        ("labels.json", '["Speech", "Child speech, kid speaking"]', 2),
    ],
)
def test_labels_are_read_as_they_are_published(tmp_path: Path, file: str, content: str, names: int) -> None:
    found = read_labels(write(tmp_path / file, content))
    assert found.names == ["Speech", "Child speech, kid speaking"]
    assert len(found.mids) == names


def test_identifiers_come_along_where_there_are_some(tmp_path: Path) -> None:
    path = write(tmp_path / "map.csv", "index,mid,display_name\n0,/m/09x0r,Speech\n")
    assert read_labels(path).mids == ["/m/09x0r"]


def test_lines_that_are_no_labels_are_left_out(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path / "labels.csv", "inat2024_fsd50k\nRobin\nWren\n"), 1).names == ["Robin", "Wren"]


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("map.csv", "display_name\nDog\nCat\nDog\n", "line 4: the label Dog is there twice, first on line 2"),
        ("map.csv", 'display_name\nDog\n"Cat\n', "line 3: a quote is not closed"),
        ("map.csv", "index,display_name\n0,Dog\n1,Cat, domestic\n", "line 3: it has 3 cells and the header 2"),
        ("map.csv", "display_name\nDog\n", None),
        ("list.txt", "Dog\n\nCat\n", "line 2: a label is empty"),
        ("list.txt", "Dog\nC\x1b[2Jat\n", "line 2: a label has control characters"),
        ("list.txt", "", "it has no labels"),
        ("list.txt", b"Dog\n\xff\xfe\n", "it is not a text in UTF-8"),
        ("labels.json", '{"0": "Dog", "2": "Cat"}', "does not count its labels from 0"),
        ("labels.json", '{"id2label": 3}', "neither a list of names nor an id2label"),
        ("labels.json", "[", "it is not JSON"),
        ("absent.txt", None, "No such file"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line_that_says_where(
    tmp_path: Path, file: str, content: str | bytes | None, reason: str | None
) -> None:
    path = tmp_path / file
    if content is not None:
        write(path, content)
    if reason is None:
        assert read_labels(path).names == ["Dog"]
        return
    with pytest.raises(ConfigError) as error:
        read_labels(path)
    assert reason in str(error.value)
    assert str(error.value).isprintable()
