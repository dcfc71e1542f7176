"""Spans of the day by local time, such as 23:00 to 06:00 or sunset to 22:30: pure, reads no clock."""

import time
from datetime import date, datetime, timedelta
from math import acos, asin, cos, degrees, radians, sin
from typing import Final, NamedTuple

__all__ = ["DAYS", "Location", "Span", "day_of", "is_within", "sun_times"]

Span = tuple[str, str]
"""When it begins and ends: each `HH:MM`, `sunrise` or `sunset`."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_SUN: Final = ("sunrise", "sunset")
_DAY_SECONDS: Final = 86_400.0
_UNIX_EPOCH: Final = 2440587.5  # as a Julian date
_J2000: Final = 2451545.0
_HORIZON: Final = -0.833  # degrees: refraction, and half of the disc
_TILT: Final = 23.4397


class Location(NamedTuple):
    """Where on earth, in degrees; north and east are positive."""

    latitude: float
    longitude: float


def is_within(span: Span, at: float, location: Location | None = None) -> bool:
    """Tell whether the local clock shows a time of the span: its beginning belongs to it, its end does not.

    Args:
        span: One that ends before it begins goes over midnight.
        at: Unix seconds.
        location: Needed for sunrise and sunset. Where the sun does not rise it has set; where it does not set, it has
            not.
    """
    begin, end = span
    if begin not in _SUN and end not in _SUN:
        shown = time.strftime("%H:%M", time.localtime(at))
        return begin <= shown < end if begin < end else shown >= begin or shown < end
    # Whichever of the two was last holds.
    today = date.fromtimestamp(at)
    changes = [
        (moment, is_begin)
        for back in range(-1, 3)
        for text, is_begin in ((begin, True), (end, False))
        if (moment := _moment(text, today - timedelta(days=back), location)) is not None and moment <= at
    ]
    return bool(changes) and max(changes)[1]


def day_of(at: float) -> str:
    """Return the local day of the week at a Unix second, as in `DAYS`."""
    return DAYS[time.localtime(at).tm_wday]


def sun_times(day: date, location: Location) -> tuple[float | None, float | None]:
    """Return sunrise and sunset of a day in Unix seconds, to a few minutes.

    Where the sun does not rise there is no sunrise, and it set at noon; where it does not set there is no sunset, and
    it rose half a day before noon. The sunrise equation: Meeus, Astronomical Algorithms (1998), chapters 15 and 25,
    with the few terms that a minute asks for.
    """
    number = (day - date(2000, 1, 1)).days - location.longitude / 360
    mean = radians((357.5291 + 0.98560028 * number) % 360)
    centre = 1.9148 * sin(mean) + 0.02 * sin(2 * mean) + 0.0003 * sin(3 * mean)
    longitude = radians((degrees(mean) + centre + 180 + 102.9372) % 360)
    noon = _J2000 + number + 0.0053 * sin(mean) - 0.0069 * sin(2 * longitude)
    declination = asin(sin(longitude) * sin(radians(_TILT)))
    latitude = radians(max(-89.99, min(89.99, location.latitude)))
    height = (sin(radians(_HORIZON)) - sin(latitude) * sin(declination)) / (cos(latitude) * cos(declination))
    if height >= 1:
        return None, _unix(noon)
    if height <= -1:
        return _unix(noon - 0.5), None
    half = degrees(acos(height)) / 360
    return _unix(noon - half), _unix(noon + half)


def _moment(text: str, day: date, location: Location | None) -> float | None:
    if text in _SUN:
        if location is None:
            raise ValueError("sunrise and sunset need a place")
        return sun_times(day, location)[_SUN.index(text)]
    return datetime(day.year, day.month, day.day, int(text[:2]), int(text[3:])).timestamp()


def _unix(julian: float) -> float:
    return (julian - _UNIX_EPOCH) * _DAY_SECONDS
