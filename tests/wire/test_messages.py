import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streamtag.errors import InputError, WireError
from streamtag.wire import Outgoing, ScoresHeader, TopLabel, as_json, scores_payload
from streamtag.wire.messages import check_stream_id, decode, encode_header, topic_of
from tests.wire import samples

stream_ids = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**53)


def frames_of(message: Outgoing) -> list[bytes]:
    message.header.session = "0123abcd"
    return [topic_of(message.header), encode_header(message.header), message.payload]


@given(
    stream=stream_ids,
    values=arrays(np.float32, st.tuples(st.just(2), st.integers(0, 600)), elements=st.floats(0, 1, width=32)),
    times=st.tuples(finite, finite, finite),
    levels=st.tuples(finite, finite),
    lost=counts,
    top=st.lists(st.builds(TopLabel, label=st.text(), score=finite), max_size=5),
)
def test_scores_come_out_as_they_went_in(
    stream: str,
    values: NDArray[np.float32],
    times: tuple[float, float, float],
    levels: tuple[float, float],
    lost: int,
    top: list[TopLabel],
) -> None:
    header = ScoresHeader(
        stream=stream,
        time=times[0],
        start=times[1],
        end=times[2],
        model="m",
        labels_hash="h",
        n=values.shape[1],
        rolling=5,
        rms_dbfs=levels[0],
        peak_dbfs=levels[1],
        lost_samples=lost,
        top=top,
    )
    message = decode(frames_of(Outgoing(header, scores_payload(values))))
    assert message.patch is not None
    assert message.rolling is not None
    assert np.array_equal(message.patch, values[0])
    assert np.array_equal(message.rolling, values[1])
    assert message.header == {
        "v": 1,
        "session": "0123abcd",
        "seq": 0,
        "time": times[0],
        "kind": "scores",
        "stream": stream,
        "start": times[1],
        "end": times[2],
        "model": "m",
        "labels_hash": "h",
        "n": values.shape[1],
        "rolling": 5,
        "rms_dbfs": levels[0],
        "peak_dbfs": levels[1],
        "lost_samples": lost,
        "top": [{"label": label.label, "score": label.score} for label in top],
    }


@pytest.mark.parametrize(
    ("message", "topic", "fields"),
    [
        (samples.scores(), b"scores/porch/", {"n": 4, "rolling": 5}),
        (samples.event(), b"event/porch/", {"state": "on", "offset": None, "id": 0, "index": 1}),
        (samples.status(), b"status/porch/", {"state": "live", "source": "file:yard.flac", "queue": 0}),
        (samples.service(), b"service/", {"labels": ["Dog", "Cat"], "sustainable_streams": None}),
    ],
)
def test_every_kind_has_its_topic_and_its_fields(message: Outgoing, topic: bytes, fields: dict[str, object]) -> None:
    frames = frames_of(message)
    assert frames[0] == topic
    header = json.loads(frames[1])
    assert header["v"] == 1
    assert header.items() >= fields.items()
    assert decode(frames).header == header


def test_the_payload_is_little_endian_float32_with_the_patch_before_the_rolling_scores() -> None:
    big_endian_columns = np.array([[0.5, 1.0], [0.25, 0.0]], dtype=">f4", order="F")
    assert scores_payload(big_endian_columns) == bytes.fromhex("0000003f 0000803f 0000803e 00000000")


def test_a_header_takes_numbers_of_numpy() -> None:
    message = samples.scores()
    header: Any = message.header
    header.rms_dbfs, header.lost_samples = np.float32(-1.5), np.int64(3)
    header = json.loads(encode_header(message.header))
    assert (header["rms_dbfs"], header["lost_samples"]) == (-1.5, 3)


def test_a_header_of_anything_else_is_refused() -> None:
    message = samples.scores()
    header: Any = message.header
    header.top = object()
    with pytest.raises(TypeError, match="cannot hold"):
        encode_header(message.header)


def test_what_a_later_version_adds_is_kept_for_the_reader() -> None:
    topic, header, payload = frames_of(samples.event())
    message = decode([topic, header[:-1] + b',"confidence":0.5}', payload])
    assert message.header["confidence"] == 0.5


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        (samples.status(), {"state": "warming"}),
        (samples.event(), {"state": "doubtful", "members": ["Bark"]}),
        (samples.service(), {"history": {"state": "moving", "reason": "", "since": 5}, "states": {"warming": 1}}),
        (samples.scores(), {"top": [{"label": "Dog", "score": 0.5, "group": True}], "unit": "probability"}),
    ],
    ids=["status", "event", "service", "scores"],
)
def test_words_and_keys_of_a_later_version_are_kept_for_the_reader(
    message: Outgoing, changes: dict[str, object]
) -> None:
    topic, header, payload = frames_of(message)
    fields = {**json.loads(header), **changes}
    assert decode([topic, json.dumps(fields).encode(), payload]).header == fields


def without(frames: list[bytes], field: str) -> list[bytes]:
    header = json.loads(frames[1])
    del header[field]
    return [frames[0], json.dumps(header).encode(), frames[2]]


GOOD = frames_of(samples.scores())


@pytest.mark.parametrize(
    "frames",
    [
        [],
        GOOD[:2],
        [*GOOD, b""],
        [GOOD[0], b"", GOOD[2]],
        [GOOD[0], b"[1]", GOOD[2]],
        [GOOD[0], b"\xff\xfe", GOOD[2]],
        [GOOD[0], b"[" * 5000, GOOD[2]],
        [GOOD[0], GOOD[1].replace(b'"v":1', b'"v":2'), GOOD[2]],
        [GOOD[0], GOOD[1].replace(b'"scores"', b'"levels"'), GOOD[2]],
        [GOOD[0], GOOD[1].replace(b'"scores"', b'["scores"]'), GOOD[2]],
        [GOOD[0], GOOD[1].replace(b"0123abcd", b"0123ABCD"), GOOD[2]],
        [GOOD[0], GOOD[1].replace(b'"porch"', b'"po/ch"'), GOOD[2]],
        [b"scores/yard/", *GOOD[1:]],
        [*GOOD[:2], GOOD[2][:-1]],
        [*GOOD[:2], b""],
        *[without(GOOD, field) for field in json.loads(GOOD[1])],
    ],
)
def test_what_is_not_a_message_of_this_version_is_refused_in_one_line(frames: list[bytes]) -> None:
    with pytest.raises(WireError) as caught:
        decode(frames)
    assert "\n" not in str(caught.value)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_arbitrary_bytes_never_raise_anything_but_a_wire_error(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        decode(frames)


def test_as_json_gives_scores_as_lists_that_json_takes() -> None:
    text = json.dumps(as_json(decode(frames_of(samples.scores(labels=2)))))
    read = json.loads(text)
    assert np.array_equal(np.float32(read["patch"] + read["rolling"]), np.linspace(0, 1, 4, dtype=np.float32))
    assert read["stream"] == "porch"


def test_as_json_gives_other_kinds_as_their_header() -> None:
    message = decode(frames_of(samples.status()))
    assert as_json(message) == message.header


@given(stream_ids)
def test_letters_digits_dot_dash_and_underscore_name_a_stream(stream: str) -> None:
    assert check_stream_id(stream) == stream


@pytest.mark.parametrize("stream", ["", "a/b", "a b", "a" * 65, "é", "porch\n", "٣"])
def test_what_cannot_name_a_stream_is_refused(stream: str) -> None:
    with pytest.raises(InputError, match="cannot name a stream"):
        check_stream_id(stream)
