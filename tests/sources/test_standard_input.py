import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from streamtag.audio.block import Block
from streamtag.errors import SourceError
from streamtag.sources import open_source
from streamtag.sources.source import Request, Timeouts, ignore_state
from streamtag.sources.standard_input import StandardInput
from streamtag.sources.timeline import Clock, now
from tests.sources.test_live_source import Hands

RATE, CHANNELS = 16000, 2
DAY = Timeouts(open_seconds=1e4, read_seconds=1e4)


class Pipe:
    def __init__(self, timeouts: Timeouts = DAY, clock: Clock = now) -> None:
        self.read_end, self.write_end = os.pipe()
        self.states: list[tuple[str, str]] = []
        request = Request(
            "-",
            "",
            on_state=lambda state, reason: self.states.append((state, reason)),
            rate=RATE,
            channels=CHANNELS,
            sample_format="s16le",
            timeouts=timeouts,
        )
        self.source = StandardInput(self.read_end, request, clock)

    def send(self, data: bytes) -> None:
        os.write(self.write_end, data)

    def end(self) -> None:
        os.close(self.write_end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
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
    assert heard.wait(60)
    pipe.source.close()
    reader.join(60)
    assert not reader.is_alive()
    pipe.end()


def second(pipe: Pipe) -> None:
    pipe.send(bytes(2 * CHANNELS * RATE // 4) * 4)


def test_a_pause_is_stalled_and_then_a_jump() -> None:
    clock = Hands()
    pipe = Pipe(Timeouts(), clock)
    woken = threading.Event()
    pipe.source.on_wake = woken.set
    steps = pipe.source.steps()

    def hear() -> Block:
        for step in steps:
            if isinstance(step, Block):
                return step
            assert woken.wait(60)
            woken.clear()
        raise AssertionError

    pipe.send(bytes(4000))  # so little comes in one piece
    before = hear()
    clock.seconds += 25.0
    while len(pipe.states) < 2:
        next(steps)
    pipe.send(bytes(4000))
    after = hear()
    assert pipe.states == [("live", ""), ("stalled", "no audio for 10 s"), ("live", "back after 24.9 s")]
    assert after.start - before.start == 25 * RATE
    pipe.source.close()
    pipe.end()
    os.close(pipe.read_end)


def test_a_file_that_is_piped_through_as_fast_as_it_goes_is_whole(pipe: Pipe) -> None:
    sent = 120

    def feed() -> None:
        for _ in range(sent):
            second(pipe)
        pipe.end()

    threading.Thread(target=feed, daemon=True).start()
    blocks = []
    for block in pipe.source:
        blocks.append(block)
        if len(blocks) == 3:
            threading.Event().wait(1.0)  # whoever takes it pauses, and it must wait
    assert sum(len(block.samples) for block in blocks) == sent * RATE
    assert blocks[-1].start + len(blocks[-1].samples) == sent * RATE


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
