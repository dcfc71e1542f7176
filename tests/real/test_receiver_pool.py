"""Sources that other processes receive: nothing differs but where they run, and what brings such a process down."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from streamtag import forked
from streamtag.audio import Block
from streamtag.backoff import Backoff
from streamtag.sources import ReceiverPool, open_source, receiver_pool
from tests.forking import RECEIVERS, forked_for, own_fork_server
from tests.ports import free_port
from tests.real.listening import HASTE, as_float, tone_share
from tests.real.servers import TcpServer, file_server, is_running, running, wait_until
from tests.real.test_rude_servers import hung, well
from tests.sounds import chirp, tone, write

PARENT = """
import sys, time
from streamtag.sources import ReceiverPool
from tests.real.test_receiver_pool import Hearing
hearing = Hearing()
ReceiverPool().open(sys.argv[1], {}, hearing)
hearing.wait(lambda: hearing.blocks)
print("heard", flush=True)
time.sleep(60)
"""


class Hearing:
    """Keeps what it hears of one source."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.states: list[tuple[str, str]] = []
        self.ends: list[str | None] = []
        self.room = threading.Event()
        """Whether it takes any sound."""
        self.room.set()
        self._changed = threading.Condition()

    def add_block(self, block: Block, *, waits: bool) -> None:
        self.room.wait()
        with self._changed:
            self.blocks.append(block)
            self._changed.notify_all()

    def set_state(self, state: str, reason: str) -> None:
        with self._changed:
            self.states.append((state, reason))
            self._changed.notify_all()

    def end(self, failure: str | None) -> None:
        with self._changed:
            self.ends.append(failure)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], object], seconds: float = 30) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, seconds), (self.states, self.ends, len(self.blocks))


AT_ONCE = Backoff(0.1, 0.1)


@pytest.fixture
def receiving(request: pytest.FixtureRequest) -> Iterator[ReceiverPool]:
    """A pool; a parameter says what is other than usual about it."""
    made = ReceiverPool(**getattr(request, "param", {}))
    yield made
    made.close(5)
    assert processes() == []


@pytest.fixture
def radio() -> Iterator[str]:
    with TcpServer(well) as server:
        yield f"http://127.0.0.1:{server.port}/"


def processes(owner: int = os.getpid()) -> list[int]:
    """The receivers that a process has."""
    return forked_for(owner, RECEIVERS)


def test_a_recording_comes_as_it_does_without_another_process(receiving: ReceiverPool, tmp_path: Path) -> None:
    write(tmp_path / "chirp.flac", chirp(12.0, rate=44100), 44100)
    with running(file_server(tmp_path, port := free_port())):
        uri = f"http://127.0.0.1:{port}/chirp.flac"
        receiving.open(uri, {}, hearing := Hearing())
        hearing.wait(lambda: hearing.ends)
        with open_source(uri) as source:
            blocks = list(source)
    assert hearing.ends == [None]
    assert hearing.states == [("live", "")]
    assert [(block.start, block.rate) for block in hearing.blocks] == [(block.start, block.rate) for block in blocks]
    heard, read = (np.concatenate([block.samples for block in some]) for some in (hearing.blocks, blocks))
    np.testing.assert_array_equal(heard, read)
    wait_until(lambda: processes() == [], 60, "the end of a process that has nothing to do")


def test_what_a_lost_process_received_comes_back_with_the_time_it_was_away(receiving: ReceiverPool, radio: str) -> None:
    received = receiving.open(radio, {}, hearing := Hearing())
    hearing.wait(lambda: hearing.blocks)
    [lost] = processes()
    os.kill(lost, signal.SIGSEGV)
    hearing.wait(lambda: len(hearing.states) >= 2)
    heard = len(hearing.blocks)
    hearing.wait(lambda: len(hearing.blocks) >= heard + 4)
    reason = "its receiver crashed (SIGSEGV)"
    assert hearing.states == [("live", ""), ("reconnecting", reason), ("live", "")]
    assert processes() != [lost]
    assert hearing.ends == []
    gaps = [
        after.start - before.start - len(before.samples)
        for before, after in zip(hearing.blocks, hearing.blocks[1:], strict=False)
    ]
    away = gaps.pop(heard - 1)
    assert set(gaps) == {0}
    before, after = hearing.blocks[heard - 1 : heard + 1]
    assert away / after.rate == pytest.approx(after.time - before.time - len(after.samples) / after.rate, abs=0.01)
    assert away > 0
    assert tone_share(hearing.blocks[-1]) > 0.9
    received.close()


def test_a_process_takes_so_many_sources_and_ends_with_its_last(
    receiving: ReceiverPool, radio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_pool, "_MOST_SOURCES", 2)
    hearings = [Hearing() for _ in range(5)]
    received = [receiving.open(radio, {}, hearing) for hearing in hearings]
    for hearing in hearings:
        hearing.wait(lambda hearing=hearing: hearing.blocks)  # type: ignore[misc]
        assert np.abs(as_float(hearing.blocks[0])).max() > 0.1
    assert len(processes()) == 3
    received[2].close()
    received[3].close()
    hearings[2].wait(lambda: hearings[2].ends)
    hearings[3].wait(lambda: hearings[3].ends)
    wait_until(lambda: len(processes()) == 2, 60, "the end of a process that has nothing to do")
    heard = [len(hearing.blocks) for hearing in hearings]
    for number in (0, 1, 4):
        hearings[number].wait(lambda number=number: len(hearings[number].blocks) > heard[number] + 2)  # type: ignore[misc]
    for number in (2, 3):
        assert (hearings[number].ends, len(hearings[number].blocks)) == ([None], heard[number])
    for one in received:
        one.close()
        one.close()
    for hearing in hearings:
        hearing.wait(lambda hearing=hearing: hearing.ends == [None])  # type: ignore[misc]


def test_a_source_that_cannot_be_read_fails_and_one_that_is_away_is_waited_for(receiving: ReceiverPool) -> None:
    receiving.open("http://", {}, nameless := Hearing())
    receiving.open("rtsp://user:secret@127.0.0.1/x", {"rate": 16000}, odd := Hearing())
    away = f"http://user:secret@127.0.0.1:{free_port()}/"
    waiting = receiving.open(away, {"timeouts": HASTE}, hearing := Hearing())
    nameless.wait(lambda: nameless.ends)
    odd.wait(lambda: odd.ends)
    hearing.wait(lambda: hearing.states)
    assert "names no server" in str(nameless.ends)
    assert "takes no option 'rate'" in str(odd.ends)
    assert "secret" not in str(odd.ends)
    assert hearing.states[0][0] == "reconnecting"
    assert "refused" in hearing.states[0][1]
    waiting.close()
    hearing.wait(lambda: hearing.ends == [None])


def test_closing_waits_for_nobody(receiving: ReceiverPool) -> None:
    with TcpServer(hung) as server:
        received = receiving.open(f"http://127.0.0.1:{server.port}/", {}, hearing := Hearing())
        wait_until(lambda: server.connections, 60, "the connection")
        begin = time.monotonic()
        received.close()
        hearing.wait(lambda: hearing.ends == [None])
        receiving.close(5)
        assert time.monotonic() - begin < 2
        assert hearing.states == []


def test_what_is_closed_while_its_process_is_lost_ends_at_once(
    receiving: ReceiverPool, radio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_pool, "next_delay", lambda *_: 1000.0)
    received = receiving.open(radio, {}, hearing := Hearing())
    hearing.wait(lambda: hearing.blocks)
    os.kill(processes()[0], signal.SIGKILL)
    hearing.wait(lambda: hearing.states[-1] == ("reconnecting", "its receiver crashed (SIGKILL)"))
    received.close()
    hearing.wait(lambda: hearing.ends == [None])


@pytest.mark.parametrize("kind", ["stream", "recording"])
def test_a_process_that_cannot_be_started_is_tried_again(
    receiving: ReceiverPool, radio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source = radio if kind == "stream" else str(write(tmp_path / "a.wav", tone(1.0)))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patch:
        delays: list[float] = []

        def soon(previous: float, _: object) -> float:
            delays.append(previous)
            return previous + 0.1

        patch.setattr(receiver_pool, "next_delay", soon)
        patch.setattr(forked, "_start", full)
        received = receiving.open(source, {}, hearing := Hearing())
        hearing.wait(lambda: len(hearing.states) >= 3)
    reason = "no process could be started to receive it: Resource temporarily unavailable"
    assert set(hearing.states) == {("reconnecting", reason)}
    assert delays[:3] == [0.0, 0.1, 0.2]
    hearing.wait(lambda: hearing.blocks)
    assert hearing.blocks[0].start == 0
    received.close()


def test_no_process_outlives_whoever_started_it(radio: str) -> None:
    command = [sys.executable, "-c", PARENT, radio]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "heard\n"
        [pid] = processes(parent.pid)
        parent.kill()
    wait_until(lambda: not is_running(pid), 60, "the process's end")


def test_a_recording_whose_decoder_crashes_fails_alone(receiving: ReceiverPool, tmp_path: Path) -> None:
    hearings = [Hearing(), Hearing()]
    names = [str(write(tmp_path / f"{name}.wav", tone(60.0))) for name in "ab"]
    one, other = (
        receiving.open(name, {"realtime": True}, hearing) for name, hearing in zip(names, hearings, strict=True)
    )
    for hearing in hearings:
        hearing.wait(lambda hearing=hearing: hearing.blocks)  # type: ignore[misc]
    assert len(processes()) == 2
    assert one.receiver is not None
    os.kill(one.receiver.process.pid, signal.SIGSEGV)
    hearings[0].wait(lambda: hearings[0].ends)
    assert hearings[0].ends == [f"{names[0]}: its decoder crashed (SIGSEGV)"]
    heard = len(hearings[1].blocks)
    hearings[1].wait(lambda: len(hearings[1].blocks) > heard + 2)
    assert hearings[1].states == [("live", "")]
    other.close()
    hearings[1].wait(lambda: hearings[1].ends == [None])


@pytest.mark.parametrize("receiving", [{"alone": AT_ONCE}], indirect=True)
def test_a_recording_that_is_played_for_ever_is_received_again_and_its_time_goes_on(
    receiving: ReceiverPool, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.wav", tone(1.0))
    received = receiving.open(str(path), {"realtime": True, "loop": True}, hearing := Hearing())
    hearing.wait(lambda: hearing.blocks)
    heard = len(hearing.blocks)
    os.kill(processes()[0], signal.SIGSEGV)
    hearing.wait(lambda: [state for state, _ in hearing.states] == ["live", "reconnecting", "live"])
    hearing.wait(lambda: len(hearing.blocks) > heard + 2)
    starts = [block.start for block in hearing.blocks]
    assert starts == sorted(set(starts))
    assert hearing.ends == []
    received.close()
    hearing.wait(lambda: hearing.ends == [None])


def test_what_brings_down_its_process_alone_is_left_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    received = receiver_pool.ReceivedSource("http://127.0.0.1/", {}, Hearing(), ReceiverPool())
    pauses = []
    for number in range(20):
        received.begin(number, object())  # type: ignore[arg-type]
        now += 90.0  # more than a minute, after which what is lost by another's fault is brought back soon
        received.lose(together=1)
        pauses.append(received.due - now)
        now = received.due
    assert pauses[0] < 4
    assert all(later > earlier for earlier, later in pairwise(pauses[:10]))
    assert pauses[-1] == 3600.0
    received.begin(20, object())  # type: ignore[arg-type]
    now += 3700.0
    received.lose(together=1)
    assert received.due - now < 4


# Silent for twice as long as between two signs of life.
@pytest.mark.parametrize("receiving", [{"alone": AT_ONCE, "silent_seconds": 4.0}], indirect=True)
def test_a_decoder_that_gives_no_sign_of_life_is_ended(receiving: ReceiverPool, radio: str, tmp_path: Path) -> None:
    hearings = [Hearing(), Hearing()]
    played = {"realtime": True}
    recording = receiving.open(str(write(tmp_path / "a.wav", tone(60.0))), played, hearings[0])
    stream = receiving.open(radio, {}, hearings[1])
    for hearing, received in zip(hearings, (recording, stream), strict=True):
        hearing.wait(lambda hearing=hearing: hearing.blocks)  # type: ignore[misc]
        assert received.receiver is not None
        os.kill(received.receiver.process.pid, signal.SIGSTOP)
    hearings[0].wait(lambda: hearings[0].ends)
    assert "its decoder gave no sign of life for 4 s" in str(hearings[0].ends)
    hearings[1].wait(lambda: len(hearings[1].states) >= 3)
    assert hearings[1].states[1] == ("reconnecting", "its receiver gave no sign of life for 4 s")
    stream.close()


@pytest.mark.parametrize("receiving", [{"alone": AT_ONCE}], indirect=True)
def test_who_brings_its_receiver_down_over_and_over_troubles_its_neighbours_once(
    receiving: ReceiverPool, radio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_pool, "next_delay", lambda *_: 0.1)
    hearings = [Hearing() for _ in range(4)]
    bad, *_ = received = [receiving.open(radio, {}, hearing) for hearing in hearings]
    for hearing in hearings:
        hearing.wait(lambda hearing=hearing: hearing.blocks)  # type: ignore[misc]
    assert len(processes()) == 1
    for crash in range(1, 5):
        assert bad.receiver is not None
        os.kill(bad.receiver.process.pid, signal.SIGSEGV)
        hearings[0].wait(lambda crash=crash: hearings[0].states.count(("live", "")) > crash)  # type: ignore[misc]
    for hearing in hearings[1:]:
        heard = len(hearing.blocks)
        hearing.wait(lambda hearing=hearing, heard=heard: len(hearing.blocks) > heard + 2)  # type: ignore[misc]
        assert [state for state, _ in hearing.states] == ["live", "reconnecting", "live"]
    for one in received:
        one.close()


def test_those_who_were_lost_together_come_back_in_smaller_companies(
    receiving: ReceiverPool, radio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_pool, "_PARTS", 3)
    monkeypatch.setattr(receiver_pool, "next_delay", lambda *_: 0.1)
    hearings = [Hearing() for _ in range(6)]
    received = [receiving.open(radio, {}, hearing) for hearing in hearings]
    for hearing in hearings:
        hearing.wait(lambda hearing=hearing: hearing.blocks)  # type: ignore[misc]
    os.kill(processes()[0], signal.SIGSEGV)
    for hearing in hearings:
        hearing.wait(lambda hearing=hearing: len(hearing.states) == 3)  # type: ignore[misc]
    assert len(processes()) == 3
    for one in received:
        one.close()


def test_a_recording_from_a_server_waits_for_room_and_its_neighbours_do_not(
    receiving: ReceiverPool, radio: str, tmp_path: Path
) -> None:
    sound = chirp(600.0)
    write(tmp_path / "chirp.wav", sound)
    with running(file_server(tmp_path, port := free_port())):
        beside, waiting = Hearing(), Hearing()
        stream = receiving.open(radio, {}, beside)
        waiting.room.clear()
        receiving.open(f"http://127.0.0.1:{port}/chirp.wav", {}, waiting)
        waiting.wait(lambda: waiting.states)
        heard = len(beside.blocks)
        beside.wait(lambda: len(beside.blocks) > heard + 10)
        assert len(processes()) == 1
        assert not waiting.blocks
        waiting.room.set()
        waiting.wait(lambda: waiting.ends)
    assert waiting.ends == [None]
    heard_sound = np.concatenate([as_float(block) for block in waiting.blocks])
    np.testing.assert_allclose(heard_sound[:, 0], sound, atol=1e-4)
    stream.close()


def test_a_process_imports_nothing_from_the_folder_in_which_it_is_started(
    receiving: ReceiverPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("random", "platform", "av", "numpy"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit(3)")
    path = write(tmp_path / "a.wav", tone(1.0))
    monkeypatch.chdir(tmp_path)
    with own_fork_server():
        receiving.open(str(path), {}, hearing := Hearing())
        hearing.wait(lambda: hearing.ends)
    assert hearing.ends == [None]
    assert hearing.blocks


def test_a_thread_that_listens_and_fails_has_its_sources_received_anew(
    receiving: ReceiverPool, radio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearing = Hearing()
    received = receiving.open(radio, {"timeouts": HASTE}, hearing)
    hearing.wait(lambda: hearing.blocks)
    hear, rest = receiver_pool.ReceivedSource.hear, ["this once"]

    def hear_or_break(heard: receiver_pool.ReceivedSource, *words: object) -> None:
        if rest and hearing.blocks:
            raise ZeroDivisionError(rest.pop())
        hear(heard, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(receiver_pool.ReceivedSource, "hear", hear_or_break)
    hearing.wait(lambda: ("reconnecting", "its receiver met with an internal error") in hearing.states)
    heard = len(hearing.blocks)
    hearing.wait(lambda: len(hearing.blocks) > heard)
    received.close()
    hearing.wait(lambda: hearing.ends)


def test_a_thread_that_brings_back_what_was_lost_and_fails_is_made_anew(
    receiving: ReceiverPool, radio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearing = Hearing()
    received = receiving.open(radio, {"timeouts": HASTE}, hearing)
    hearing.wait(lambda: hearing.blocks)
    assign, rest = ReceiverPool._assign, ["this once"]

    def assign_or_break(made: ReceiverPool, lost: receiver_pool.ReceivedSource) -> None:
        if rest:
            raise ZeroDivisionError(rest.pop())
        assign(made, lost)

    monkeypatch.setattr(ReceiverPool, "_assign", assign_or_break)
    os.kill(processes()[0], signal.SIGKILL)
    hearing.wait(lambda: [state for state, _ in hearing.states] == ["live", "reconnecting", "live"])
    assert rest == []
    received.close()
    hearing.wait(lambda: hearing.ends)
