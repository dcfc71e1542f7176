"""One thread for many tasks, each of which mostly waits."""

import os
import threading
from collections import deque
from typing import Protocol

from streamtag.sources.timeline import now
from streamtag.threads import Worker

__all__ = ["Task", "TaskThread"]


class Task(Protocol):
    """Work that is done a little at a time."""

    def step(self) -> float | None:
        """Do the next bit without waiting for anything.

        Returns the time (`clock.now`) at which to go on if nobody wakes the task before; None: it is done.
        """


class TaskThread:
    """A thread that works off any number of tasks; whoever can go on gets his turn.

    Where a task lets an error out the process ends: nobody knows what is left half done, and whoever started the
    process notices and begins anew.
    """

    def __init__(self, name: str) -> None:
        self._changed = threading.Condition()
        self._ready: deque[Task] = deque()
        self._waiting: dict[Task, float] = {}  # until when
        self._running: Task | None = None
        self._woken = False  # who is running
        self._next_due = 0.0  # not after the first of those that wait
        self._thread = Worker(name, self._run, on_failure=lambda _: os._exit(1))

    def start(self) -> None:
        """Start the thread, which ends with the process."""
        self._thread.start()

    def add(self, task: Task) -> None:
        """Take up a task; may be called from any thread."""
        with self._changed:
            self._ready.append(task)
            self._changed.notify()

    def wake(self, task: Task) -> None:
        """Let a task go on that waits; may be called from any thread."""
        with self._changed:
            if self._waiting.pop(task, None) is not None:
                self._ready.append(task)
                self._changed.notify()
            elif task is self._running:
                self._woken = True

    def _run(self) -> None:
        while True:
            task = self._next_task()
            self._put_back(task, task.step())

    def _next_task(self) -> Task:
        with self._changed:
            while True:
                self._wake_due()
                if self._ready:
                    self._running, self._woken = self._ready.popleft(), False
                    return self._running
                self._changed.wait(self._next_due - now() if self._waiting else None)

    def _put_back(self, task: Task, until: float | None) -> None:
        with self._changed:
            self._running = None
            if until is None:
                return
            if self._woken:
                self._ready.append(task)
                return
            if not self._waiting or until < self._next_due:
                self._next_due = until
            self._waiting[task] = until

    def _wake_due(self) -> None:
        present = now()
        if not self._waiting or present < self._next_due:
            return
        due = [task for task, until in self._waiting.items() if until <= present]
        for task in due:
            del self._waiting[task]
        self._ready += due
        self._next_due = min(self._waiting.values(), default=0.0)
