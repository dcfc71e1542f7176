from contextlib import closing
from pathlib import Path

import pytest

from streamtag.history import HistoryReader
from streamtag.history.store import Begin, Store
from streamtag.settings import HistorySettings

HOUR = 3600.0
DAY = 24 * HOUR
TODAY = 1_700_000_000.0
HOURS = [TODAY + hour * HOUR for hour in range(25)]


@pytest.fixture
def reader(path: Path) -> HistoryReader:
    moments = {
        "Dog": [TODAY, TODAY + 10 * HOUR - 0.001, TODAY + 10 * HOUR, TODAY + DAY, TODAY - HOUR, TODAY - DAY + 2 * HOUR],
        "Cat": [TODAY - 2 * DAY, TODAY + 3 * HOUR],
        "Old": [TODAY - 2 * DAY - 0.001],
    }
    begun = [(label, moment) for label, times in moments.items() for moment in times]
    with closing(Store(path, HistorySettings(keep_days=36500))) as store:
        store.write(
            [
                Begin(token, "porch" if label == "Dog" else "yard", label, moment, 0.0, 0.5)
                for token, (label, moment) in enumerate(begun)
            ]
        )
    return HistoryReader(path)


def test_each_event_counts_in_the_hour_in_which_it_began(reader: HistoryReader) -> None:
    (dog, cat), oldest = reader.counts(HOURS, elapsed=DAY, earlier=0)
    assert {hour: count for hour, count in enumerate(dog.counts) if count} == {0: 1, 9: 1, 10: 1}
    assert (dog.label, dog.total, dog.first, dog.last) == ("Dog", 3, TODAY, TODAY + 10 * HOUR)
    assert (cat.label, cat.counts[3], cat.total) == ("Cat", 1, 1)
    assert oldest == TODAY - 2 * DAY - 0.001


def test_days_before_count_as_far_as_this_one_has_gone(reader: HistoryReader) -> None:
    (dog, cat), _ = reader.counts(HOURS, elapsed=3 * HOUR, earlier=2)
    assert dog.before == [1, 0]  # what barked yesterday an hour before midnight is left out
    assert cat.before == [0, 1]


def test_one_stream_is_counted_alone(reader: HistoryReader) -> None:
    counts, _ = reader.counts(HOURS, elapsed=DAY, earlier=0, stream="yard")
    assert [each.label for each in counts] == ["Cat"]


def test_days_may_have_an_hour_more_or_less(reader: HistoryReader) -> None:
    days = [TODAY - 25 * HOUR, TODAY, TODAY + 23 * HOUR]
    (dog, _), _ = reader.counts(days, elapsed=2 * DAY, earlier=0)
    assert dog.counts == [2, 3]
