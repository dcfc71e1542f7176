import ast
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import streamtag
from streamtag.backoff import Backoff
from streamtag.threads import Worker

QUICK = Backoff(0.001, 30.0)


def failing(*errors: BaseException) -> tuple[Callable[[], None], threading.Event]:
    """Something to run that raises these one after the other and then says that it ended well."""
    rest, well = list(errors), threading.Event()

    def run() -> None:
        if rest:
            raise rest.pop(0)
        well.set()

    return run, well


def test_a_thread_that_fails_is_made_anew_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    run, well = failing(ValueError("no\nsuch luck"), KeyError("again"))
    worker = Worker("watch", run, pauses=QUICK).start()
    assert well.wait(60)
    worker.join(60)
    assert worker.restarts == 2
    assert not worker.is_alive
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("the thread watch failed and is made anew in 0.001 s: ValueError: no such luck")
    assert "KeyError" in second


@pytest.mark.parametrize("error", [ValueError("a\nb"), MemoryError(), SystemExit(3)])
def test_a_thread_that_cannot_be_made_anew_tells_whoever_made_it(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    run, well = failing(error)
    told: list[BaseException] = []
    worker = Worker("publisher", run, on_failure=told.append).start()
    worker.join(60)
    assert (told, worker.error) == ([error], error)
    assert not well.is_set()
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert line.getMessage().startswith(f"the thread publisher failed: {type(error).__name__}")


def test_a_thread_that_is_being_ended_is_not_made_anew() -> None:
    def run() -> None:
        assert worker._ending.wait(60)
        raise ValueError

    worker = Worker("history", run, pauses=QUICK)
    worker.start().join(60)
    assert not worker.is_alive
    assert worker.restarts == 0


def test_threads_are_made_in_one_place() -> None:
    root = Path(streamtag.__file__).parent
    makers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("Thread", "Timer", "start_new_thread")
    }
    assert makers == {"threads.py"}
