import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from streamtag.cli.formats import FORMATS, Tagged
from streamtag.events import Event
from streamtag.tagger import Result


@pytest.fixture
def tagged() -> Tagged:
    scores = np.array([[0.125, 0.75, 0.0], [0.375, 0.25, 0.0]], np.float32)
    events = (
        Event(0, "Dog", 0, "off", 0.0, 0.96, 0.625),
        Event(1, 'Vehicle horn, "car" horn', 1, "off", 0.96, 1.5, 0.75),
    )
    labels = ["Dog", 'Vehicle horn, "car" horn', "Rain"]
    result = Result(labels, 1.5, np.array([0.0, 0.96]), scores, events, (), 44100)
    return Tagged("yard/a b.wav", result, top=2)


def test_the_table_shows_the_best_labels_and_the_events(tagged: Tagged) -> None:
    assert FORMATS["table"].render(tagged).splitlines() == [
        "yard/a b.wav  (1.50 s, 2 patches)",
        "                  MEAN  LABEL",
        '                  0.50  Vehicle horn, "car" horn',
        "                  0.25  Dog",
        "   ONSET  OFFSET  PEAK  EVENT",
        "    0.00    0.96  0.62  Dog",
        '    0.96    1.50  0.75  Vehicle horn, "car" horn',
    ]


def test_csv_has_one_row_an_event_and_quotes_what_needs_it(tagged: Tagged) -> None:
    form = FORMATS["csv"]
    rows = list(csv.DictReader(io.StringIO(form.title + form.render(tagged))))
    assert rows[1] == {
        "file": "yard/a b.wav",
        "onset": "0.960",
        "offset": "1.500",
        "label": 'Vehicle horn, "car" horn',
        "peak": "0.7500",
    }


def test_an_audacity_label_track_is_onset_offset_label(tagged: Tagged) -> None:
    assert FORMATS["audacity"].render(tagged).splitlines() == [
        "0.000000\t0.960000\tDog",
        '0.960000\t1.500000\tVehicle horn, "car" horn',
    ]


def test_a_raven_selection_table_has_a_title_and_numbers_its_selections(tagged: Tagged) -> None:
    form = FORMATS["raven"]
    title, *rows = (line.split("\t") for line in (form.title + form.render(tagged)).splitlines())
    selections = [dict(zip(title, row, strict=True)) for row in rows]
    assert [each["Selection"] for each in selections] == ["1", "2"]
    assert selections[0] == {
        "Selection": "1",
        "View": "Spectrogram 1",
        "Channel": "1",
        "Begin Time (s)": "0.000000",
        "End Time (s)": "0.960000",
        "Low Freq (Hz)": "125.0",
        "High Freq (Hz)": "7500.0",
        "Begin File": "a b.wav",
        "Label": "Dog",
        "Score": "0.6250",
    }


@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_that_failed_is_told_in_json_and_is_nothing_elsewhere(name: str) -> None:
    text = FORMATS[name].render(Tagged("x.wav", None, "x.wav: the file is empty"))
    expected = '{"file":"x.wav","error":"x.wav: the file is empty"}\n' if name.startswith("json") else ""
    assert text == expected


def test_a_selection_is_not_above_what_the_recording_can_hold(tagged: Tagged) -> None:
    assert tagged.result is not None
    low = replace(tagged, result=replace(tagged.result, rate=8000))
    row = FORMATS["raven"].render(low).splitlines()[0].split("\t")
    assert row[5:7] == ["125.0", "4000.0"]
    lowest = replace(tagged, result=replace(tagged.result, rate=200))
    row = FORMATS["raven"].render(lowest).splitlines()[0].split("\t")
    assert 0 < float(row[5]) < float(row[6]) <= 100


@pytest.mark.parametrize("name", FORMATS)
def test_a_name_cannot_break_a_row_or_steer_a_terminal(tagged: Tagged, name: str) -> None:
    odd = "yard/a\nb\tc\x1b[31m\u2028.wav"
    text = FORMATS[name].render(replace(tagged, name=odd))
    if name == "csv":
        assert {row[0] for row in csv.reader(io.StringIO(text))} == {odd}
        return
    assert text.count("\n") == FORMATS[name].render(tagged).count("\n")
    assert "\x1b" not in text
    if name == "raven":
        assert {len(line.split("\t")) for line in text.splitlines()} == {10}
