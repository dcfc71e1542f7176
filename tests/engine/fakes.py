"""Sources and runtimes that do what real ones do only sometimes."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from streamtag.audio import Block
from streamtag.engine import models
from streamtag.runtimes import Embedded, Runtime, open_runtime
from streamtag.sources import LiveSource, OnState, Timeouts, redact


class HungSource:
    """Gives nothing and hears nothing, not even that it is closed, until `released`."""

    rate = 0
    channels = 0

    def __init__(self, uri: str, released: threading.Event) -> None:
        self.name = redact(uri)
        self.closed = False
        self._released = released

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Block]:
        self._released.wait(60)
        yield Block(np.zeros(16000, np.int16), 0, 16000, time.time())

    def close(self) -> None:
        self.closed = True


class ScriptedSource(LiveSource):
    """Plays a script: blocks to give, and states with their reasons to tell, until it is closed."""

    def __init__(self, script: Sequence[Block | tuple[str, str]], on_state: OnState) -> None:
        super().__init__("scripted", lambda feed: None, Timeouts(), on_state)
        self._script = script

    def steps(self) -> Iterator[Block | float]:
        for step in self._script:
            if isinstance(step, Block):
                yield step
            else:
                self._on_state(*step)
        while not self._closed.is_set():
            yield time.monotonic() + 30


class SlowRuntime:
    """Takes its time for each patch."""

    def __init__(self, runtime: Runtime, seconds: float) -> None:
        self.name, self.device, self.precision = runtime.name, runtime.device, runtime.precision
        self._runtime = runtime
        self._seconds = seconds

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(self._seconds * len(patches))
        return self._runtime.run(patches)

    def embed(self, patches: NDArray[np.float32]) -> Embedded:
        time.sleep(self._seconds * len(patches))
        return self._runtime.embed(patches)


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have each patch take so long to score in the services made from now on."""
    fast = open_runtime
    monkeypatch.setattr(models, "open_runtime", lambda *args, **wishes: SlowRuntime(fast(*args, **wishes), seconds))
