import json
import re
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray

from streamtag.errors import InputError, WireError
from streamtag.wire import PauseRequest, PcmBlock, PcmEnd, PcmFault, PcmPuller, PcmPusher
from streamtag.wire.pcm_messages import MAX_PAYLOAD_BYTES, decode_message

HEADER = {"v": 1, "stream": "porch", "rate": 48000, "channels": 2, "format": "s16le", "start": 480}
FOUR_BYTES = b"\x01\x00\xff\xff"


def header(**changes: object) -> bytes:
    return json.dumps({**HEADER, **changes}).encode()


@pytest.mark.parametrize(
    ("sample_format", "data", "samples"),
    [
        ("s16le", "0100 feff", np.array([[1, -2]], np.int16)),
        ("s24le", "010000 feffff", np.array([[256, -512]], np.int32)),
        ("s32le", "01000000 feffffff", np.array([[1, -2]], np.int32)),
        ("f32le", "0000003f 000080bf", np.array([[0.5, -1]], np.float32)),
    ],
)
def test_a_block_of_each_format_becomes_an_array(sample_format: str, data: str, samples: NDArray[Any]) -> None:
    block = decode_message([header(format=sample_format), bytes.fromhex(data)])
    assert isinstance(block, PcmBlock)
    assert (block.stream, block.rate, block.start) == ("porch", 48000, 480)
    assert block.samples.dtype == samples.dtype
    assert np.array_equal(block.samples, samples)


def test_a_sender_need_not_count_its_samples() -> None:
    block = decode_message([header(start=None), FOUR_BYTES])
    assert isinstance(block, PcmBlock)
    assert block.start is None


def test_unknown_keys_are_ignored_so_that_later_senders_are_understood() -> None:
    assert isinstance(decode_message([header(gain=2), FOUR_BYTES]), PcmBlock)


@pytest.mark.parametrize("fields", [{"v": 1, "stream": "porch", "end": True}, {**HEADER, "end": True}])
def test_an_end_needs_no_format(fields: dict[str, object]) -> None:
    assert decode_message([json.dumps(fields).encode(), b""]) == PcmEnd("porch")


@pytest.mark.parametrize(
    ("frames", "stream", "reason"),
    [
        ([header()], "porch", "2 frames"),
        ([header(), FOUR_BYTES, b""], "porch", "2 frames"),
        ([b"\xff"], None, "2 frames"),
        ([b"", FOUR_BYTES], None, "bad header"),
        ([b"not json", FOUR_BYTES], None, "bad header"),
        ([b'"porch"', FOUR_BYTES], None, "bad header"),
        ([b"\xff\xfe", FOUR_BYTES], None, "bad header"),
        ([b"[" * 4000, FOUR_BYTES], None, "bad header"),
        ([b" " * 5000 + header(), FOUR_BYTES], None, "at most 4096"),
        ([header(v=2), FOUR_BYTES], "porch", "bad header.*v"),
        ([header(stream="po/ch"), FOUR_BYTES], None, "bad header.*stream"),
        ([header(stream="x" * 65), FOUR_BYTES], None, "bad header.*stream"),
        ([header(stream=7), FOUR_BYTES], None, "bad header.*stream"),
        ([header(rate=7999), FOUR_BYTES], "porch", "8000.*rate"),
        ([header(rate=192001), FOUR_BYTES], "porch", "192000.*rate"),
        ([header(rate="48000"), FOUR_BYTES], "porch", "int.*rate"),
        ([header(rate=None), FOUR_BYTES], "porch", "int.*rate"),
        ([header(channels=0), FOUR_BYTES], "porch", "channels"),
        ([header(channels=9), FOUR_BYTES], "porch", "channels"),
        ([header(format="u8"), FOUR_BYTES], "porch", "format"),
        ([header(start=-1), FOUR_BYTES], "porch", "start"),
        ([header(start=10**30), FOUR_BYTES], "porch", "start"),
        ([header(start=0.5), FOUR_BYTES], "porch", "start"),
        ([b'{"v":1,"stream":"porch","rate":48000,"channels":1}', FOUR_BYTES], "porch", "missing.*format"),
        ([header(), b""], "porch", "empty"),
        ([header(), FOUR_BYTES[:3]], "porch", "3 bytes"),
        ([header(), FOUR_BYTES + b"\0\0"], "porch", "6 bytes"),
        ([header(), bytes(MAX_PAYLOAD_BYTES + 4)], "porch", "at most 1048576"),
        ([header(end=True), FOUR_BYTES], "porch", "empty second frame"),
        ([b'{"v":1,"stream":"porch","end":true}', FOUR_BYTES], "porch", "empty second frame"),
    ],
)
def test_a_bad_message_is_a_fault_with_one_plain_reason(frames: list[bytes], stream: str | None, reason: str) -> None:
    fault = decode_message(frames)
    assert isinstance(fault, PcmFault)
    assert fault.stream == stream
    assert "\n" not in fault.reason
    assert len(fault.reason) < 300
    with pytest.raises(InputError, match=reason):
        raise InputError(fault.reason)


def test_the_largest_payload_is_taken() -> None:
    block = decode_message([header(), bytes(MAX_PAYLOAD_BYTES)])
    assert isinstance(block, PcmBlock)
    assert block.samples.shape == (MAX_PAYLOAD_BYTES // 4, 2)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=3))
def test_arbitrary_frames_are_faults(frames: list[bytes]) -> None:
    assert isinstance(decode_message(frames), PcmFault)


@given(st.dictionaries(st.sampled_from([*HEADER, "end", "other"]), json_values), st.binary(max_size=40))
def test_arbitrary_values_in_a_header_never_raise(changes: dict[str, Any], payload: bytes) -> None:
    assert isinstance(decode_message([header(**changes), payload]), PcmBlock | PcmEnd | PcmFault)


@given(
    st.integers(8000, 192_000),
    st.integers(1, 8),
    st.sampled_from(["s16le", "s24le", "s32le", "f32le"]),
    st.none() | st.integers(0, 2**53),
    st.integers(1, 50),
)
def test_every_header_within_bounds_is_taken(
    rate: int, channels: int, sample_format: str, start: int | None, frames: int
) -> None:
    width = {"s16le": 2, "s24le": 3}.get(sample_format, 4)
    fields = header(rate=rate, channels=channels, format=sample_format, start=start)
    block = decode_message([fields, bytes(frames * channels * width)])
    assert isinstance(block, PcmBlock)
    assert (block.rate, block.start, block.samples.shape) == (rate, start, (frames, channels))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, ">i2"])
def test_what_is_pushed_comes_in(puller: PcmPuller, pcm: SimpleQueue[Any], dtype: DTypeLike) -> None:
    samples = np.arange(-6, 6).astype(dtype).reshape(6, 2)
    with PcmPusher(puller.endpoint) as pusher:
        pusher.push("porch", samples, 44100, start=10)
        pusher.push("porch", samples[:, 0], 44100)
        pusher.end("porch")
    first, second, end = (pcm.get(timeout=60) for _ in range(3))
    assert np.array_equal(first.samples, samples)
    assert first.samples.dtype == np.dtype(dtype).newbyteorder("<")
    assert (first.stream, first.rate, first.start) == ("porch", 44100, 10)
    assert np.array_equal(second.samples, samples[:, :1])
    assert second.start is None
    assert end == PcmEnd("porch")


def test_a_long_block_is_pushed_in_parts_that_follow_each_other(puller: PcmPuller, pcm: SimpleQueue[Any]) -> None:
    samples = np.arange(300_000, dtype=np.int32).reshape(-1, 1)
    with PcmPusher(puller.endpoint) as pusher:
        pusher.push("porch", samples, 48000, start=7)
        parts = [pcm.get(timeout=60) for _ in range(2)]
    assert [part.start for part in parts] == [7, 7 + 262_144]
    assert np.array_equal(np.concatenate([part.samples for part in parts]), samples)


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(10), 48000),
        (np.zeros((2, 2, 2), np.int16), 48000),
        (np.zeros((10, 9), np.int16), 48000),
        (np.zeros((10, 0), np.int16), 48000),
        (np.int16(3), 48000),
        (np.zeros(10, np.int16), 7999),
        (np.zeros(10, np.int16), 192001),
    ],
)
def test_what_no_service_takes_is_refused_where_it_is_pushed(samples: NDArray[Any], rate: int) -> None:
    with PcmPusher("tcp://127.0.0.1:9") as pusher, pytest.raises(InputError):
        pusher.push("porch", samples, rate)


def test_pushing_to_an_absent_service_ends_in_a_clear_error(tmp_path: Path) -> None:
    with (
        PcmPusher(f"ipc://{tmp_path}/nobody", timeout_seconds=0.05) as pusher,
        pytest.raises(WireError, match=r"no service took PCM at ipc://.*for 0.05 s"),
    ):
        pusher.push("porch", np.zeros(10, np.int16), 48000)


@pytest.mark.parametrize("is_paused", [True, False])
def test_a_stream_is_asked_to_be_paused(is_paused: bool) -> None:
    header = json.dumps({"v": 1, "stream": "porch", "pause": is_paused}).encode()
    assert decode_message([header, b""], "alice") == PauseRequest("porch", is_paused, "alice")


@pytest.mark.parametrize(
    ("header", "payload", "reason"),
    [
        ({"pause": "yes"}, b"", "bad header: .*pause"),
        ({"pause": 1}, b"", "bad header: .*pause"),
        ({"pause": True}, b"1234", "a message that pauses a stream has an empty second frame, not 4 bytes"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(header: dict[str, object], payload: bytes, reason: str) -> None:
    fault = decode_message([json.dumps({"v": 1, "stream": "porch", **header}).encode(), payload])
    assert isinstance(fault, PcmFault)
    assert fault.stream == "porch"
    assert re.search(reason, fault.reason)
