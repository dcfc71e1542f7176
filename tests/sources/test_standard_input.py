import os
import threading

import numpy as np
import pytest

from streamtag.errors import SourceError
from streamtag.sources import open_source
from streamtag.sources.source import ignore_state
from streamtag.sources.standard_input import StandardInput

RATE, CHANNELS = 16000, 2


class Pipe:
    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.states: list[tuple[str, str]] = []
        self.source = StandardInput(
            self.read_end, RATE, CHANNELS, "s16le", on_state=lambda state, reason: self.states.append((state, reason))
        )

    def send(self, data: bytes) -> None:
        os.write(self.write_end, data)

    def end(self) -> None:
        os.close(self.write_end)


@pytest.fixture
def pipe():  # type: ignore[no-untyped-def]
    pipe = Pipe()
    yield pipe
    os.close(pipe.read_end)


def test_pcm_in_odd_portions_comes_out_whole(pipe: Pipe) -> None:
    samples = np.arange(4000, dtype=np.int16).reshape(-1, CHANNELS)
    data = samples.tobytes()

    def feed() -> None:
        for i in range(0, len(data), 997):
            pipe.send(data[i : i + 997])
        pipe.end()

    threading.Thread(target=feed, daemon=True).start()
    blocks = list(pipe.source)
    np.testing.assert_array_equal(np.concatenate([block.samples for block in blocks]), samples)
    lengths = [len(block.samples) for block in blocks]
    assert [block.start for block in blocks] == [sum(lengths[:i]) for i in range(len(lengths))]
    assert pipe.states == [("live", "")]


def test_a_cut_last_frame_is_told(pipe: Pipe) -> None:
    pipe.send(bytes(4 * 100 + 3))
    pipe.end()
    assert sum(len(block.samples) for block in pipe.source) == 100
    assert pipe.states[-1] == ("live", "the last 3 bytes are no whole frame and were left out")


def test_an_empty_input_is_an_error(pipe: Pipe) -> None:
    pipe.end()
    with pytest.raises(SourceError, match="no audio"):
        list(pipe.source)


def test_closing_ends_the_wait_for_more(pipe: Pipe) -> None:
    heard = threading.Event()

    def read() -> None:
        for _ in pipe.source:
            heard.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    pipe.send(bytes(400))
    assert heard.wait(5)
    pipe.source.close()
    reader.join(5)
    assert not reader.is_alive()
    pipe.end()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rate": 16000, "channels": 1},
        {"rate": 7999, "channels": 1, "sample_format": "s16le"},
        {"rate": 16000, "channels": 0, "sample_format": "s16le"},
        {"rate": 16000, "channels": 1, "sample_format": "s8"},
    ],
)
def test_pcm_that_is_not_described_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(SourceError, match=r"^-: "):
        open_source("-", on_state=ignore_state, **options)  # type: ignore[arg-type]
