"""Spans of the day, and where the sun is."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import astral
import astral.sun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.daytime import Location, day_of, is_within, sun_times

HORIZON = -50 / 60  # of the sun's middle at rise and set: its radius, and what air bends
BERLIN = Location(52.52, 13.4)
TROMSO = Location(69.65, 18.96)
MOMENTS = st.integers(1_700_000_000, 1_800_000_000)
CLOCK = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))


@pytest.fixture(autouse=True)
def berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


@given(MOMENTS, CLOCK, CLOCK)
def test_a_span_and_the_rest_of_the_day_share_every_moment_between_them(moment: int, begin: str, end: str) -> None:
    if begin != end:
        assert is_within((begin, end), moment) != is_within((end, begin), moment)


@given(MOMENTS)
def test_it_goes_by_what_the_local_clock_shows_also_where_an_hour_is_twice(moment: int) -> None:
    shown = datetime.fromtimestamp(moment, ZoneInfo("Europe/Berlin")).strftime("%H:%M")
    assert is_within(("22:00", "06:30"), moment) == (shown >= "22:00" or shown < "06:30")


def test_its_beginning_belongs_to_it_and_its_end_does_not() -> None:
    span = ("22:00", "06:30")
    assert [is_within(span, at(f"2026-03-02T{clock}")) for clock in ("21:59", "22:00", "06:29:59", "06:30")] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("moment", ["2026-03-29", "2026-10-25"])
def test_no_second_of_a_night_is_left_out_where_the_clocks_change(moment: str) -> None:
    begin = at(f"{moment}T00:00")
    assert all(is_within(("22:00", "06:30"), begin + 60 * minute) for minute in range(5 * 60))


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)), st.floats(-60, 60), st.floats(-180, 180))
def test_the_sun_rises_and_sets_when_others_say_so(day: date, latitude: float, longitude: float) -> None:
    rise, sunset = sun_times(day, Location(latitude, longitude))
    observer = astral.Observer(latitude, longitude)
    noon = astral.sun.noon(observer, day, tzinfo=UTC)
    assert rise is not None
    assert sunset is not None
    off_noon = (rise + sunset) / 2 - noon.timestamp()
    assert abs(off_noon - 86400 * round(off_noon / 86400)) < 120
    # Its heights, and not its times: astral tells no sunset on some days on which it is at midnight of UTC.
    for below, above in ((rise - 240, rise + 240), (sunset + 240, sunset - 240)):
        assert _height(observer, below) < HORIZON < _height(observer, above)


def _height(observer: astral.Observer, moment: float) -> float:
    """The height of the sun's middle in degrees, as if there were no air."""
    return astral.sun.elevation(observer, datetime.fromtimestamp(moment, UTC), with_refraction=False)


def test_a_night_by_the_sun_goes_over_midnight() -> None:
    night = ("sunset", "sunrise")
    told = [is_within(night, at(f"2026-06-21T{clock}"), BERLIN) for clock in ("03:00", "06:00", "20:00", "23:00")]
    assert told == [True, False, False, True]
    told = [is_within(night, at(f"2026-12-21T{clock}"), BERLIN) for clock in ("07:00", "09:00", "15:00", "17:00")]
    assert told == [True, False, False, True]


def test_the_sun_and_the_clock_may_be_mixed() -> None:
    evening = ("sunset", "23:00")
    told = [is_within(evening, at(f"2026-06-21T{clock}"), BERLIN) for clock in ("20:00", "22:00", "23:00", "02:00")]
    assert told == [False, True, False, False]


@given(st.integers(0, 365 * 24))
def test_day_and_night_by_the_sun_are_never_both(hour: int) -> None:
    moment = at("2026-01-01T00:00") + 3600 * hour
    for place in (BERLIN, TROMSO):
        dark = is_within(("sunset", "sunrise"), moment, place)
        assert dark != is_within(("sunrise", "sunset"), moment, place)


@pytest.mark.parametrize("clock", ["00:30", "06:00", "11:59", "12:30", "18:00", "23:30"])
def test_beyond_the_polar_circle_it_is_night_in_winter_and_day_in_summer(clock: str) -> None:
    assert is_within(("sunset", "sunrise"), at(f"2026-12-21T{clock}"), TROMSO)
    assert not is_within(("sunset", "sunrise"), at(f"2026-06-21T{clock}"), TROMSO)


def test_the_sun_needs_a_place() -> None:
    with pytest.raises(ValueError, match="place"):
        is_within(("sunset", "sunrise"), at("2026-06-21T12:00"))


def test_a_day_is_that_of_the_local_calendar() -> None:
    assert day_of(at("2026-11-23T00:00")) == "mon"
    assert day_of(at("2026-11-22T23:59")) == "sun"
