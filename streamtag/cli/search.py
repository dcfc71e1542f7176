import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands, count, read_config
from streamtag.cli.output import note, print_json_line, table
from streamtag.cli.teach import bundle_of, examples_of
from streamtag.errors import ConfigError
from streamtag.event_tables import on_one_line

if TYPE_CHECKING:
    from streamtag.teaching import Found

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "search",
        help="find the moments of a history that are like an example",
        description="Show the most similar moments of a history that keeps embeddings ([history] embeddings = true), "
        "likest first. FILE may be PATH@START-END, in seconds.",
    )
    parser.add_argument("--like", metavar="FILE", nargs="+", required=True, help="recordings of what to look for")
    parser.add_argument("--top", metavar="K", type=count, default=10, help="how many to show (default: 10)")
    parser.add_argument("--history", metavar="DB", type=Path, help="the history (default: [history] path)")
    parser.add_argument("--model", metavar="M", help="the model: its name, or a bundle's path (default: [model])")
    parser.add_argument("--json", action="store_true", help="one JSON object for each moment")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from streamtag.teaching import search

    config = read_config(options)
    history = options.history or (Path(config.history.path) if config.history.path else None)
    if history is None:
        raise ConfigError("say in which history: --history DB, or --config FILE whose [history] has a path")
    bundle = bundle_of(options.model, config)
    (like,) = examples_of([options.like], bundle, config)
    found = search(like, history, bundle.embedder, top=options.top)
    if options.json:
        for each in found:
            print_json_line(_as_json(each))
        return 0
    rows = [tuple(map(on_one_line, _row(each))) for each in found]
    print(table([("LIKE", "TIME", "STREAM", "EVENT"), *rows]), end="")
    note(f"{len(found)} moments")
    return 0


def _row(found: "Found") -> tuple[str, str, str, str]:
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.time))
    return f"{found.likeness:.2f}", clock, found.stream, found.event.label if found.event else ""


def _as_json(found: "Found") -> dict[str, object]:
    return {
        "likeness": round(found.likeness, 4),
        "stream": found.stream,
        "time": round(found.time, 3),
        "label": found.event.label if found.event else None,
        "event": found.event.id if found.event else None,
    }
