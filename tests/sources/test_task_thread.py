import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from streamtag.sources.task_thread import TaskThread
from streamtag.sources.timeline import now

FAR = 1e9


class Scripted:
    """Does what it is told turn after turn, and counts them."""

    def __init__(self, *untils: Callable[[], float]) -> None:
        self._untils = iter(untils)
        self.turns = 0
        self.done = threading.Event()
        self.turn = threading.Semaphore(0)

    def step(self) -> float | None:
        until = next(self._untils, None)
        self.turns += 1
        self.turn.release()
        if until is None:
            self.done.set()
            return None
        return until()


def at_once() -> float:
    return 0.0


def when_woken() -> float:
    return now() + FAR


def soon() -> float:
    return now() + 0.05


@pytest.fixture
def turns() -> TaskThread:
    made = TaskThread("turns")
    made.start()
    return made


def test_a_task_has_turns_until_it_is_done(turns: TaskThread) -> None:
    task = Scripted(at_once, at_once, at_once)
    turns.add(task)
    assert task.done.wait(60)
    assert task.turns == 4


def test_a_task_that_waits_goes_on_when_it_is_woken(turns: TaskThread) -> None:
    task = Scripted(when_woken)
    turns.add(task)
    assert task.turn.acquire(timeout=60)
    while not task.done.wait(0.01):  # woken before it waits counts as well, but not before its turn began
        turns.wake(task)
    assert task.turns == 2


def test_a_task_that_is_woken_during_its_turn_has_another(turns: TaskThread) -> None:
    woken = threading.Event()

    def wake_itself() -> float:
        turns.wake(task)
        woken.set()
        return when_woken()

    task = Scripted(wake_itself)
    turns.add(task)
    assert task.done.wait(60)
    assert woken.is_set()


def test_tasks_go_on_when_their_time_has_come_whoever_waits_longer(turns: TaskThread) -> None:
    for task in (Scripted(when_woken), Scripted(soon, soon), Scripted(soon)):
        turns.add(task)
    assert task.done.wait(60)


def test_many_tasks_are_worked_off_by_one_thread(turns: TaskThread) -> None:
    threads: set[str] = set()

    class Busy(Scripted):
        def step(self) -> float | None:
            threads.add(threading.current_thread().name)
            turns.wake(self)
            return super().step()

    tasks = [Busy(*[at_once, when_woken] * 5) for _ in range(200)]
    for task in tasks:
        turns.add(task)
    assert all(task.done.wait(60) for task in tasks)
    assert threads == {"streamtag-turns"}
    assert sum(task.turns for task in tasks) == 200 * 11


def test_none_is_passed_over_however_much_another_has_to_do() -> None:
    turns = TaskThread("turns")
    endless = Scripted(*[at_once] * 1_000_000)
    other = Scripted(at_once, at_once)
    turns.add(endless)
    turns.add(other)
    turns.start()
    assert other.done.wait(60)
    assert not endless.done.is_set()


def test_a_task_that_fails_ends_the_process_so_that_another_one_begins_anew() -> None:
    program = (
        "import time; from streamtag.sources.task_thread import TaskThread\n"
        "class Failing:\n"
        "    def step(self): raise ZeroDivisionError('of a library')\n"
        "turns = TaskThread('receiver'); turns.start(); turns.add(Failing()); time.sleep(50)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert ended.returncode == 1
    assert "the thread receiver failed: ZeroDivisionError: of a library" in ended.stderr
