import re

from hypothesis import given
from hypothesis import strategies as st

from streamtag.history import event_id, read_event_id

STREAMS = st.text("aZ09_.-", min_size=1, max_size=64)
TIMES = st.floats(0, 4e9)


@given(STREAMS, st.text(), TIMES)
def test_a_name_may_stand_in_an_address_and_leads_back_to_its_event(stream: str, label: str, time: float) -> None:
    name = event_id(stream, label, time)
    assert re.fullmatch(r"[A-Za-z0-9_.~-]{1,100}", name)
    known = read_event_id(name)
    assert known is not None
    assert known.stream == stream
    assert known.fits(label, time)


@given(STREAMS, st.text(), TIMES)
def test_another_label_or_another_moment_is_another_event(stream: str, label: str, time: float) -> None:
    known = read_event_id(event_id(stream, label, time))
    assert known is not None
    assert not known.fits(f"{label}x", time)
    assert not known.fits(label, time + 0.002)


@given(st.text())
def test_whatever_is_no_name_is_none(text: str) -> None:
    known = read_event_id(text)
    assert known is None or text.count("~") == 2
