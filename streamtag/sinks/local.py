"""The sinks within a service, told as one."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from streamtag.audio import Patch
from streamtag.events import EventRules
from streamtag.settings import Config
from streamtag.sinks.sink import Embedding, LocalSink, SinkMessage
from streamtag.wire.messages import ServiceHeader

__all__ = ["LocalSinks"]


class LocalSinks:
    """Told first of all that a service publishes, before it goes out; see `LocalSink`."""

    def __init__(self, sinks: Sequence[LocalSink]) -> None:
        self._sinks = sinks
        self._by_kind = {kind: [sink for sink in sinks if kind in sink.kinds] for sink in sinks for kind in sink.kinds}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._sinks)

    def start(self) -> None:
        """Start them all."""
        for sink in self._sinks:
            sink.start()

    def go_by(self, config: Config, rules: Collection[EventRules]) -> None:
        """Have each take over what of a configuration takes effect at once."""
        for sink in self._sinks:
            sink.go_by(config, rules)

    @property
    def raised(self) -> Mapping[str, Mapping[str, float]]:
        """By stream and label, the `on` to which people's verdicts raise it."""
        found: dict[str, Mapping[str, float]] = {}
        for sink in self._sinks:
            found.update(sink.raised)
        return found

    @property
    def want_embeddings(self) -> bool:
        """Whether anybody wants to be given embeddings with the sound."""
        return any(sink.wants_embeddings for sink in self._sinks)

    def hear(self, stream: str, patch: Patch, embedding: Embedding | None = None) -> None:
        """Hand over the sound of a patch, and its embedding where anybody wants it."""
        for sink in self._sinks:
            sink.hear(stream, patch, embedding)

    def takes(self, kind: str) -> bool:
        """Tell whether anybody takes messages of a kind."""
        return kind in self._by_kind

    def take(self, messages: Iterable[SinkMessage]) -> None:
        """Hand over messages."""
        for message in messages:
            for sink in self._by_kind.get(message.header.kind, ()):
                sink.take(message)

    def settle(self, seconds: float) -> None:
        """Wait until what came outlives the process, where somebody sees to that; at most `seconds` for each."""
        for sink in self._sinks:
            sink.settle(seconds)

    def describe(self, header: ServiceHeader) -> None:
        """Have each write into the service's state how it fares, and how often it began anew."""
        for sink in self._sinks:
            sink.describe(header)
            if sink.restarts:
                header.restarts = {**header.restarts, sink.name: sink.restarts}

    def stop(self, seconds: float) -> None:
        """End them, each within `seconds`."""
        for sink in self._sinks:
            sink.stop(seconds)
