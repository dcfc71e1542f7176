"""Stands in for the library of that name: microphones that give silence, and one whose opening hangs.

Where `STAND_IN_MARK` names a file it hangs the first time only, in whichever process; the file says that it has.
"""

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

_NAMES = ["porch", "hung"]


class PortAudioError(Exception):
    pass


hanging = threading.Event()
default = SimpleNamespace(device=(0, 0))


def _initialize() -> None: ...


def _terminate() -> None: ...


def query_hostapis() -> list[dict[str, str]]:
    return [{"name": "made"}]


def query_devices() -> list[dict[str, Any]]:
    return [
        {"name": name, "index": index, "hostapi": 0, "max_input_channels": 1, "default_samplerate": 16000.0}
        for index, name in enumerate(_NAMES)
    ]


def _may_hang() -> bool:
    mark = os.environ.get("STAND_IN_MARK")
    if mark is None:
        return True
    may_hang = not Path(mark).exists()
    Path(mark).touch()
    return may_hang


class InputStream:
    def __init__(self, *, device: int, blocksize: int, callback: Any, **_: Any) -> None:
        self._name, self._frames, self._callback = _NAMES[device], blocksize, callback
        self._closed = threading.Event()

    def start(self) -> None:
        if self._name == "hung" and _may_hang():
            hanging.set()
            threading.Event().wait()
        threading.Thread(target=self._give, daemon=True).start()

    def abort(self, *, ignore_errors: bool) -> None:
        self._closed.set()

    close = abort

    def _give(self) -> None:
        count = 0
        while not self._closed.wait(self._frames / 16000):
            times = SimpleNamespace(inputBufferAdcTime=count / 16000, currentTime=(count + self._frames) / 16000)
            count += self._frames
            status = SimpleNamespace(input_overflow=False)
            self._callback(np.zeros((self._frames, 1), np.float32), self._frames, times, status)
