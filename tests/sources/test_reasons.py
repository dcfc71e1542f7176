"""Every error that FFmpeg knows is told in words."""

import errno
import os
from typing import Any

import av
import pytest

from streamtag.sources.reasons import read_error

CODES = sorted(av.error.classes)


@pytest.mark.parametrize("is_file", [True, False])
@pytest.mark.parametrize("code", CODES)
def test_every_error_of_ffmpeg_has_a_reason_in_words(code: int, is_file: bool) -> None:
    text = os.strerror(code) if code < 1000 else "rtsp://user:secret@host failed"
    kind: Any = av.error.classes[code]
    reason = str(read_error(kind(code, text), is_file=is_file))
    assert reason
    assert kind.__name__.lower() not in reason.lower()
    assert "secret" not in reason
    assert not reason.endswith(".")


def test_a_damaged_file_is_not_called_forbidden() -> None:
    classes: dict[int, Any] = av.error.classes
    damaged = classes[errno.EPERM](errno.EPERM, "Operation not permitted")
    assert "damaged" in str(read_error(damaged, is_file=True))
    forbidden = classes[errno.EACCES](errno.EACCES, "Permission denied")
    assert "permission denied" in str(read_error(forbidden, is_file=True))


def test_an_error_that_python_makes_has_a_reason_too() -> None:
    assert str(read_error(OSError(errno.ENETUNREACH, "Network is unreachable"), is_file=False)) == (
        "network is unreachable"
    )
    assert "memory" in str(read_error(MemoryError(), is_file=True))
    assert str(read_error(RuntimeError("internal"), is_file=True))


@pytest.mark.parametrize("error", [TimeoutError(), av.error.ExitError(1414092869, "Immediate exit requested")])
def test_a_time_out_is_known_as_one(error: Exception) -> None:
    assert read_error(error, is_file=False).timed_out
