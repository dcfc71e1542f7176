import argparse
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands, count, read_config
from streamtag.cli.formats import FORMATS, Tagged
from streamtag.cli.recordings import Recording, find
from streamtag.cli.results import Results
from streamtag.errors import ConfigError, StreamtagError
from streamtag.redaction import redact
from streamtag.runtime_kinds import RUNTIME_NAMES

if TYPE_CHECKING:
    from streamtag.settings import Config
    from streamtag.tagging import TaggingPool

__all__ = ["add"]

_AHEAD = 4  # results that may wait, for each job, until those before them are shown


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "tag",
        help="tag files and folders",
        description="Tag recordings, anything that FFmpeg reads; folders are searched for them. With --config the "
        "file's [model] and [events] hold.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a recording, or a folder of recordings")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write one file a recording into this folder")
    parser.add_argument("--jobs", metavar="N", type=count, help="recordings at a time (default: one for each core)")
    parser.add_argument("--top", metavar="K", type=count, default=5, help="show the K best labels (default: 5)")
    parser.add_argument("--bundle", metavar="BUNDLE", help="the model: a packaged name, or a path")
    parser.add_argument("--runtime", choices=RUNTIME_NAMES, help="what runs the model (default: auto)")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    form = FORMATS[options.format]
    recordings = list(find(options.files))
    if form.one_recording and len(recordings) > 1 and options.output is None:
        raise ConfigError(f"--format {options.format} holds one recording a file: say where with --output DIR")
    jobs = min(options.jobs or len(os.sched_getaffinity(0)), len(recordings))
    pool = _open_pool(options, read_config(options), jobs)
    results = Results(form, options.output)

    def tag(recording: Recording) -> Tagged:
        if recording.problem:
            return Tagged(recording.name, None, error=recording.problem)
        try:
            return Tagged(recording.name, pool.tag(recording.name), top=options.top)
        except StreamtagError as error:
            shown = redact(recording.name)  # what is not there may be a URL with a password
            return Tagged(shown, None, error=str(error).removeprefix("file:"))

    with closing(pool), _progress(len(recordings)) as step:
        for recording, tagged in zip(recordings, _in_order(tag, recordings, jobs), strict=True):
            results.show(recording, tagged)
            step()
    return 1 if results.failed else 0


def _open_pool(options: argparse.Namespace, config: "Config", jobs: int) -> "TaggingPool":
    from streamtag.config import check_labels
    from streamtag.tagging import TaggingPool

    bundle, runtime = options.bundle or config.model.bundle, options.runtime or config.model.runtime
    heads = config.heads_folder
    pool = TaggingPool(bundle, runtime, events=config.events, groups=config.groups, heads=heads, processes=jobs)
    check_labels(config, [*pool.model_labels, *pool.taught])
    pool.start()
    return pool


def _in_order(tag: Callable[[Recording], Tagged], recordings: Sequence[Recording], jobs: int) -> Iterator[Tagged]:
    """Tag `jobs` recordings at a time and yield the results in the order of the recordings."""
    executor = ThreadPoolExecutor(jobs, "streamtag-tag")
    waiting: deque[Future[Tagged]] = deque()
    try:
        for recording in recordings:
            waiting.append(executor.submit(tag, recording))
            if len(waiting) >= jobs * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show how far the work is, where a person looks on and there is more than one thing to do."""
    if total == 1 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # Results that go to the same terminal come out above the bar.
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task("tagging", total=total)
        yield lambda: progress.advance(task)
