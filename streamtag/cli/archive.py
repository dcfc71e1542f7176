import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streamtag.cli.archive_progress import progress
from streamtag.cli.arguments import Commands, count, read_config
from streamtag.cli.output import note, print_json_line
from streamtag.cli.stopping import Stop
from streamtag.errors import ConfigError, StreamtagError
from streamtag.event_tables import on_one_line
from streamtag.runtime_kinds import RUNTIME_NAMES

if TYPE_CHECKING:
    from streamtag.archive.inputs import Shard
    from streamtag.archive.job import Outcome, Tagging
    from streamtag.archive.parquet import ModelId
    from streamtag.archive.reading import Found
    from streamtag.settings import Config

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "archive",
        help="tag recordings by the hundred thousand into Parquet",
        description="Tag recordings into a folder of Parquet files, one row a recording. Run again it goes on: what is "
        "done is not done again. With --read print what such a folder holds. With --config the file's [model] and "
        "[events] and [groups] hold. Needs the extra 'archive'.",
    )
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="recordings, folders, and @LIST with one a line")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the folder to write into")
    parser.add_argument("--jobs", metavar="N", type=count, help="recordings at a time (default: one for each core)")
    parser.add_argument("--shard", metavar="I/N", type=_shard, help="the I-th of N parts of the recordings alone")
    parser.add_argument("--embeddings", action="store_true", help="write each recording's mean embedding too")
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="on a Ray cluster: local, auto or HOST:PORT of its head (extra 'ray')"
    )
    parser.add_argument("--bundle", metavar="BUNDLE", help="the model: a packaged name, or a path")
    parser.add_argument("--runtime", choices=RUNTIME_NAMES, help="what runs the model (default: auto)")
    parser.add_argument("--read", metavar="DIR", type=Path, help="print what was found instead")
    parser.add_argument("--label", metavar="LABEL", action="append", default=[], help="of this label alone; repeatable")
    parser.add_argument(
        "--min", metavar="SCORE", type=_score, help="wherever it scores so much (default: its events, as judged)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line on a terminal too")
    parser.set_defaults(command=_run)


def _shard(text: str) -> "Shard":
    from streamtag.archive.inputs import Shard

    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no part of a whole, such as 1/4, 2/4, 3/4 or 4/4")
    return Shard(int(found[1]), int(found[2]))


def _score(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a score above 0 and at most 1")
    return value


def _run(options: argparse.Namespace) -> int:
    if (options.read is None) == (options.out is None):
        raise ConfigError("say where to write with --out DIR, or what to read with --read DIR")
    if options.read is not None:
        if options.inputs:
            raise ConfigError("--read DIR reads what was written: it takes no INPUT")
        _read(options)
        return 0
    if options.label or options.min is not None:
        raise ConfigError("--label and --min belong to --read DIR")
    if not options.inputs:
        raise ConfigError("name the recordings: files, folders, or @LIST")
    return _write(options)


def _write(options: argparse.Namespace) -> int:
    from streamtag.archive.inputs import Shard
    from streamtag.archive.job import archive

    stop = Stop()
    began = time.monotonic()
    with ExitStack() as stack:
        model, tagging = stack.enter_context(_open(options, read_config(options)))
        step = stack.enter_context(progress())
        try:
            outcome = archive(
                options.inputs,
                options.out,
                model,
                tagging,
                shard=options.shard or Shard(),
                stop=lambda: bool(stop),
                on_step=step,
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StreamtagError(
                f"{options.out} cannot be written any more: {reason}; what was written stays, run it again to go on"
            ) from error
    _print_outcome(outcome, time.monotonic() - began, as_json=options.json or not sys.stdout.isatty())
    if stop and not outcome.is_whole:
        note("interrupted: run it again to go on")
    return 0 if outcome.is_whole and not outcome.problems else 1


@contextmanager
def _open(options: argparse.Namespace, config: "Config") -> "Iterator[tuple[ModelId, Tagging]]":
    """Yield what the model is called, and what tags with it."""
    from streamtag.archive.here import TaggingHere
    from streamtag.archive.parquet import ModelId
    from streamtag.bundle import Bundle
    from streamtag.config import check_labels
    from streamtag.tagging import TaggingPool

    name, runtime = options.bundle or config.model.bundle, options.runtime or config.model.runtime
    jobs = options.jobs or len(os.sched_getaffinity(0))
    pool = TaggingPool(name, runtime, events=config.events, groups=config.groups, processes=jobs)
    check_labels(config, pool.model_labels)
    model = ModelId.of(Bundle.open(name), pool.labels, embeds=options.embeddings)
    if options.ray:
        from streamtag.archive.cluster import TaggingOnRay
        from streamtag.ray_cluster import ray_cluster

        path = os.path.abspath(name) if os.path.exists(name) else name
        with ray_cluster(options.ray, cpus=options.jobs):
            yield model, TaggingOnRay(path, runtime, config.events, config.groups, options.jobs)
        return
    try:
        yield model, TaggingHere(pool, jobs)
    finally:
        pool.close()


def _print_outcome(outcome: "Outcome", wall_seconds: float, *, as_json: bool) -> None:
    for problem in outcome.problems:
        note(on_one_line(problem))
    left = outcome.todo - outcome.tagged - outcome.failed
    if as_json:
        print_json_line(
            {
                "recordings": outcome.found,
                "done_before": outcome.done_before,
                "tagged": outcome.tagged,
                "failed": outcome.failed,
                "left": left,
                "seconds": round(outcome.seconds, 3),
                "wall_seconds": round(wall_seconds, 3),
            }
        )
        return
    speed = outcome.seconds / max(wall_seconds, 1e-9)
    print(
        f"{outcome.found} recordings: {outcome.done_before} done before, {outcome.tagged} tagged, "
        f"{outcome.failed} that cannot be (their rows say why), {left} left; "
        f"{outcome.seconds / 3600:.1f} hours of sound in {wall_seconds:.0f} s, {speed:.0f} times real time"
    )


def _read(options: argparse.Namespace) -> None:
    from streamtag.archive.reading import find

    found = find(options.read, options.label, options.min)
    if options.json or not sys.stdout.isatty():
        for each in found:
            print_json_line(_as_json(each))
        return
    print(f"{'ONSET':>9} {'OFFSET':>9} {'PEAK':>5}  LABEL, RECORDING")
    for each in found:
        what = on_one_line(f"{each.label}, {each.file}")
        print(f"{each.onset:9.2f} {each.offset:9.2f} {each.peak:5.2f}  {what}")


def _as_json(found: "Found") -> dict[str, object]:
    return {
        "file": found.file,
        "label": found.label,
        "onset": found.onset,
        "offset": found.offset,
        "peak": found.peak,
        "model": found.model,
    }
