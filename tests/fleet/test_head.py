import socket
import threading

from streamtag.fleet import head
from streamtag.fleet.head import HeadWatch


def test_a_head_that_is_gone_is_told_of_once() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    gone = threading.Event()
    watch = HeadWatch(f"127.0.0.1:{server.getsockname()[1]}", gone.set, timeout_seconds=0.1)
    assert not gone.wait(head._LOOK_SECONDS + 0.2)
    server.close()
    assert gone.wait(60)
    watch.stop()
