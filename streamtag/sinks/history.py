"""The history as a sink of the service: what it is told of events, states and sound."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from streamtag.audio import Patch
from streamtag.events import EventRules
from streamtag.history import History, raised
from streamtag.settings import Config
from streamtag.sinks.sink import Embedding, SinkMessage
from streamtag.wire.messages import EventHeader, HistoryState, ScoresHeader, ServiceHeader, StatusHeader

__all__ = ["HistorySink", "open_sink"]

_HEARD: Final = frozenset({"starting", "live"})


def open_sink(config: Config) -> "HistorySink":
    """Make the sink of a configuration that wants it."""
    assert config.history.path is not None
    return HistorySink(config, config.history.path)


class HistorySink:
    """Keeps events, and the sound around their onsets where the settings say so."""

    name = "history"

    def __init__(self, config: Config, path: str) -> None:
        self._history = History(Path(path), config.history)
        self._left_out: frozenset[str] = frozenset()
        self._protects = config.history.clips and bool(config.history.no_clip_when)
        # By the hash of a stream's labels, the rows of those of `no_clip_when`, and their `off`.
        self._protected: dict[str, list[tuple[int, float]]] = {}
        self._heard: dict[str, Patch] = {}  # by stream, the patch whose scores come next
        self.wants_embeddings = config.history.embeddings
        self._rules: tuple[EventRules, ...] = ()
        self._raised: Mapping[str, Mapping[str, float]] = {}
        self._raised_by: tuple[object, object] = ((), ())  # what it was found by

    @property
    def kinds(self) -> frozenset[str]:
        """Events and states; and scores where they decide which sound may be kept."""
        return frozenset({"event", "status", "scores"} if self._protects else {"event", "status"})

    @property
    def restarts(self) -> int:
        """How often the history's thread failed in a way that nobody foresaw, and went on."""
        return self._history.restarts

    @property
    def raised(self) -> Mapping[str, Mapping[str, float]]:
        """By stream and label, the `on` to which people's verdicts raise it; taught labels learn by themselves."""
        verdicts, rules = self._history.verdicts, self._rules
        if (verdicts, rules) != self._raised_by:
            found: dict[str, dict[str, float]] = {}
            for rule in rules:
                taught = frozenset(rule.labels.taught)
                on = {
                    name: each.on
                    for name, each in zip(rule.labels.names, rule.of_label, strict=True)
                    if name not in taught
                }
                for each in raised(verdicts, on):
                    found.setdefault(each.stream, {})[each.label] = each.on
            self._raised, self._raised_by = found, (verdicts, rules)
        return self._raised

    def start(self) -> None:
        """Open the file, in a thread; where it cannot be opened the log says so."""
        self._history.start()

    def go_by(self, config: Config, rules: Iterable[EventRules]) -> None:
        """Take over which streams are kept out of it, and from which scores on a label keeps sound out of it."""
        self._left_out = frozenset(stream.id for stream in config.streams if not stream.keep)
        self._rules = rules = tuple(rules)
        wanted = config.history.no_clip_when
        self._protected = {
            each.labels.hash: [(row, each.off[row]) for row, label in enumerate(each.labels.names) if label in wanted]
            for each in rules
        }

    def hear(self, stream: str, patch: Patch, embedding: Embedding | None = None) -> None:
        """Take in sound, for clips, and what the network made of it."""
        if stream in self._left_out:
            return
        if embedding is not None:
            self._history.embedding(stream, patch, *embedding)
        if self._protects:
            self._heard[stream] = patch
        else:
            self._history.patch(stream, patch)

    def take(self, message: SinkMessage) -> None:
        """Keep an onset or an end; let go of the sound of a stream that is not heard any more."""
        match message.header:
            case ScoresHeader() as scored if message.patch is not None:
                patch = self._heard.pop(scored.stream, None)
                if patch is not None:
                    scores = message.patch
                    is_protected = any(scores[row] >= off for row, off in self._protected.get(scored.labels_hash, ()))
                    self._history.patch(scored.stream, patch, is_protected=is_protected)
            case EventHeader(offset=None) as event if event.stream not in self._left_out:
                time = event.time if event.onset_time is None else event.onset_time
                self._history.begin(event.stream, event.id, event.label, event.onset, event.peak, time)
            case EventHeader(offset=float(offset)) as event:
                self._history.end(event.stream, event.id, offset, event.peak)
            case StatusHeader() as status if status.state not in _HEARD:
                self._history.leave(status.stream)

    def settle(self, seconds: float) -> bool:
        """Wait for what came to be in the file."""
        return self._history.settle(seconds)

    def describe(self, header: ServiceHeader) -> None:
        """Say whether events are kept."""
        header.history = HistoryState(*self._history.fares)

    def stop(self, seconds: float) -> None:
        """Write what waits and close the file."""
        self._history.stop(seconds)
