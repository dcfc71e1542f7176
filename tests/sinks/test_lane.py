import threading

from streamtag.sinks.sink import Lane
from streamtag.wire.messages import Message
from tests.real.servers import wait_until


class Slow:
    """A sink that hangs until it is let go."""

    name = "slow"
    kinds = frozenset({"event", "scores"})

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.got: list[tuple[str, int]] = []
        self.closed = False

    def open(self) -> None:
        pass

    def take(self, message: Message) -> None:
        self.begun.set()
        self.go.wait(30)
        self.got.append((message.header["kind"], message.header["seq"]))

    def look(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def message(kind: str, seq: int) -> Message:
    return Message({"kind": kind, "seq": seq})


def test_a_sink_that_hangs_loses_scores_first_and_then_the_oldest_and_counts_them() -> None:
    sink = Slow()
    lane = Lane(sink, most=2)
    lane.start()
    lane.put(message("event", 0))
    assert sink.begun.wait(30)
    for seq in (1, 2):
        lane.put(message("event", seq))
    lane.put(message("scores", 3))
    lane.put(message("status", 4))  # it does not take these
    lane.put(message("event", 5))
    assert lane.dropped == 2
    sink.go.set()
    lane.ask_to_end()
    wait_until(lambda: sink.closed, 30, "the sink's end")
    assert sink.got == [("event", 0), ("event", 2), ("event", 5)]
