"""A service whose subscriber does not read: scoring, wire and stop together."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from streamtag.engine import Service
from streamtag.settings import Stream
from tests.engine.listening import Listener, config
from tests.sounds import tone, write

SUBSCRIBE = """
import sys
from streamtag import Subscriber
with Subscriber(sys.argv[1]) as subscriber:
    print(subscriber.receive().header["kind"], flush=True)
    for message in subscriber:
        pass
"""


def test_a_subscriber_that_stops_reading_holds_up_neither_scores_nor_stop(
    begin: Callable[..., tuple[Service, Listener]], tiny: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "tone.wav", tone(9.6, 2900))
    service, listener = begin()
    with subprocess.Popen([sys.executable, "-c", SUBSCRIBE, service.endpoint], stdout=subprocess.PIPE) as stuck:
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == b"service\n"
        os.kill(stuck.pid, signal.SIGSTOP)
        try:
            service.reload(config(tiny, streams=(Stream(id="yard", source=str(path), loop=True),)))
            listener.patches("yard", 500)
            service.stop()
            listener.rest()
        finally:
            stuck.kill()
    assert listener.states("yard") == ["starting", "live", "ended"]
    assert sum(message.missed for message in listener.heard) == 0
    assert listener.of("service")[-1].header["dropped_patches"] == 0
