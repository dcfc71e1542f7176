import argparse

from streamtag.cli.arguments import Commands, endpoint, read_config, seconds
from streamtag.errors import SourceError

__all__ = ["add"]

_STREAM = "microphone"


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "listen",
        help="tag a microphone",
        description="Tag a microphone and show what it hears; publish it. Not on a terminal: one JSON object a line.",
    )
    parser.add_argument(
        "--device", metavar="NAME|INDEX", default="", help="as 'streamtag devices' lists it (default: the default one)"
    )
    parser.add_argument("--endpoint", metavar="E", type=endpoint, help="publish here (default: tcp://127.0.0.1:5556)")
    parser.add_argument("--seconds", metavar="S", type=seconds, help="stop after S seconds")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from msgspec.structs import replace

    from streamtag.cli.live import tag_live
    from streamtag.settings import Stream

    config = read_config(options)
    place = options.device.removeprefix("mic:")
    place = f"#{place}" if place.isdecimal() else place
    name = _find(place)
    config = replace(
        config,
        service=replace(config.service, endpoint=options.endpoint or config.service.endpoint),
        streams=(Stream(id=_STREAM, source=f"mic:{place}"),),
    )
    tag_live(config, title=name, seconds=options.seconds)


def _find(place: str) -> str:
    """Return the device's name: a microphone that is not there now is an error, not something to wait for.

    Raises:
        SourceError: there is none, or PortAudio is missing.
    """
    from streamtag.sources.feed import Lost
    from streamtag.sources.microphone import choose, list_devices

    try:
        return choose(list_devices(), place).name
    except Lost as error:
        raise SourceError(str(error)) from error
