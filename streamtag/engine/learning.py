"""What people taught a service while it runs: taught labels in a folder, and thresholds that verdicts raise."""

import logging
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streamtag.heads import Head, Heads, read_heads
from streamtag.labels import LabelSet
from streamtag.threads import Worker

__all__ = ["Learning", "Learnt"]

_LOOK_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt at a time.

    Attributes:
        heads: the taught labels, of whatever models, in the order of their names.
        raised: by stream and label, the `on` to which verdicts raise it.
    """

    heads: Sequence[Head] = ()
    raised: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, labels: LabelSet, embedder: str, groups: Collection[str]) -> Heads | None:
        """Return what scores a model's taught labels; None where it has none.

        Args:
            labels: the model's labels, whose names are taken.
            embedder: what names its embeddings.
            groups: names that are taken too.
        """
        return Heads.of(self.heads, embedder, {*labels.of_model, *groups})


class Learning:
    """Looks twice a second whether anything was taught or judged, in a thread of its own, for a disk may hang.

    Attributes:
        learnt: what there is now.
    """

    def __init__(
        self, folder: Path, raised: Callable[[], Mapping[str, Mapping[str, float]]], changed: Callable[[Learnt], None]
    ) -> None:
        """Read what there is; `start` starts looking.

        Args:
            folder: where taught labels are.
            raised: tells which thresholds verdicts raise, at once.
            changed: is told when there is something else; what it cannot use it refuses in a line of the log.
        """
        self._folder = folder
        self._raised = raised
        self._changed = changed
        self._seen = self._look()
        self.learnt = Learnt(self._read())
        self._stopping = threading.Event()
        self._worker = Worker("learning", self._run)

    @property
    def restarts(self) -> int:
        """How often the thread failed in a way that nobody foresaw, and went on."""
        return self._worker.restarts

    def start(self) -> None:
        """Start looking."""
        self._worker.start()

    def stop(self) -> None:
        """Look no more; the thread ends by itself."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            seen, raised = self._look(), self._raised()
            if seen == self._seen and raised == self.learnt.raised:
                continue
            heads = self.learnt.heads if seen == self._seen else self._read()
            self._seen = seen
            self.learnt = Learnt(heads, raised)
            self._changed(self.learnt)

    def _look(self) -> list[tuple[str, int, int, int]]:
        try:
            with os.scandir(self._folder) as entries:
                found = [(each.name, each.stat()) for each in entries if not each.name.startswith(".")]
        except OSError:
            return []
        return sorted((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in found)

    def _read(self) -> list[Head]:
        heads, errors = read_heads(self._folder)
        for error in errors:
            logger.warning("%s", error)
        return heads
