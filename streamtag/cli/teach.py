import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands, read_config
from streamtag.cli.output import note, print_json_line, table
from streamtag.errors import ConfigError, StreamtagError
from streamtag.event_tables import on_one_line

if TYPE_CHECKING:
    from streamtag.bundle import Bundle
    from streamtag.heads import Examples, Head
    from streamtag.settings import Config

__all__ = ["add", "examples_of"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "teach",
        help="teach a sound by examples",
        description="Make or replace a taught label: a head on the model's embedding, which a running service takes "
        "over within 2 s. FILE may be PATH@START-END, in seconds. With --config the file's [model] and [history] hold.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="the label")
    parser.add_argument("--like", metavar="FILE", nargs="+", default=[], help="recordings in which it is heard")
    parser.add_argument("--unlike", metavar="FILE", nargs="+", default=[], help="recordings in which it is not")
    parser.add_argument("--model", metavar="M", help="the model: its name, or a bundle's path (default: [model])")
    parser.add_argument(
        "--heads", metavar="DIR", type=Path, help="where taught labels are kept (default: [model] heads)"
    )
    parser.add_argument("--list", action="store_true", help="show the taught labels")
    parser.add_argument("--remove", metavar="NAME", help="remove a taught label")
    parser.add_argument("--json", action="store_true", help="one JSON object for each label")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    config = read_config(options)
    folder = options.heads or config.heads_folder
    if options.list:
        return _list(folder, as_json=options.json)
    if options.remove is not None:
        return _remove(folder, options.remove)
    if not options.name or not options.like:
        raise ConfigError(
            "say what to teach and by what: streamtag teach NAME --like FILE…; or --list, or --remove NAME"
        )
    _show(_teach(options, config, folder), folder, as_json=options.json)
    return 0


def _teach(options: argparse.Namespace, config: "Config", folder: Path) -> "Head":
    from streamtag.teaching import Teacher

    bundle = bundle_of(options.model, config)
    teacher = Teacher(folder, bundle, taken=config.groups)
    name = teacher.checked(options.name)
    both = set(options.like) & set(options.unlike)
    if both:
        raise ConfigError(f"{min(both)}: it is an example and a counter-example; leave out one")
    history = Path(config.history.path) if config.history.path else None
    like, unlike = examples_of([options.like, options.unlike], bundle, config)
    return teacher.teach(name, like, unlike, history)


def bundle_of(model: str | None, config: "Config") -> "Bundle":
    """Return the bundle of `--model`, or else the configuration's."""
    from streamtag.bundle import Bundle

    return Bundle.open(model or config.model.bundle)


def examples_of(groups: "list[list[str]]", bundle: "Bundle", config: "Config") -> "list[Examples]":
    """Return what is heard in recordings that a command line names, group by group.

    Raises:
        SourceError, HeadError: as `streamtag.teaching.read_examples`.
    """
    import os
    from contextlib import closing

    from streamtag.tagging import TaggingPool
    from streamtag.teaching import Examples, read_examples, read_span

    spans = [[read_span(text) for text in names] for names in groups]
    jobs = min(len(os.sched_getaffinity(0)), max(map(len, spans)))
    with closing(TaggingPool(str(bundle.path), config.model.runtime, processes=jobs)) as pool:
        return [read_examples(each, pool, jobs=jobs, note=note) if each else Examples.none() for each in spans]


def _list(folder: Path, *, as_json: bool) -> int:
    from streamtag.heads import read_heads

    heads, errors = read_heads(folder)
    for error in errors:
        note(on_one_line(str(error)))
    if as_json:
        for head in heads:
            print_json_line(_as_json(head, folder))
    elif heads:
        rows = [
            (head.name, _day(head.figures.taught), f"{head.figures.recordings}", head.figures.words) for head in heads
        ]
        print(table([("LABEL", "TAUGHT", "RECORDINGS", "HOW SURE"), *rows]), end="")
    else:
        note(f"{folder}: nothing was taught yet")
    return 1 if errors else 0


def _remove(folder: Path, name: str) -> int:
    from streamtag.heads import remove_head

    if not remove_head(folder, name):
        raise StreamtagError(f"{folder}: no label {name!r} was taught; streamtag teach --list shows those that were")
    note(f"{name} is no label any more")
    return 0


def _show(head: "Head", folder: Path, *, as_json: bool) -> None:
    if as_json:
        print_json_line(_as_json(head, folder))
        return
    print(f"{head.name}: {head.figures.words}")
    if head.figures.average_precision is not None:
        print(f"average precision {head.figures.average_precision:.2f} in cross-validation by recordings")
    print(f"threshold {head.on:g}: events begin there, and end below {head.off:g}")
    print(f"kept in {folder}")


def _as_json(head: "Head", folder: Path) -> dict[str, object]:
    from msgspec import to_builtins

    from streamtag.heads import head_file

    return {
        "label": head.name,
        "embedder": head.embedder,
        "threshold": head.on,
        "off": head.off,
        "file": str(head_file(folder, head.name)),
        **to_builtins(head.figures),
    }


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
