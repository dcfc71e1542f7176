"""One run of an archive: what there is to do, who does it, and what came of it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from streamtag.archive.folder import Run, find_done, open_run, remove_replaced
from streamtag.archive.inputs import Recording, Shard, recordings
from streamtag.archive.parquet import ModelId, name_of
from streamtag.archive.rows import Row
from streamtag.errors import StreamtagError

__all__ = ["Finished", "Outcome", "Tagging", "archive"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finished:
    """A recording that has its row, in a part or soon to be."""

    path: str
    """As it stands in its row."""
    bytes: int
    """How large it was when it was found."""
    seconds: float
    error: str | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, recording: Recording, row: Row) -> "Finished":
        """Return what is told of a row."""
        return cls(name_of(recording.path), recording.state.bytes or 0, row.seconds or 0.0, row.error, row.notes)


class Tagging(Protocol):
    """Whatever tags recordings and writes their rows: processes here, or a cluster."""

    def __call__(self, run: Run, model: ModelId, todo: Sequence[Recording]) -> Iterator[Finished | None]:
        """Tag recordings in any order; what is yielded is written when the iterator ends, or is closed.

        Yields None now and then while nothing is finished.

        Raises:
            OSError: the folder cannot be written.
            StreamtagError: nothing can be tagged.
        """
        ...


@dataclass(slots=True)
class Outcome:
    """What a run did."""

    found: int = 0
    """Recordings of the shard."""
    bytes: int = 0
    """How large those are that were to be tagged."""
    done_before: int = 0
    tagged: int = 0
    failed: int = 0
    """Recordings whose rows hold an error."""
    bytes_done: int = 0
    seconds: float = 0.0
    """Of sound that was tagged."""
    problems: list[str] = field(default_factory=list)
    """What was named and holds no recording."""
    is_whole: bool = False
    """Whether nothing is left to do."""

    @property
    def todo(self) -> int:
        """How many recordings were to be tagged."""
        return self.found - self.done_before


def archive(
    names: list[str],
    folder: Path,
    model: ModelId,
    tagging: Tagging,
    *,
    shard: Shard,
    stop: Callable[[], bool],
    on_step: Callable[[Outcome, Finished | None], None],
) -> Outcome:
    """Tag what is not done yet, and write it.

    Args:
        names: files, folders and `@LIST`s.
        folder: the archive's.
        model: what tags.
        tagging: who does it.
        shard: which part of the recordings.
        stop: whether to end, asked now and then.
        on_step: told how far the work is: once it begins, and for each recording.

    Raises:
        ConfigError: a list cannot be read.
        StreamtagError: the folder cannot be used, or nothing can be tagged.
        OSError: the folder cannot be written any more; what is whole stays.
    """
    outcome = Outcome()
    with open_run(folder, shard) as run:
        done = find_done(folder, model)
        todo = []
        for each in recordings(names, shard):
            if isinstance(each, str):
                outcome.problems.append(each)
                continue
            outcome.found += 1
            if done.has(name_of(each.path), each.state):
                outcome.done_before += 1
            else:
                todo.append(each)
                outcome.bytes += each.state.bytes or 0
            if stop():
                return outcome
        if not outcome.found and not outcome.problems and shard.of == 1:
            raise StreamtagError("there are no recordings to tag: the list is empty")
        on_step(outcome, None)
        if todo:
            _tag(tagging(run, model, todo), outcome, stop, on_step)
        outcome.is_whole = outcome.tagged + outcome.failed == len(todo)
        if removed := remove_replaced(folder, model, done.again):
            logger.info("%d rows of recordings that were tagged again are removed", removed)
    return outcome


def _tag(
    steps: Iterator[Finished | None],
    outcome: Outcome,
    stop: Callable[[], bool],
    on_step: Callable[[Outcome, Finished | None], None],
) -> None:
    for step in steps:
        if step is not None:
            outcome.bytes_done += step.bytes
            outcome.seconds += step.seconds
            outcome.failed += step.error is not None
            outcome.tagged += step.error is None
        on_step(outcome, step)
        if stop():
            steps.close()  # type: ignore[attr-defined]
            return
