import argparse
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands, count, endpoint, read_config, seconds
from streamtag.errors import SourceError
from streamtag.limits import SAMPLE_FORMATS

if TYPE_CHECKING:
    from streamtag.settings import Stream

__all__ = ["add"]

_MICROPHONE = "mic:"


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "listen",
        help="tag a microphone, or any other source",
        description="Tag a microphone and show what it hears; publish it. Not on a terminal: one JSON object a line.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        default=_MICROPHONE,
        help="another source than a microphone: a URL, a recording (in real time), or - for PCM on standard input",
    )
    parser.add_argument(
        "--device", metavar="NAME|INDEX", help="as 'streamtag devices' lists it (default: the default one)"
    )
    parser.add_argument("--endpoint", metavar="E", type=endpoint, help="publish here (default: tcp://127.0.0.1:5556)")
    parser.add_argument("--seconds", metavar="S", type=seconds, help="stop after S seconds")
    pcm = parser.add_argument_group("PCM on standard input")
    pcm.add_argument("--rate", metavar="HZ", type=count, help="samples a second")
    pcm.add_argument("--channels", metavar="N", type=count, help="interleaved channels")
    pcm.add_argument("--format", choices=list(SAMPLE_FORMATS), help="of a sample")
    # What happens to its one stream is shown anyway.
    parser.set_defaults(command=_run, default_log_level="error")


def _run(options: argparse.Namespace) -> None:
    from msgspec.structs import replace

    from streamtag.cli.live_session import tag_live
    from streamtag.sources import redact

    config = read_config(options)
    stream = _stream(options)
    config = replace(
        config,
        service=replace(config.service, endpoint=options.endpoint or config.service.endpoint),
        streams=(stream,),
    )
    if stream.id == "microphone":
        title = _find(stream.source.removeprefix(_MICROPHONE))
    else:
        title = "standard input" if stream.source == "-" else redact(stream.source)
    tag_live(config, title=title, seconds=options.seconds)


def _stream(options: argparse.Namespace) -> "Stream":
    """Return what is to be tagged.

    Raises:
        SourceError: a device is named beside another source.
    """
    from streamtag.settings import Stream
    from streamtag.source_kinds import kind_of, split_uri

    source = options.source
    if options.device is not None:
        if source != _MICROPHONE:
            raise SourceError(f"--device {options.device} is a microphone: leave it out, or the source")
        device = options.device.removeprefix(_MICROPHONE)
        source = f"{_MICROPHONE}#{device}" if device.isdecimal() else f"{_MICROPHONE}{device}"
    scheme, _ = split_uri(source)
    kind = kind_of(source)
    return Stream(
        id={"mic": "microphone", "-": "input"}.get(scheme, "source"),
        source=source,
        realtime=kind is not None and "realtime" in kind.options,
        rate=options.rate,
        channels=options.channels,
        format=options.format,
    )


def _find(device: str) -> str:
    """Return the device's name: a microphone that is not there now is an error, not something to wait for.

    Raises:
        SourceError: there is none, or PortAudio is missing.
    """
    from streamtag.sources.feed import Lost
    from streamtag.sources.microphone import choose, list_devices

    try:
        return choose(list_devices(), device).name
    except Lost as error:
        raise SourceError(str(error)) from error
