import argparse
from dataclasses import asdict

from streamtag.cli.arguments import Commands
from streamtag.cli.output import note, print_json, table

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "devices",
        help="input devices with stable names",
        description="List the input devices. What stands under SOURCE stays the same when devices come and go.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from streamtag.sources.microphone import list_devices

    devices = list_devices()
    if options.json:
        print_json([{"source": f"mic:{device.name}", **asdict(device)} for device in devices])
        return
    if not devices:
        note("no input device found; plug in a microphone, or start the sound server")
        return
    rows = [
        (
            f"mic:{device.name}",
            str(device.index),
            device.host_api,
            str(device.channels),
            str(device.rate),
            "default" if device.is_default else "",
        )
        for device in devices
    ]
    print(table([("SOURCE", "INDEX", "SYSTEM", "CHANNELS", "RATE", ""), *rows]), end="")
