"""The sound of a stream, where the configuration lets others hear it and while somebody does."""

from collections.abc import Callable

import numpy as np
import pytest

from streamtag.engine import Service
from streamtag.engine.live_sound import LiveSound
from streamtag.settings import PageSettings
from streamtag.wire import AudioHeader, Outgoing, PcmPusher
from streamtag.wire.messages import decode, encode_header, topic_of
from tests.engine.listening import Listener
from tests.sounds import tone

RATE = 16000


def test_what_is_taken_in_is_told_whole_and_in_order() -> None:
    sent: list[Outgoing] = []
    sound = tone(3.0, 440)
    live = LiveSound("desk", sent.extend, lambda stream: stream == "desk")
    for start in range(0, len(sound), 1000):
        live.add_samples(start, sound[start : start + 1000], 100.0 + (start + 1000) / RATE)
    headers = [each.header for each in sent if isinstance(each.header, AudioHeader)]
    assert [(each.start, each.end) for each in headers[:2]] == [(0.0, 0.24), (0.24, 0.48)]
    assert headers[1].time == pytest.approx(100.48)
    for each in sent:
        each.header.session = "00000000"
    messages = [decode([topic_of(each.header), encode_header(each.header), each.payload]) for each in sent]
    heard = np.concatenate([message.samples for message in messages if message.samples is not None])
    np.testing.assert_allclose(heard / 32767, sound[: len(heard)], atol=1e-4)


def test_lost_sound_is_a_jump() -> None:
    sent: list[Outgoing] = []
    live = LiveSound("desk", sent.extend, lambda _: True)
    live.add_samples(0, np.zeros(5000, np.float32), 1.0)
    live.add_samples(16000, np.zeros(5000, np.float32), 2.0)
    assert [each.header.start for each in sent if isinstance(each.header, AudioHeader)] == [0.0, 1.0]


@pytest.mark.parametrize(("allowed", "stream"), [(True, "desk"), (False, "desk"), (True, "browser-abc")])
def test_nobody_hears_a_stream_that_is_private_or_where_it_is_not_allowed(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
    allowed: bool,
    stream: str,
) -> None:
    service = serve(page=PageSettings(listen=allowed))
    watcher = listen(service, streams=[stream], kinds=["audio", "levels", "status"])
    pusher = push(service)
    pusher.push(stream, tone(0.1), RATE)
    watcher.state(stream, "live")
    pusher.push(stream, tone(3.0), RATE)
    pusher.end(stream)
    watcher.state(stream, "ended")
    assert watcher.of("levels", stream)
    assert bool(watcher.of("audio", stream)) == (allowed and stream == "desk")
