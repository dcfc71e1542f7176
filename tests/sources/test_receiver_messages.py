import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.audio import Block
from streamtag.process import LinkError
from streamtag.sources.receiver_messages import Sound, Word, block_of, sound_of

SOUND = Sound(number=1, start=5, rate=16000, time=1.0, channels=2, kind="int16", waits=False)


@given(
    kind=st.sampled_from(["int16", "int32", "float32"]),
    channels=st.integers(1, 16),
    samples=st.integers(1, 50),
    start=st.integers(0, 1 << 60),
)
def test_a_block_comes_as_it_was_sent(kind: str, channels: int, samples: int, start: int) -> None:
    block = Block(np.arange(samples * channels, dtype=kind).reshape(samples, channels), start, 44100, 2.5)
    word, sent = sound_of(3, block, waits=True)
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(word), type=Word)
    assert (read.number, read.waits) == (3, True)
    there = block_of(read, bytearray(sent.tobytes()))
    assert (there.start, there.rate, there.time) == (block.start, block.rate, block.time)
    assert there.samples.dtype == block.samples.dtype
    np.testing.assert_array_equal(there.samples, block.samples)


@pytest.mark.parametrize("payload", [b"", b"123", b"123456"])
def test_bytes_that_are_no_whole_samples_are_refused(payload: bytes) -> None:
    with pytest.raises(LinkError):
        block_of(SOUND, bytearray(payload))


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(LinkError):
        block_of(msgspec.structs.replace(SOUND, time=float("nan")), bytearray(b"1234"))


@pytest.mark.parametrize(
    "change", [{"kind": "object"}, {"channels": 0}, {"rate": 0}, {"start": -1}, {"number": -1}, {"type": "Run"}]
)
def test_what_is_no_sound_is_not_read(change: dict[str, object]) -> None:
    told = {**msgspec.to_builtins(SOUND), **change}
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Word)
