"""How far an archive is, for a person who looks on."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamtag.cli.output import note
from streamtag.event_tables import on_one_line

if TYPE_CHECKING:
    from streamtag.archive.job import Finished, Outcome

__all__ = ["progress"]

Step = Callable[["Outcome", "Finished | None"], None]


@contextmanager
def progress() -> Iterator[Step]:
    """Yield what shows how far the work is; what was wrong with a recording is told in any case."""
    if not sys.stderr.isatty():
        yield lambda _, finished: _remark(finished)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.fields[told]}"), TextColumn("left"), TimeRemainingColumn())
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("archive", total=None, told="looking for recordings")

        def step(outcome: "Outcome", finished: "Finished | None") -> None:
            _remark(finished)
            count = outcome.tagged + outcome.failed
            speed = outcome.seconds / max(time.monotonic() - began, 1e-9)
            told = f"{count:,} of {outcome.todo:,} recordings, {outcome.seconds / 3600:.1f} h of sound, {speed:,.0f}x"
            # By bytes: recordings may be of very different lengths.
            shown.update(task, total=outcome.bytes + outcome.todo, completed=outcome.bytes_done + count, told=told)

        yield step


def _remark(finished: "Finished | None") -> None:
    if finished is not None:
        for remark in finished.notes:
            note(f"{on_one_line(finished.path)}: {remark}")
