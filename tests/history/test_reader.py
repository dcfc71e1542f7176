from contextlib import closing
from pathlib import Path

import pytest

from streamtag.errors import HistoryError
from streamtag.history import HistoryReader
from streamtag.history.store import Begin, Store
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW


@pytest.fixture
def reader(path: Path) -> HistoryReader:
    names = ["Dog", "Dog bark", "Rain_drops", "100 % noise"]
    with closing(Store(path, HistorySettings())) as store:
        store.write(
            [
                Begin(token, "yard" if token % 2 else "porch", names[token % 4], NOW + token, 0.0, 0.5)
                for token in range(40)
            ]
        )
    return HistoryReader(path)


def test_the_newest_come_first(reader: HistoryReader) -> None:
    assert [event.time - NOW for event in reader.search(limit=3)] == [39, 38, 37]


@pytest.mark.parametrize(
    ("text", "labels"),
    [("dog", {"Dog", "Dog bark"}), ("_", {"Rain_drops"}), ("%", {"100 % noise"}), ("zebra", set())],
)
def test_part_of_a_label_finds_it(reader: HistoryReader, text: str, labels: set[str]) -> None:
    assert {event.label for event in reader.search(text=text)} == labels


def test_stream_and_time_narrow_the_search(reader: HistoryReader) -> None:
    found = reader.search(stream="porch", since=NOW + 10, until=NOW + 14)
    assert [event.time - NOW for event in found] == [14, 12, 10]


def test_a_search_goes_on_where_the_last_answer_ended(reader: HistoryReader) -> None:
    first = reader.search(limit=15)
    rest = reader.search(before=(first[-1].time, first[-1].id), limit=100)
    assert [event.time - NOW for event in first + rest] == list(range(39, -1, -1))


def test_the_names_that_occur_are_listed(reader: HistoryReader) -> None:
    assert reader.names() == (["100 % noise", "Dog", "Dog bark", "Rain_drops"], ["porch", "yard"])


def test_a_history_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history yet"):
        HistoryReader(tmp_path / "none.sqlite").search()


def test_a_history_that_is_no_database_is_named(path: Path) -> None:
    path.write_bytes(b"no database at all, " * 100)
    with pytest.raises(HistoryError, match="cannot be read"):
        HistoryReader(path).search()
