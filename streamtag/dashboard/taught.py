"""What the page needs to learn and to find: the history, the model, its taught labels, and what embeds recordings."""

from collections.abc import Callable
from pathlib import Path

from streamtag.bundle import Bundle
from streamtag.errors import StreamtagError
from streamtag.history import HistoryReader
from streamtag.settings import Config
from streamtag.tagging import TaggingPool
from streamtag.teaching import Teacher

__all__ = ["Taught"]


class Taught:
    """Opens what is asked for when it is asked for: files come, go and are replaced."""

    def __init__(self, config: Config, pool: Callable[[], TaggingPool]) -> None:
        """Prepare; nothing is opened yet.

        Args:
            config: where history and taught labels lie, and the model.
            pool: gives what embeds recordings, and starts it first where it must.
        """
        self._config = config
        self._pool = pool
        self.history = Path(config.history.path) if config.history.path else None
        self.reader = HistoryReader(self.history) if self.history else None
        self._opened: Bundle | None = None

    @property
    def embedder(self) -> str:
        """What names the model's embeddings.

        Raises:
            BundleError: there is no such model, or it is damaged.
        """
        return self._bundle().embedder

    def teacher(self) -> Teacher:
        """Return what makes and keeps the model's taught labels.

        Raises:
            BundleError: there is no such model, or it is damaged.
            StreamtagError: nobody said where they are kept.
        """
        teacher = self.teacher_if_any()
        if teacher is None:
            raise StreamtagError("nothing can be taught without a configuration: start this page with --config")
        return teacher

    def teacher_if_any(self) -> Teacher | None:
        """Return what makes and keeps the model's taught labels, None where nobody said where they are kept.

        Raises:
            BundleError: there is no such model, or it is damaged.
        """
        folder = self._config.model.heads
        return None if folder is None else Teacher(Path(folder), self._bundle())

    def pool(self) -> TaggingPool:
        """Return what embeds recordings, in processes that may die."""
        return self._pool()

    def why_no_embedding(self) -> str:
        """Say why the history may hold no embedding of an event."""
        if not self._config.history.embeddings:
            return "The history keeps no embeddings: [history] embeddings = true lets moments be compared from then on."
        return "The history kept no embedding of this event: it is from before they were kept, or of another model."

    def _bundle(self) -> Bundle:
        if self._opened is None:
            self._opened = Bundle.open(self._config.model.bundle)
        return self._opened
