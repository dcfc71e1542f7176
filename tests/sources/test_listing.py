"""What a live playlist's looks tell, tried on playlists that are made up: the clock is simulated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtag.sources.capture import CaptureClock, LivePieces
from streamtag.sources.feed import Piece
from streamtag.sources.listing import Listing, Segment, segments_of

RATE = 10
STEP = 0.5
PATCH_SECONDS = 0.96
ADDRESS = "http://radio/live/list.m3u8"
BEGIN = 1000.0


@dataclass
class Encoder:
    """Lists a segment when its sound has been captured, or somewhat later; keeps six."""

    length: float
    captured: float = BEGIN
    number: int = 7
    segments: list[tuple[float, int, float]] = field(default_factory=list)
    """Of each: when it was listed, its number, when its last sample was captured."""

    def plays(self, seconds: float, speed: float = 1.0, late: tuple[float, ...] = (0.0,)) -> "Encoder":
        """Sound is captured by a clock that runs `speed` times as fast as it should."""
        for place in range(max(1, round(seconds / self.length))):
            self.captured += self.length / speed
            self.segments.append((self.captured + late[place % len(late)], self.number, self.captured))
            self.number += 1
        return self

    def pauses(self, seconds: float) -> "Encoder":
        """Nothing is captured."""
        self.captured += seconds
        return self

    def loses(self, count: int) -> "Encoder":
        """Segments that are never listed."""
        self.captured += count * self.length
        self.number += count
        return self

    def text(self, now: float) -> str:
        """The playlist at that moment."""
        listed = [number for at, number, _ in self.segments if at <= now][-6:]
        lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{round(self.length)}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{listed[0] if listed else 0}")
        before = None
        for number in listed:
            if before is not None and number != before + 1:  # as encoders that leave some out number what they list
                lines = [line for line in lines if not line.startswith(("#EXTINF", "s"))]
                lines[2] = f"#EXT-X-MEDIA-SEQUENCE:{number}"
            lines += [f"#EXTINF:{self.length:.3f},", f"s{number}.ts"]
            before = number
        return "\n".join([*lines, ""])


@dataclass
class Heard:
    pieces: list[Piece]
    truth: list[float]
    put: int
    begun: float
    ended: float
    looks: int

    @property
    def errors(self) -> list[float]:
        return [piece.captured - self.truth[int(piece.samples[0, 0])] for piece in self.pieces]

    @property
    def lost(self) -> float:
        return sum(piece.lost_seconds for piece in self.pieces)

    @property
    def off(self) -> float:
        """Heard, lost and waiting, less what has passed."""
        first, waiting = int(self.pieces[0].samples[0, 0]), STEP * (self.put - len(self.pieces))
        heard = sum(piece.seconds + piece.lost_seconds for piece in self.pieces[1:])
        # What came last is known; when the first sample heard was captured is, too.
        dropped = STEP * first
        return heard + waiting - dropped - (self.truth[self.put - 1] - self.truth[first])


def listen(
    encoder: Encoder, until: float, *, start: float = 0.0, takes: Callable[[int], float] = lambda _: 0.02
) -> Heard:
    """Read as FFmpeg does: each segment as soon as it is listed, and then the playlist again."""
    now = BEGIN + 2.5 * encoder.length + start
    begun = now
    waited = 0

    def clock() -> float:
        return now

    def wait(seconds: float) -> bool:
        nonlocal now
        now += seconds
        return now >= until

    listing = Listing(clock, wait)
    live = LivePieces(begun, CaptureClock(0.4, 2.0, 15.0), 15.0)
    pieces: list[Piece] = []
    truth: list[float] = []
    read: int | None = None
    put = 0
    while listing.wait():
        now += takes(waited)
        waited += 1
        listing.look(encoder.text(now), ADDRESS)
        served = segments_of(listing.serve(), ADDRESS)
        if not served:
            continue
        new = [segment for segment in served if read is None or segment.number > read]
        for segment in new if read is not None else new[-1:]:
            read = segment.number
            listing.open(segment.address, 0)
            found = listing.found
            assert found is not None
            has_gap = found.has_gap
            captured = next(end for _, number, end in encoder.segments if number == read)
            assert captured <= found.seen
            count = round(encoder.length / STEP)
            for place in range(count):
                sound = np.full((round(STEP * RATE), 1), put, np.float32)
                put += 1
                truth.append(captured - STEP * (count - 1 - place))
                piece = Piece(sound, RATE, 0.0, found.seen)
                pieces += live.feed(piece, earliest=found.earliest, flagged=has_gap)
                has_gap = False
    return Heard(pieces, truth, put, begun, now, waited)


def end_of(encoder: Encoder) -> float:
    return encoder.segments[-1][0] + 1.0


LENGTHS = [1.0, 2.0, 4.0, 6.0, 10.0]
EPISODES = st.one_of(
    st.tuples(st.just("plays"), st.floats(1, 120), st.floats(0.995, 1.0)),
    st.tuples(st.just("pauses"), st.floats(0, 30)),
    st.tuples(st.just("loses"), st.integers(1, 4)),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(EPISODES, max_size=8), st.sampled_from(LENGTHS), st.floats(0.0, 1.0))
def test_what_is_heard_and_lost_and_waits_is_what_has_passed(
    episodes: list[tuple[Any, ...]],
    length: float,
    start: float,
) -> None:
    encoder = Encoder(length).plays(60)
    for name, *values in episodes:
        getattr(encoder, name)(*values)
    encoder.plays(60)
    heard = listen(encoder, end_of(encoder), start=start * length)
    settled = heard.errors
    assert max(map(abs, settled)) < 1.0
    assert abs(heard.off) < PATCH_SECONDS


@pytest.mark.parametrize(("length", "speed"), [(2.0, 0.995), (6.0, 0.995), (10.0, 0.995), (4.0, 0.9999), (6.0, 1.005)])
def test_an_hour_of_an_encoder_with_another_clock_is_on_time(length: float, speed: float) -> None:
    encoder = Encoder(length).plays(3600, speed)
    heard = listen(encoder, end_of(encoder), start=0.4 * length)
    settled = heard.errors
    assert max(map(abs, settled)) < 1.0
    if speed <= 1.0:
        assert abs(heard.off) < PATCH_SECONDS
    if speed > 0.999:
        assert heard.lost == 0.0


@pytest.mark.parametrize("length", LENGTHS)
def test_segments_that_are_listed_sooner_and_later_by_turns_lose_nothing(length: float) -> None:
    encoder = Encoder(length).plays(300, late=(0.0, 0.4, 0.1, 0.3))
    heard = listen(encoder, end_of(encoder))
    assert heard.lost == 0.0
    assert max(map(abs, heard.errors)) < 1.0


@pytest.mark.parametrize("length", LENGTHS)
def test_who_is_held_up_between_looks_loses_nothing(length: float) -> None:
    encoder = Encoder(length).plays(400)
    heard = listen(encoder, end_of(encoder), takes=lambda look: 4.0 if look % 23 == 22 else 0.02)
    assert heard.lost == 0.0
    assert abs(heard.errors[-1]) < 1.0


@pytest.mark.parametrize("length", LENGTHS)
def test_few_looks_find_when_a_segment_appeared(length: float) -> None:
    heard = listen(encoder := Encoder(length).plays(400), end_of(encoder))
    segments = len(encoder.segments)
    assert heard.looks < 4 * segments
    assert max(map(abs, heard.errors)) < 0.7


@pytest.mark.parametrize("count", [1, 3, 20])
def test_missing_numbers_are_lost_as_much_as_is_late(count: int) -> None:
    encoder = Encoder(2.0).plays(60).loses(count).plays(60)
    heard = listen(encoder, end_of(encoder))
    assert heard.lost == pytest.approx(2.0 * count, abs=0.5)


def test_an_encoder_that_numbers_by_its_clock_loses_no_more_than_the_clock_says() -> None:
    encoder = Encoder(2.0).plays(60)
    encoder.number += 100_000
    encoder.pauses(10.0).plays(60)
    assert listen(encoder, end_of(encoder)).lost == pytest.approx(10.0, abs=0.5)


def test_an_encoder_that_counts_anew_goes_on() -> None:
    encoder = Encoder(2.0)
    encoder.number = 500
    encoder.plays(60)
    listing = Listing(lambda: encoder.captured, lambda _: False)
    listing.look(encoder.text(encoder.captured), ADDRESS)
    listing.open("http://radio/live/s529.ts", 0)
    assert not listing.has_more
    encoder.segments, encoder.number = [], 0
    encoder.plays(4)
    listing.look(encoder.text(encoder.captured), ADDRESS)
    assert listing.has_more
    listing.open("http://radio/live/s1.ts", 0)
    assert listing.found is not None
    assert not listing.found.has_gap


def looked(texts: list[str]) -> Iterator[Listing]:
    moments = iter(range(100))
    listing = Listing(lambda: float(next(moments)), lambda _: False)
    for text in texts:
        listing.look(text, ADDRESS)
        yield listing


TWO = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:4\n#EXTINF:6.0,\na.ts\n#EXTINF:5.5,\nb.ts\n"


def test_ffmpeg_is_told_lengths_that_let_it_ask_at_once() -> None:
    (listing,) = looked([TWO])
    served = listing.serve()
    assert [segment.seconds for segment in segments_of(served, ADDRESS)] == [6.0, 0.01]
    assert "#EXT-X-TARGETDURATION:0\n" in served


def test_a_complete_playlist_is_told_as_it_is() -> None:
    (listing,) = looked([TWO + "#EXT-X-ENDLIST\n"])
    assert listing.serve() == TWO + "#EXT-X-ENDLIST\n"
    assert listing.has_more


def test_what_is_listed_and_cannot_be_opened_is_not_waited_for_for_ever() -> None:
    (listing,) = looked([TWO])
    served = 0
    while listing.has_more:
        listing.serve()
        served += 1
    assert served <= 3


def test_pieces_of_one_file_are_told_from_each_other() -> None:
    ranges = "#EXTINF:2,\n#EXT-X-BYTERANGE:100@50\nall.ts\n#EXTINF:2,\n#EXT-X-BYTERANGE:70\nall.ts\n"
    assert segments_of(f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:9\n{ranges}", ADDRESS) == [
        Segment(9, "http://radio/live/all.ts", 50, 2.0),
        Segment(10, "http://radio/live/all.ts", 150, 2.0),
    ]
    (listing,) = looked([f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:9\n{ranges}"])
    listing.open("http://radio/live/all.ts", 0)  # what all of them begin with
    assert listing.found is None
    listing.open("http://radio/live/all.ts", 150)
    assert listing.found is not None


@pytest.mark.parametrize("value", ["", "x", "-4", "9" * 400, "1e9", "nan"])
def test_what_a_playlist_claims_never_stops_the_looks(value: str) -> None:
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:{value}\n#EXT-X-MEDIA-SEQUENCE:{value}\n#EXTINF:{value},\na.ts\n"
    (listing,) = looked([text])
    assert listing.due() <= 40.0
