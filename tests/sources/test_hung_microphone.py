"""A sound system that hangs; another one stands in for it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtag.sources import ReceiverPool, Timeouts
from tests.forking import own_fork_server
from tests.real.test_receiver_pool import Hearing

STAND_INS = Path(__file__).parent / "stand_ins"
HASTY = Timeouts(open_seconds=0.3, read_seconds=0.7, first_delay=0.01, longest_delay=0.1)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(STAND_INS))
    with own_fork_server():
        yield


def test_a_hang_costs_one_microphone_and_that_one_is_opened_again_by_a_fresh_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_MARK", str(tmp_path / "hung"))
    receivers = ReceiverPool()
    hung, porch = Hearing(), Hearing()
    try:
        receivers.open("mic:hung", {"timeouts": HASTY}, hung)
        receivers.open("mic:porch", {}, porch)
        porch.wait(lambda: porch.blocks)
        hung.wait(lambda: hung.blocks)
        heard = len(porch.blocks)
        porch.wait(lambda: len(porch.blocks) > heard + 5)
        assert porch.states == [("live", "")]
        assert [state for state, _ in hung.states[:2]] == ["stalled", "reconnecting"]
        assert hung.states[1][1] == "its receiver was ended, because its sound system may hang"
    finally:
        receivers.close(5)


SECOND_OF_ONE_PROCESS = """
import os, threading
import sounddevice
from streamtag.sources import Timeouts, microphone, open_source
microphone._HANG_SECONDS = 0.2
told = []
timeouts = Timeouts(open_seconds=30, read_seconds=30)
first = open_source("mic:hung", timeouts=timeouts)
threading.Thread(target=lambda: list(first), daemon=True).start()
sounddevice.hanging.wait()
second = open_source("mic:porch", timeouts=timeouts, on_state=lambda *state: (told.append(state), second.close()))
list(second)
print(told, flush=True)
os._exit(0)
"""


def test_whoever_shares_the_library_with_a_microphone_that_hangs_is_told() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SECOND_OF_ONE_PROCESS], capture_output=True, text=True, check=True, timeout=50
    )
    assert ended.stdout.strip() == "[('stalled', 'the sound system hangs: it has not answered for 0.2 s')]"
