"""A stream's one way in: what comes out of it, in which order, and what it keeps."""

from collections.abc import Sequence

import numpy as np
import pytest

from streamtag.audio import Block, Patch
from streamtag.errors import InputError
from streamtag.intake import Change, Intake, Item
from tests.sounds import tone


class Kept:
    """A queue that keeps what is put, and whether it might have waited."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.waited: list[bool] = []

    def put(self, items: Sequence[Item], *, wait: bool = False) -> None:
        self.items += items
        self.waited.append(wait)

    @property
    def brief(self) -> list[str]:
        changes = [item for item in self.items if isinstance(item, Patch | Change)]
        assert len(changes) == len(self.items)
        return ["patch" if isinstance(item, Patch) else f"{item.state} {item.reason}".strip() for item in changes]


@pytest.fixture
def queue() -> Kept:
    return Kept()


@pytest.fixture
def intake(queue: Kept) -> Intake:
    return Intake("desk", queue)


def block(seconds: float, start: float = 0.0) -> Block:
    return Block(tone(seconds), round(16000 * start), 16000, 0.0)


def test_the_first_sound_makes_a_stream_live_once(intake: Intake, queue: Kept) -> None:
    assert intake.newest == Change("starting")
    intake.add_block(block(1.0))
    intake.add_block(block(1.0, 1.0))
    assert queue.brief == ["live", "patch", "patch"]
    assert (intake.rate, intake.channels, intake.newest.state) == (16000, 1, "live")


def test_a_state_stands_behind_what_was_cut_before_it(intake: Intake, queue: Kept) -> None:
    intake.add_block(block(1.7))
    intake.set_state("stalled", "no audio for 10 s")
    intake.add_block(block(1.0, 1.7))
    intake.end()
    assert queue.brief == ["live", "patch", "patch", "stalled no audio for 10 s", "live", "patch", "ended"]


def test_a_state_lasts_since_it_began_whatever_the_reasons(intake: Intake, queue: Kept) -> None:
    intake.set_state("reconnecting", "refused")
    since = intake.newest.since
    intake.set_state("reconnecting", "refused; next try in 2 s")
    assert intake.newest == Change("reconnecting", "refused; next try in 2 s")
    assert intake.newest.since == since
    intake.add_block(block(0.1))
    assert intake.newest.since > since


def test_what_cannot_be_used_is_counted_and_the_first_of_it_named(intake: Intake, queue: Kept) -> None:
    intake.add_block(block(0.1))
    with pytest.raises(InputError):
        intake.add_block(Block(np.zeros(10), 0, 16000, 0.0))  # type: ignore[arg-type]
    intake.blame("one")
    intake.blame("two")
    intake.set_state("stalled", "")
    intake.add_block(block(0.1, 0.1))
    assert queue.brief == ["live", "live one", "stalled", "live one"]
    assert intake.faults == 2


def test_an_error_that_nobody_foresaw_leaves_a_block_out(
    intake: Intake, queue: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    intake.add_block(block(0.1))
    for _ in range(3):
        intake.stumble(ZeroDivisionError("of a library, at rtsp://user:secret@host/"))
    intake.add_block(block(0.1, 0.1))
    said = "reconnecting internal error: ZeroDivisionError: of a library, at rtsp://host/"
    assert queue.brief == ["live", said, said, said, "live"]
    assert caplog.text.count("a block could not be taken in") == 1


@pytest.mark.parametrize("end", ["end", "fail", "break_down"])
def test_nothing_follows_the_end_whatever_is_brought(intake: Intake, queue: Kept, end: str) -> None:
    intake.add_block(block(0.7))
    {
        "end": lambda: intake.end("the service stopped"),
        "fail": lambda: intake.fail("no such file"),
        "break_down": lambda: intake.break_down(MemoryError("no room")),
    }[end]()
    over = list(queue.brief)
    intake.add_block(block(1.0, 0.7))
    intake.set_state("live", "")
    intake.end()
    intake.fail("again")
    assert queue.brief == over
    assert (
        over
        == {
            "end": ["live", "patch", "ended the service stopped"],
            "fail": ["live", "patch", "failed no such file"],
            "break_down": ["live", "failed internal error: MemoryError: no room"],
        }[end]
    )


def test_only_a_source_that_waits_waits_for_room(intake: Intake, queue: Kept) -> None:
    intake.add_block(block(1.0))
    intake.waits = True
    intake.add_block(block(1.0, 1.0))
    intake.end()
    assert queue.waited == [False, True, True]
