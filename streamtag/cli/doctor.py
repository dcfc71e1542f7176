import argparse
import sys
from dataclasses import asdict

from streamtag.cli.arguments import Commands, read_config
from streamtag.cli.output import print_json
from streamtag.event_tables import on_one_line

__all__ = ["add"]

_COLOURS = {"ok": "32", "missing": "31", "optional": "33"}


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="what works here and what is missing",
        description="Tell what works here and what is missing, with the command that mends it. Exit status 0 if "
        "tagging works, whatever else does not.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from streamtag.cli.checks import check_all

    checks = check_all(read_config(options))
    works = all(check.state != "missing" for check in checks)
    if options.json:
        print_json({"ok": works, "checks": [asdict(check) for check in checks]})
        return 0 if works else 1
    colours = sys.stdout.isatty()
    width = max(len(check.name) for check in checks)
    for check in checks:
        state = f"{check.state:<8}"
        shown = f"\x1b[{_COLOURS[check.state]}m{state}\x1b[0m" if colours else state
        print(f"{shown}  {check.name:<{width}}  {on_one_line(check.detail)}")
        if check.remedy:
            print(f"{'':8}  {'':{width}}  → {check.remedy}")
    print("\ntagging works" if works else "\ntagging does not work: see what is missing")
    return 0 if works else 1
