import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamtag.audio.pcm import decode_pcm
from streamtag.errors import InputError
from streamtag.limits import SAMPLE_FORMATS

frames = st.tuples(st.integers(0, 50), st.integers(1, 8))


@given(arrays(np.int16, frames))
def test_16_bit_samples_come_back(samples: np.ndarray) -> None:
    decoded = decode_pcm(samples.astype("<i2").tobytes(), "s16le", samples.shape[1])
    assert decoded.dtype == np.int16
    np.testing.assert_array_equal(decoded, samples)


@given(arrays(np.int32, frames))
def test_32_bit_samples_come_back(samples: np.ndarray) -> None:
    decoded = decode_pcm(memoryview(samples.astype("<i4").tobytes()), "s32le", samples.shape[1])
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, samples)


@given(arrays(np.int32, frames, elements=st.integers(-(2**23), 2**23 - 1)))
def test_24_bit_samples_stand_in_the_upper_bits(samples: np.ndarray) -> None:
    packed = b"".join(int(value).to_bytes(3, "little", signed=True) for value in samples.ravel())
    decoded = decode_pcm(packed, "s24le", samples.shape[1])
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, samples * 256)


@given(arrays(np.float32, frames))
def test_float_samples_come_back_even_if_not_finite(samples: np.ndarray) -> None:
    decoded = decode_pcm(samples.astype("<f4").tobytes(), "f32le", samples.shape[1])
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, samples)


@given(st.sampled_from(sorted(SAMPLE_FORMATS)), st.integers(1, 8), st.integers(1, 200))
def test_a_cut_frame_is_refused(sample_format: str, channels: int, size: int) -> None:
    if size % (SAMPLE_FORMATS[sample_format].bytes * channels):
        with pytest.raises(InputError):
            decode_pcm(bytes(size), sample_format, channels)
    else:
        assert decode_pcm(bytes(size), sample_format, channels).shape[1] == channels
