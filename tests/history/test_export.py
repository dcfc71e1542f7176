import csv
import io

import pytest

from streamtag.history import FORMATS, StoredEvent, export


def event(
    id_: int, onset: float, offset: float | None, label: str = "Dog", time: float = 1_700_000_000.0
) -> StoredEvent:
    return StoredEvent(id_, "yard", label, time + onset, onset, offset, 0.875, False, False)


EVENTS = [event(1, 3.84, 4.8), event(2, 7.68, 9.6)]


def table(events: list[StoredEvent], form: str) -> str:
    return "".join(export(events, form))


def test_csv_has_one_row_an_event_in_the_order_of_time() -> None:
    rows = list(csv.DictReader(io.StringIO(table(EVENTS, "csv"))))
    assert [row["onset"] for row in rows] == ["3.840", "7.680"]
    assert rows[0] == {
        "time": "2023-11-14T22:13:23.840Z", "stream": "yard", "label": "Dog", "onset": "3.840", "offset": "4.800",
        "peak": "0.8750",
    }  # fmt: skip


def test_audacity_reads_begin_end_and_label_over_the_recording() -> None:
    assert table(EVENTS, "audacity") == "3.840000\t4.800000\tDog\n7.680000\t9.600000\tDog\n"


def test_raven_reads_a_selection_table() -> None:
    lines = [line.split("\t") for line in table(EVENTS, "raven").splitlines()]
    assert lines[0][:5] == ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"]
    assert lines[1][:5] == ["1", "Spectrogram 1", "1", "3.840000", "4.800000"]
    assert {len(line) for line in lines} == {10}


def test_an_event_without_an_end_has_no_length() -> None:
    assert table([event(1, 3.84, None)], "audacity") == "3.840000\t3.840000\tDog\n"
    assert table([event(1, 3.84, None)], "csv").splitlines()[1].split(",")[4] == ""


def test_a_label_is_never_a_formula_in_a_spreadsheet() -> None:
    assert "'=1+1" in table([event(1, 0.0, 1.0, "=1+1")], "csv")


@pytest.mark.parametrize("form", FORMATS)
def test_no_events_make_an_empty_table(form: str) -> None:
    assert len(table([], form).splitlines()) <= 1
