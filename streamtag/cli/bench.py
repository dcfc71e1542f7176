import argparse
from pathlib import Path

from streamtag.cli.arguments import Commands, count, read_config, seconds
from streamtag.cli.output import note, print_json, to_json
from streamtag.runtime_kinds import RUNTIME_NAMES

__all__ = ["add"]

_SECONDS = 20.0
_STANDARD_OUTPUT = Path("-")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="speed on this machine",
        description="Measure each stage alone, the whole path on one core, and live streams through a real service: "
        "their latency, and what they cost.",
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        nargs="?",
        type=_writable,
        const=_STANDARD_OUTPUT,
        help="print JSON, or print tables and write the JSON to FILE",
    )
    parser.add_argument("--streams", metavar="N", type=count, default=1, help="live streams (default: 1)")
    parser.add_argument(
        "--seconds", metavar="S", type=seconds, default=_SECONDS, help=f"of the live part (default: {_SECONDS:g})"
    )
    parser.add_argument("--runtime", metavar="R", choices=RUNTIME_NAMES, help=f"one of {', '.join(RUNTIME_NAMES)}")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from msgspec.structs import replace

    from streamtag.benchmark import measure
    from streamtag.cli.bench_view import show

    config = read_config(options)
    config = replace(config, model=replace(config.model, runtime=options.runtime or config.model.runtime))
    report = measure(config, options.streams, options.seconds, note)
    if options.json == _STANDARD_OUTPUT:
        print_json(report)
        return
    show(report)
    if options.json is not None:
        options.json.write_text(to_json(report))


def _writable(text: str) -> Path:
    """Read the name of a file to write, before minutes of measuring."""
    path = Path(text)
    if path != _STANDARD_OUTPUT:
        try:
            path.open("a").close()
        except OSError as error:
            raise argparse.ArgumentTypeError(f"{text} cannot be written: {error.strerror}") from error
    return path
