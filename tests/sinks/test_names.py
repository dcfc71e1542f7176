import re

from hypothesis import example, given
from hypothesis import strategies as st

from streamtag.bundle import Bundle
from streamtag.sinks.names import service_name, slug, slugs, stream_slugs

IDS = st.text("ab_.-", min_size=1, max_size=4)


def test_a_label_is_written_in_small_letters_and_underscores() -> None:
    assert slug("Smoke detector, smoke alarm") == "smoke_detector_smoke_alarm"


def test_no_two_labels_of_the_model_need_a_mark() -> None:
    labels = Bundle.open().labels
    assert list(slugs(labels).values()) == [slug(label) for label in labels]


@given(st.lists(st.text(max_size=5), unique=True))
@example(["\x14", "½"])  # the first four hex digits of both are 8389
@example(["½", "?", "label 8389", "label_8389"])
def test_labels_have_names_of_their_own_whatever_they_are(labels: list[str]) -> None:
    names = slugs(labels)
    assert list(names) == labels
    assert len(set(names.values())) == len(labels)
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in names.values())


@given(st.lists(IDS, unique=True))
@example(["a_b", "a.b", "a_b_2e73"])  # as a.b would be called
@example(["a.......__._", "a___._.____.", "a___________"])  # the first four hex digits of both are the same
def test_streams_have_names_of_their_own_whatever_came_first(streams: list[str]) -> None:
    names = stream_slugs(streams)
    assert len(set(names.values())) == len(streams)
    assert all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in names.values())
    assert stream_slugs(reversed(streams)) == names
    assert all(names[stream] == stream for stream in streams if "." not in stream)


def test_a_service_without_a_name_has_one_that_may_stand_in_a_topic() -> None:
    assert re.fullmatch("[A-Za-z0-9_-]+", service_name(None))
    assert service_name("cellar") == "cellar"
