"""What the page needs to learn and to find: the history, the models and their taught labels, what embeds recordings."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from streamtag.bundle import Bundle
from streamtag.config import load_config
from streamtag.events import thresholds_of
from streamtag.heads import Head
from streamtag.history import HistoryReader, Raise, Verdict, raised
from streamtag.settings import Config, ModelSettings
from streamtag.tagging import TaggingPool
from streamtag.teaching import Teacher

__all__ = ["Taught"]


class Taught:
    """Opens what is asked for when it is asked for. What is said of a stream is said of the model that scores it."""

    def __init__(self, config: Config, pool: Callable[[], TaggingPool]) -> None:
        """Prepare; nothing is opened yet.

        Args:
            config: where history and taught labels lie, and the models.
            pool: gives what embeds recordings by `[model]`, and starts it first where it must.
        """
        self._config = config
        self._pool = pool
        self.history = Path(config.history.path) if config.history.path else None
        self.reader = HistoryReader(self.history) if self.history else None
        self._models = {stream.id: stream.model for stream in config.streams if stream.model in config.models}
        self._bundles: dict[str, Bundle] = {}
        self._pools: dict[str, TaggingPool] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the processes that this started."""
        for pool in self._pools.values():
            pool.close()

    def embedder(self, stream: str = "") -> str:
        """Return what names the embeddings of a stream's model; of `[model]` where the stream is not configured.

        Raises:
            BundleError: there is no such model, or it is damaged.
        """
        return self._bundle(stream).embedder

    def teacher(self, stream: str = "") -> Teacher:
        """Return what makes and keeps the taught labels of a stream's model.

        Raises:
            BundleError: there is no such model, or it is damaged.
        """
        return Teacher(self._config.heads_folder, self._bundle(stream), self._config.groups)

    def embedders(self) -> dict[str, str]:
        """Return what names the embeddings of each model, with a stream that it scores; empty: `[model]`'s.

        Raises:
            BundleError: there is no such model, or it is damaged.
        """
        return {self.embedder(stream): stream for stream in (*self._models, "")}

    def teacher_of(self, head: Head) -> Teacher:
        """Return what can teach a label again: of the model that it was taught, as far as it is configured.

        Raises:
            BundleError: there is no such model, or it is damaged.
        """
        return self.teacher(self.embedders().get(head.embedder, ""))

    def pool(self, stream: str = "") -> TaggingPool:
        """Return what embeds recordings by a stream's model, in processes that may die.

        Raises:
            BundleError: there is no such model, or it is damaged.
        """
        name = self._models.get(stream)
        if name is None:
            return self._pool()
        with self._lock:
            if name not in self._pools:
                self._pools[name] = TaggingPool(self._config.models[name].bundle)
            return self._pools[name]

    def stream_of(self, event: int | None = None, moment: int | None = None) -> str:
        """Return the stream of an event or of a moment, empty where there is none.

        Raises:
            HistoryError: the history cannot be read.
        """
        if self.reader is None:
            return ""
        found = self.reader.event(event) if event is not None else None
        heard = self.reader.heard(moment=moment) if moment is not None else None
        return found.stream if found is not None else heard.stream if heard is not None else ""

    def raised(self, verdicts: Sequence[Verdict]) -> list[Raise]:
        """Return the thresholds that verdicts raise, by the configuration as it is now.

        Raises:
            BundleError: there is no such model, or it is damaged.
            ConfigError: the configuration cannot be read.
        """
        path = self._config.path
        events = (load_config(path) if path else self._config).events
        taught = {head.name for head in self.teacher().heads()}
        found: list[Raise] = []
        for stream in sorted({verdict.stream for verdict in verdicts}):
            asked = self._bundle(stream).label_set.thresholds
            said = [verdict for verdict in verdicts if verdict.stream == stream and verdict.label not in taught]
            on = {verdict.label: thresholds_of(verdict.label, events, asked).on for verdict in said}
            found += raised(said, on)
        return found

    def why_no_embedding(self) -> str:
        """Say why the history may hold no embedding of an event."""
        if not self._config.history.embeddings:
            return "The history keeps no embeddings: [history] embeddings = true lets moments be compared from then on."
        return "The history kept no embedding of this event: it is from before they were kept, or of another model."

    def _settings(self, stream: str) -> ModelSettings:
        name = self._models.get(stream)
        return self._config.model if name is None else self._config.models[name]

    def _bundle(self, stream: str) -> Bundle:
        name = self._settings(stream).bundle
        if name not in self._bundles:
            self._bundles[name] = Bundle.open(name)
        return self._bundles[name]
