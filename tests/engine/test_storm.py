"""Reloads, pushed sound and subscribers at once, over the whole service."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamtag.engine import Service
from streamtag.settings import Stream
from streamtag.wire import PcmPusher
from tests.engine.listening import Listener, config
from tests.sounds import noise, tone, write


def push_anything(service: Service, seed: int, over: threading.Event) -> None:
    """Push, jump and end streams of changing names and rates, some of which the configuration has too."""
    chance = random.Random(seed)
    with PcmPusher(service.input_endpoint or "") as pusher:
        while not over.wait(0.02 * chance.random()):
            name = chance.choice(["a", "b", "c", "d", f"own{seed}"])
            if chance.random() < 0.15:
                pusher.end(name)
            else:
                rate = chance.choice([16000, 48000])
                start = chance.choice([None, None, None, chance.randrange(10**6)])
                pusher.push(name, noise(chance.choice([0.1, 0.5, 1.3]), rate), rate, start)


def heard(listener: Listener) -> set[str]:
    """The streams that were scored."""
    return {message.header["stream"] for message in listener.of("scores")}


def check_order(listener: Listener, stream: str) -> None:
    """What one name's messages must keep to, whatever streams had it one after the other."""
    state, newest, on = "", -1.0, set[int]()
    numbers: dict[str, list[int]] = {"status": [], "scores": [], "event": []}
    for message in listener.heard:
        header = message.header
        if header.get("stream") != stream:
            continue
        numbers[header["kind"]].append(header["seq"])
        if header["kind"] == "status":
            state = header["state"]
            if state in ("starting", "ended"):
                assert not on
                newest = -1.0
        elif header["kind"] == "scores":
            assert state == "live"
            assert header["start"] > newest
            newest = header["start"]
        elif header["state"] == "on":
            on.add(header["id"])
        else:
            on.remove(header["id"])
    assert state == "ended"
    assert all(seqs == list(range(len(seqs))) for seqs in numbers.values())


def test_a_storm_of_changes_leaves_every_name_in_order(
    begin: Callable[..., tuple[Service, Listener]], tiny: Path, tmp_path: Path
) -> None:
    whistle = str(write(tmp_path / "whistle.wav", tone(9.6, 2900)))
    hum = str(write(tmp_path / "hum.wav", tone(3, 300, 48000), 48000))
    service, listener = begin()
    over = threading.Event()
    pushing = [threading.Thread(target=push_anything, args=(service, seed, over)) for seed in range(2)]
    for thread in pushing:
        thread.start()
    try:
        chance = random.Random(7)
        begun = time.monotonic()
        # On a machine that is busy some name may not have been heard yet.
        kinds: list[dict[str, Any] | None]
        kinds = [{"source": whistle, "loop": True}, {"source": hum}, {"source": "zmq:"}, None]
        while (lasted := time.monotonic() - begun) < 4 or (lasted < 150 and not heard(listener) >= set("abcd")):
            drawn = {name: chance.choice(kinds) for name in "abcd"}
            streams = tuple(Stream(id=name, **kind) for name, kind in drawn.items() if kind)
            service.reload(config(tiny, streams=streams, rolling=chance.choice([1, 5])))
            listener.during(0.1)
    finally:
        over.set()
        for thread in pushing:
            thread.join()
    service.stop()
    listener.rest()
    streams_heard = heard(listener)
    assert streams_heard >= set("abcd")
    for stream in streams_heard:
        check_order(listener, stream)
