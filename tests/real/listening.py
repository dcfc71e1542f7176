"""Reads a source in a thread, so that a test can await what it says."""

import threading
import time

import numpy as np

from streamtag.audio.block import Block
from streamtag.sources import Timeouts, open_source

HASTE = Timeouts(open_seconds=2.0, read_seconds=1.5, first_delay=0.1, longest_delay=0.5)
"""Time-outs for servers on this machine."""

AT_ONCE = 4.0
"""Sooner than any time-out of `Timeouts()`, and longer than a slow machine needs to do what it should do at once."""


class Listener:
    def __init__(self, uri: str, **options: object) -> None:
        self.blocks: list[Block] = []
        self.ages: list[float] = []  # of each block's end, when it came
        self.states: list[tuple[str, str]] = []
        self.error: BaseException | None = None
        self.ended = False
        self._changed = threading.Condition()
        options.setdefault("timeouts", HASTE)
        self.source = open_source(uri, on_state=self._on_state, **options)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _on_state(self, state: str, reason: str) -> None:
        with self._changed:
            self.states.append((state, reason))
            self._changed.notify_all()

    def _listen(self) -> None:
        try:
            with self.source as source:
                for block in source:
                    with self._changed:
                        self.blocks.append(block)
                        self.ages.append(time.time() - block.time)
                        self._changed.notify_all()
                self._end()
        except Exception as error:
            self.error = error
            self._end()

    def _end(self) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait_state(self, *states: str, after: int = 0, seconds: float = 20) -> int:
        """Wait for one of `states` among those told from number `after` on; returns the number behind it."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._find(states, after) is not None, seconds), (
                f"none of {states} within {seconds} s, but {self.states}, {self.error}"
            )
            return self._find(states, after) + 1  # type: ignore[operator]

    def _find(self, states: tuple[str, ...], after: int) -> int | None:
        return next((i for i, (state, _) in enumerate(self.states) if i >= after and state in states), None)

    def wait_audio(self, audio_seconds: float, seconds: float = 20) -> int:
        """Wait for so much more audio; returns how many blocks there are."""
        with self._changed:
            goal = self.heard_seconds() + audio_seconds
            assert self._changed.wait_for(lambda: self.heard_seconds() >= goal or self.ended, seconds), (
                f"only {self.heard_seconds():.2f} of {goal:.2f} s, {self.states}, {self.error}"
            )
            return len(self.blocks)

    def wait_unbroken(self, audio_seconds: float, seconds: float = 60) -> None:
        """Wait for so much audio in a row: a machine that is held up loses some, but never all the time."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._unbroken_seconds() >= audio_seconds or self.ended, seconds), (
                f"never {audio_seconds:.2f} s in a row, {self.jumps()}, {self.states}, {self.error}"
            )

    def wait_tone(self, frequency: float = 440.0, seconds: float = 20) -> None:
        """Wait until the newest block is little but a tone."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: bool(self.blocks) and tone_share(self.blocks[-1], frequency) > 0.9, seconds
            ), f"no tone of {frequency} Hz, {self.states}, {self.error}"

    def wait_end(self, seconds: float = 20) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended, seconds), f"did not end within {seconds} s"

    def heard_seconds(self) -> float:
        return sum(len(block.samples) / block.rate for block in self.blocks)

    def _unbroken_seconds(self) -> float:
        since = max((number for number, _ in self.jumps()), default=0)
        return sum(len(block.samples) / block.rate for block in self.blocks[since:])

    def jumps(self) -> list[tuple[int, float]]:
        """Number of each block that does not follow the one before, and the seconds in between."""
        pairs = enumerate(zip(self.blocks, self.blocks[1:], strict=False), 1)
        gaps = [(i, (b.start / b.rate) - (a.start + len(a.samples)) / a.rate) for i, (a, b) in pairs]
        return [(i, gap) for i, gap in gaps if abs(gap) > 1e-4]


def as_float(block: Block) -> np.ndarray:
    scale = 1.0 if block.samples.dtype == np.float32 else float(np.iinfo(str(block.samples.dtype)).max)
    return (block.samples / scale).astype(np.float32)


def tone_share(block: Block, frequency: float = 440.0) -> float:
    """How much of a block's power is within 5 % of a frequency (1: a pure tone, 0: none)."""
    wave = as_float(block).mean(axis=1)
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    frequencies = np.fft.rfftfreq(len(wave), 1 / block.rate)
    near = np.abs(frequencies - frequency) < max(0.05 * frequency, 2.5 * block.rate / len(wave))
    return float(power[near].sum() / max(power.sum(), 1e-12))
