"""A process that receives network sources for another one, which `receivers.py` starts: `FD` is its end of a pair.

    python -m streamtag.sources.receiver FD

Orders come as `(number, uri, options)` to open a source and `(number,)` to close it. For each source go back, in order,
its blocks, its states as `(state, reason)`, and how it ended: None, or why it failed.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from streamtag.audio.block import Block
from streamtag.errors import StreamtagError
from streamtag.sources import LiveSource, open_source
from streamtag.sources.clock import now
from streamtag.sources.turns import Turns

logger = logging.getLogger(__name__)


class _Reading:
    """One source, read in turns."""

    def __init__(self, uri: str, options: dict[str, Any], turns: Turns, send: "partial[None]") -> None:
        self._uri = uri
        self._options = options
        self._turns = turns
        self._send = send
        self._source: LiveSource | None = None
        self._closed = False
        self._steps = self._read()

    def step(self) -> float | None:
        """Read a little, as a task of `Turns`."""
        return next(self._steps, None)

    def close(self) -> None:
        """End the reading; may be called from any thread."""
        self._closed = True
        if self._source is not None:
            self._source.close()

    def _read(self) -> Iterator[float]:
        failure = None
        try:
            yield from self._read_all()
        except StreamtagError as error:
            failure = str(error)
        except Exception as error:
            logger.exception("reading failed")
            failure = f"internal error: {type(error).__name__}: {error}"
        self._send(failure)

    def _read_all(self) -> Iterator[float]:
        source = open_source(self._uri, on_state=self._on_state, **self._options)
        assert isinstance(source, LiveSource)
        source.on_wake = partial(self._turns.wake, self)
        self._source = source
        try:
            if self._closed:  # before there was a source that could be closed
                return
            for step in source.steps():
                if isinstance(step, Block):
                    self._send(step)
                yield now() if isinstance(step, Block) else step
        finally:
            source.close()

    def _on_state(self, state: str, reason: str) -> None:
        self._send((state, reason))


def _serve(connection: "Connection[Any, Any]") -> None:
    """Do as ordered until nobody orders any more."""
    turns = Turns("receiver")
    turns.start()
    readings: dict[int, _Reading] = {}

    def send(number: int, word: object) -> None:
        if not isinstance(word, Block | tuple):
            readings.pop(number, None)
        with suppress(OSError):  # whoever listened is gone, and so are we at once
            connection.send((number, word))

    with suppress(EOFError, OSError):
        while True:
            number, *order = connection.recv()
            if order:
                uri, options = order
                readings[number] = _Reading(uri, options, turns, partial(send, number))
                turns.add(readings[number])
            elif number in readings:
                readings[number].close()


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
    os._exit(0)  # threads that hang in a library are not waited for
