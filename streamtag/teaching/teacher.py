"""Makes and keeps the taught labels of one model."""

import fcntl
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamtag.bundle import Bundle
from streamtag.errors import HistoryError, InputError
from streamtag.heads import (
    Examples,
    Head,
    HeadError,
    check_name,
    head_file,
    read_head,
    read_heads,
    remove_head,
    write_head,
)
from streamtag.history import HistoryReader, read_verdicts
from streamtag.teaching.background import background
from streamtag.teaching.fitting import directions, fit, some

__all__ = ["Teacher"]

_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
_MOST_WEAK: Final = 1000
_LIKE: Final = 0.6
"""Cosine from which on, seen from the middle of all sound, what was heard may be the taught sound itself."""


class Teacher:
    """The taught labels of a model in a folder.

    Attributes:
        folder: where they are kept, `[model] heads`; made when the first is taught.
        embedder: what names the model's embeddings.
        labels: the model's own labels, whose names are taken.
    """

    def __init__(self, folder: Path, bundle: Bundle, taken: Collection[str] = ()) -> None:
        """Take a folder and a model; nothing is read yet.

        Args:
            folder: where taught labels are kept.
            bundle: the model.
            taken: names that no taught label may have beside the model's labels: the configuration's groups.
        """
        self.folder = folder
        self.embedder = bundle.embedder
        self.labels = bundle.labels
        self._bundle = bundle
        self._taken = [*bundle.labels, *taken]

    def teach(
        self, name: str, positives: Examples, negatives: Examples | None = None, history: Path | None = None
    ) -> Head:
        """Make or replace a taught label; a running service takes it over within 2 s.

        Args:
            name: the label, which no label of the model has.
            positives: what is the label, one window at least; ten recordings from different days would be good.
            negatives: what is not.
            history: other sound is taken from here, and what people said of the label's events; what the model brings
                along stands in where it keeps no embeddings.

        Returns:
            The head that was made. Its `figures.words` say how sure it is, `on` is the score from which on it fires.

        Raises:
            InputError: the name cannot be used or is taken, or there is no example that can be heard.
            HeadError: the examples cannot be told from what they are not, or the extra `teach` is not installed.
            OSError: the disk is full, or the folder cannot be written to; what was there stays.
        """
        name = self.checked(name)
        with self._alone():
            return self._teach(name, positives, negatives or Examples.none(), history)

    def teach_again(self, name: str, history: Path) -> Head:
        """Make a taught label anew from its examples and from what people said since.

        Raises:
            HeadError: there is no such label, or it is another model's; or as `teach`.
            OSError: as `teach`.
        """
        with self._alone():
            head = read_head(head_file(self.folder, name))
            if head.embedder != self.embedder:
                raise HeadError(f"{name} was taught another model: teach it again by its examples")
            return self._teach(name, head.positives, head.negatives, history)

    def knows(self, name: str) -> bool:
        """Whether a label of this name was taught."""
        return head_file(self.folder, name).is_file()

    def heads(self) -> list[Head]:
        """Return the taught labels by name, those of other models too; what is damaged is left out."""
        return read_heads(self.folder)[0]

    def remove(self, name: str) -> bool:
        """Remove a taught label, and tell whether there was one.

        Raises:
            OSError: the folder cannot be written to.
        """
        return remove_head(self.folder, name)

    def _teach(self, name: str, positives: Examples, negatives: Examples, history: Path | None) -> Head:
        right, wrong = self._said(name, history)
        said = len(right.sources) + len(wrong.sources)
        weak = self._weak(history, positives)
        fitted = fit(positives + right, negatives + wrong, weak, verdicts=said)
        head = Head(
            name=name,
            embedder=self.embedder,
            weights=fitted.weights,
            bias=fitted.bias,
            on=fitted.on,
            off=fitted.off,
            figures=fitted.figures,
            positives=some(positives),
            negatives=some(negatives),
        )
        write_head(self.folder, head)
        return head

    def checked(self, name: str) -> str:
        """Return a name that a label may be taught under, without space around it.

        Raises:
            InputError: it cannot be used, or the model or a group has it.
        """
        name = check_name(name)
        same = [each for each in self._taken if each.casefold() == name.casefold()]
        if same:
            raise InputError(f"{name}: the model has a label {same[0]!r}: choose another name")
        return name

    def _said(self, name: str, history: Path | None) -> tuple[Examples, Examples]:
        """Return what people said is the label, and what they said is not."""
        said = [] if history is None else read_verdicts(history, label=name)
        usable = [each for each in said if each.vector is not None and each.embedder == self.embedder]
        found = []
        for is_right in (True, False):
            kind = [each for each in usable if each.is_right == is_right]
            vectors = np.array([each.vector for each in kind], np.float32)
            found.append(Examples(vectors, [f"{each.stream} {int(each.time // 60)}" for each in kind]))
        return found[0], found[1]

    def _weak(self, history: Path | None, positives: Examples) -> NDArray[np.float32]:
        """Return other sound: what was heard here, as far as there is any, and what is heard everywhere.

        What was heard here and is like the examples may be the very sound, and is left out.
        """
        heard = self._heard(history)
        everywhere = background(self._bundle)
        if not len(heard) or not len(positives.sources):
            return everywhere
        middle = everywhere.mean(axis=0)
        likeness = (directions(heard - middle) @ directions(positives.vectors - middle).T).max(axis=1)
        return np.concatenate([heard[likeness < _LIKE], everywhere])

    def _heard(self, history: Path | None) -> NDArray[np.float32]:
        try:
            kept = None if history is None else HistoryReader(history).embeddings(self.embedder)
        except HistoryError:
            kept = None  # there is none yet
        if kept is None or not len(kept):
            return np.empty((0, 0), np.float32)
        return kept.rows(np.linspace(0, len(kept) - 1, min(len(kept), _MOST_WEAK)).round().astype(np.intp))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one teach at a time: whoever comes second goes by what the first one left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            deadline = time.monotonic() + _WAIT_SECONDS
            while not _lock(descriptor):
                if time.monotonic() >= deadline:
                    raise HeadError(f"{self.folder}: somebody else has been teaching for a minute; try again")
                time.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks on folders: a head is whole all the same
    return True
