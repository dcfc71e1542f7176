"""Keeps events in a process that is killed, over and over: `python -m tests.history.killing HISTORY TIMES`.

Prints, a line each, the stream and the number of every event that was in the file when it could have been told of.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from streamtag.history import History
from streamtag.settings import HistorySettings
from tests.history.conftest import NOW, patch


def keep_on(path: Path, stream: str) -> None:
    history = History(path, HistorySettings(path=str(path), keep_days=36500.0, clips=True, clip_seconds=0.5))
    history.start()
    for event in range(1_000_000):
        heard = patch(event)
        history.patch(stream, heard)
        history.begin(stream, event, "Dog", heard.start / 16000, 0.8, NOW + heard.start / 16000)
        if history.settle(0.05):
            os.write(1, f"{stream} {event}\n".encode())
        history.end(stream, event, heard.start / 16000 + 0.96, 0.9)
        time.sleep(0.002)


if __name__ == "__main__":
    history, times = Path(sys.argv[1]), int(sys.argv[2])
    for number in range(times):
        child = os.fork()
        if not child:
            keep_on(history, f"s{number}")
        time.sleep(random.uniform(0.01, 0.25))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
