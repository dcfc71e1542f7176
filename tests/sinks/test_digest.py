"""What one notification says of many alerts."""

from hypothesis import given
from hypothesis import strategies as st

from streamtag.alerts.notice import AlertNotice
from streamtag.sinks.digest import Digest

NOTICES = st.builds(
    AlertNotice,
    alert=st.sampled_from(["dog", "cat", "glass", "fire"]),
    stream=st.sampled_from([f"camera-{number}" for number in range(30)]),
    what=st.just("Dog"),
    time=st.just(0.0),
    onset_time=st.floats(0, 1e9),
    value=st.one_of(st.none(), st.floats(0, 1)),
    clip=st.booleans(),
)


def notice(
    stream: str = "porch", at: float = 1_780_315_200.0, alert: str = "dog", value: float | None = 0.93
) -> AlertNotice:
    return AlertNotice(alert=alert, stream=stream, what="Dog", time=at, onset_time=at, value=value)


def digest(*notices: AlertNotice) -> Digest:
    found = Digest()
    for each in notices:
        found.add(each)
    return found


def test_one_alert_is_told_by_its_name() -> None:
    found = digest(notice())
    assert found.title() == "dog"
    assert found.body().startswith("Dog on porch (0.93), ")


def test_many_are_counted_by_alert_and_stream() -> None:
    found = digest(*[notice() for _ in range(3)], notice("yard"), notice("yard", alert="cat"))
    assert found.title() == "5 alerts: dog, cat"
    lines = found.body().split("\n")
    assert lines[0].startswith("dog: Dog on porch (0.93), 3 times, ")
    assert sorted(line.split(",")[0] for line in lines[1:]) == ["cat: Dog on yard (0.93)", "dog: Dog on yard (0.93)"]
    assert digest(notice(), notice()).title() == "dog: 2 times"


def test_a_thousand_kinds_are_some_lines_and_a_number() -> None:
    found = digest(*[notice(f"camera-{number}") for number in range(5_000)])
    lines = found.body().split("\n")
    assert len(lines) == 21
    assert lines[-1] == "and 4980 more"


@given(st.lists(NOTICES, max_size=60), st.lists(NOTICES, max_size=60))
def test_what_could_not_be_sent_is_counted_in_the_next(earlier: list[AlertNotice], later: list[AlertNotice]) -> None:
    merged = digest(*later)
    merged.merge(digest(*earlier))
    whole = digest(*earlier, *later)
    assert merged.count == len(earlier) + len(later)
    assert merged.clips == whole.clips
    if whole.count:
        assert merged.title() == whole.title()
        assert sorted(merged.body().split("\n")) == sorted(whole.body().split("\n")) or len(merged._groups) > 20
