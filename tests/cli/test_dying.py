"""A part of the service dies without which it is none; the process ends, and whoever looks after it starts it anew."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from streamtag.cli import main
from streamtag.wire import Publisher

def break_down(*_):
    raise ZeroDivisionError("of a library")

Publisher._send_waiting = break_down
sys.exit(main(["run", sys.argv[1]]))
"""


def test_a_service_that_cannot_publish_any_more_ends_with_status_1_and_says_why(config: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, str(config)], capture_output=True, text=True, timeout=50)
    assert ended.returncode == 1
    assert "ERROR   the thread publisher failed: ZeroDivisionError: of a library" in ended.stderr
    assert ended.stderr.splitlines()[-1] == (
        "streamtag: publishing failed: ZeroDivisionError: of a library; the service ends"
    )
