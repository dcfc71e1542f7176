import argparse
from pathlib import Path

from streamtag.cli.arguments import Commands
from streamtag.cli.output import table

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("keys", help="who may connect to a service")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser(
        "new",
        help="make keys",
        description="Make a service's key and a client's in a folder for [service] keys; in a folder that has a "
        "service's key, one more client's. A key that is there is never overwritten.",
    )
    new.add_argument("folder", metavar="FOLDER", type=Path, help="where the keys are kept; made if it is missing")
    new.add_argument("--client", metavar="NAME", default="client", help="the client's name (default: client)")
    new.set_defaults(command=_new)


def _new(options: argparse.Namespace) -> None:
    from streamtag.keys import add_client, check_name, server_file, write_server

    check_name(options.client)
    rows = []
    if not server_file(options.folder).exists():
        rows.append(("server", str(write_server(options.folder)), f'stays here: [service] keys = "{options.folder}"'))
    rows.append((options.client, str(add_client(options.folder, options.client)), "for the client: --key FILE"))
    print(table([("KEY", "FILE", "USE"), *rows]), end="")
