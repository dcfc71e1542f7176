from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamtag.wire.inbox import Inbox
from streamtag.wire.messages import topic_of
from tests.wire.samples import event

CAPACITY = 10
batches = st.lists(st.sampled_from("ab"), min_size=1, max_size=6)
forgets = st.sampled_from(["gone-1", "gone-2"])


@given(st.lists(batches | forgets, max_size=12))
def test_when_full_the_oldest_batches_go_and_every_message_is_either_delivered_or_counted(
    handed_over: list[list[str] | str],
) -> None:
    inbox = Inbox(CAPACITY)
    for entry in handed_over:
        if isinstance(entry, str):
            inbox.forget(entry)
        else:
            inbox.put([event(stream) for stream in entry])
    delivery = inbox.drain()

    delivered = [entry for entry in delivery.entries if not isinstance(entry, str)]
    handed = [entry for entry in handed_over if not isinstance(entry, str)]
    streams = [[topic_of(message.header).split(b"/")[1].decode() for message in batch] for batch in delivered]
    assert streams == handed[len(handed) - len(delivered) :]
    assert sum(map(len, streams)) <= CAPACITY

    topics = Counter(topic_of(message.header) for batch in delivered for message in batch)
    assert topics + delivery.lost == Counter(f"event/{stream}/".encode() for batch in handed for stream in batch)
    assert inbox.dropped == delivery.lost.total()
    assert [entry for entry in delivery.entries if isinstance(entry, str)] == [
        entry for entry in handed_over if isinstance(entry, str)
    ]


def test_the_first_hand_over_after_a_look_asks_to_wake_the_publisher() -> None:
    inbox = Inbox(CAPACITY)
    assert inbox.put([event()])
    assert not inbox.put([event()])
    assert not inbox.forget("porch")
    inbox.drain()
    assert inbox.forget("porch")


def test_a_batch_larger_than_the_capacity_is_kept_when_it_is_the_newest() -> None:
    inbox = Inbox(CAPACITY)
    inbox.put([event()])
    inbox.put([event()] * 50)
    delivery = inbox.drain()
    assert [len(entry) for entry in delivery.entries] == [50]
    assert inbox.dropped == 1
