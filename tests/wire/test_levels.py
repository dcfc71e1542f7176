"""Levels from header to subscriber: messages, the publisher's knowledge of who watches, following a stream."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from streamtag.errors import InputError
from streamtag.wire import LevelsHeader, Outgoing, Publisher, Subscriber, as_json, levels_payload
from streamtag.wire.messages import decode, encode_header, topic_of

Subscribe = Callable[..., Subscriber]
COLUMNS = np.linspace(-6.0, 7.0, 128, dtype=np.float32).reshape(2, 64)


def levels(stream: str = "yard") -> Outgoing:
    header = LevelsHeader(stream=stream, start=0.0, end=0.02, rms_dbfs=-20.0, peak_dbfs=-9.0, frames=2, bands=64)
    return Outgoing(header, levels_payload(COLUMNS))


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    pause = threading.Event()
    return any(condition() or pause.wait(0.02) for _ in range(round(seconds / 0.02)))


def test_levels_are_watched_only_while_somebody_names_them(publisher: Publisher, subscribe: Subscribe) -> None:
    subscribe()
    named = subscribe(streams=["yard"], kinds=["levels"])
    assert until(lambda: publisher.is_watched("yard"))
    assert not publisher.is_watched("porch")
    named.close()
    assert until(lambda: not publisher.is_watched("yard"))


def test_a_subscriber_of_everything_asks_for_no_levels(publisher: Publisher, subscribe: Subscribe) -> None:
    everything = subscribe()
    publisher.publish([levels()])
    assert everything.receive(0.3) is None


def test_a_subscriber_follows_and_leaves_a_stream(publisher: Publisher, subscribe: Subscribe) -> None:
    subscriber = subscribe(kinds=["service"])
    subscriber.follow("yard", ["levels"])
    assert until(lambda: publisher.is_watched("yard"))
    publisher.publish([levels()])
    message = subscriber.receive(10)
    assert message is not None
    assert message.columns is not None
    assert message.columns.shape == (2, 64)
    subscriber.leave("yard", ["levels"])
    assert until(lambda: not publisher.is_watched("yard"))


def test_a_column_is_kept_to_half_a_step_between_its_ends(publisher: Publisher) -> None:
    header, payload = levels()
    header.session = "00000000"
    message = decode([topic_of(header), encode_header(header), payload])
    assert message.columns is not None
    inside = (COLUMNS >= -5) & (COLUMNS <= 255 / 24 - 5)
    assert np.abs(message.columns / 24.0 - 5 - COLUMNS)[inside].max() <= 0.5 / 24 + 1e-6
    assert message.columns[0, 0] == 0
    assert message.columns[-1, -1] == 255
    assert as_json(message)["columns"][0][0] == 0


def test_a_kind_that_does_not_exist_cannot_be_followed(subscribe: Subscribe) -> None:
    with pytest.raises(InputError, match="levels"):
        subscribe().follow("yard", ["level"])
