"""Settings for small services, and waiting for what they publish."""

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamtag.settings import (
    Config,
    EventSettings,
    HistorySettings,
    ModelSettings,
    PageSettings,
    ScoreSettings,
    ServiceSettings,
    Stream,
)
from streamtag.wire import Message, Subscriber

ANY_PORT = "tcp://127.0.0.1:*"
WAIT_SECONDS = 20.0
"""Long enough for a machine that is busy with something else; a test that waits so long fails."""


def config(
    bundle: Path,
    *,
    streams: tuple[Stream, ...] = (),
    max_streams: int = 100,
    processes: int = 1,
    rolling: int = 5,
    events: EventSettings | None = None,
    history: HistorySettings | None = None,
    page: PageSettings | None = None,
    models: dict[str, Path] | None = None,
    groups: dict[str, tuple[str, ...]] | None = None,
    **model: Any,
) -> Config:
    """Settings of a service at any free ports."""
    return Config(
        service=ServiceSettings(endpoint=ANY_PORT, input=ANY_PORT, max_streams=max_streams, processes=processes),
        model=ModelSettings(bundle=str(bundle), **{"runtime": "onnxruntime", **model}),
        models={name: ModelSettings(bundle=str(each), runtime="onnxruntime") for name, each in (models or {}).items()},
        groups=groups or {},
        scores=ScoreSettings(rolling=rolling),
        events=events or EventSettings(),
        history=history or HistorySettings(),
        page=page or PageSettings(),
        streams=streams,
    )


class Listener:
    """Keeps all that it hears, so that a test can wait for a message and then look at those before it."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.heard: list[Message] = []
        self._by_topic: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
        self._subscriber = subscriber

    def until(self, found: Callable[[Message], object], seconds: float = WAIT_SECONDS) -> Message:
        """Hear until a message that `found` likes, which is returned; fail when none comes."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self._subscriber.receive(left)
            if message is None:
                break
            self._keep(message)
            if found(message):
                return message
        raise AssertionError(f"not heard in {seconds} s, but {[brief(message) for message in self.heard[-20:]]}")

    def state(self, stream: str, state: str) -> Message:
        """Hear until a stream's status tells this state."""
        return self.until(lambda message: brief(message) == ("status", stream, state))

    def states_of(self, state: str, *streams: str) -> None:
        """Hear until each of these streams was in a state."""

        def told() -> set[str]:
            return {message.header["stream"] for message in self.of("status") if message.header["state"] == state}

        if not told() >= set(streams):
            self.until(lambda _: told() >= set(streams))

    def patches(self, stream: str, count: int) -> list[Message]:
        """Hear until so many patches of a stream were scored since the beginning; return all of them."""
        if len(self.scores(stream)) < count:
            self.until(lambda _: len(self.scores(stream)) >= count)
        return self.scores(stream)

    def scores(self, stream: str) -> list[Message]:
        return self.of("scores", stream)

    def of(self, kind: str, stream: str | None = None) -> list[Message]:
        """What was heard of a kind, and of a stream."""
        if stream is not None:
            return self._by_topic[kind, stream]
        return [message for message in self.heard if message.header["kind"] == kind]

    def states(self, stream: str) -> list[str]:
        """The states that a stream went through, repeated messages left out."""
        states: list[str] = []
        for message in self.of("status", stream):
            if states[-1:] != [message.header["state"]]:
                states.append(message.header["state"])
        return states

    def rest(self, quiet_seconds: float = 0.3) -> None:
        """Hear what still comes, until it is quiet: in steps, so that a machine that is held up for one is not."""
        quiet_steps = 0
        while quiet_steps < 10:
            message = self._subscriber.receive(quiet_seconds / 10)
            if message is None:
                quiet_steps += 1
            else:
                quiet_steps = 0
                self._keep(message)

    def during(self, seconds: float) -> None:
        """Hear what comes in so many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and (message := self._subscriber.receive(left)) is not None:
            self._keep(message)

    def close(self) -> None:
        self._subscriber.close()

    def _keep(self, message: Message) -> None:
        self.heard.append(message)
        self._by_topic[brief(message)[:2]].append(message)


def brief(message: Message) -> tuple[str, str, str]:
    header = message.header
    return header["kind"], header.get("stream", ""), str(header.get("state", ""))
