import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands, add_tls, endpoint, port, read_config, seconds, tls_of

if TYPE_CHECKING:
    from streamtag.settings import Config

__all__ = ["STREAM", "add", "demo_config"]

STREAM = "demo"
"""The stream's name."""

_RECORDING = "demo.flac"
_INPUT_PORT = 5557
_PAGE_PORT = 7860


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="play the packaged recording through the real engine",
        description="Play the packaged recording through the real engine at real time, in a loop, and show what it "
        "hears; publish it, and serve the web page where the extra 'dashboard' is installed. Not on a terminal: one "
        "JSON object a line.",
    )
    parser.add_argument("--seconds", metavar="S", type=seconds, help="stop after S seconds")
    parser.add_argument("--no-dashboard", action="store_true", help="without the web page")
    parser.add_argument("--endpoint", metavar="E", type=endpoint, help="publish here (default: tcp://127.0.0.1:5556)")
    parser.add_argument(
        "--port", metavar="P", type=port, default=_PAGE_PORT, help=f"the web page's (default: {_PAGE_PORT})"
    )
    add_tls(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from streamtag.cli.live_session import tag_live
    from streamtag.cli.page import Page

    tls = tls_of(options)
    with ExitStack() as stack:
        if options.config is None and not options.no_dashboard:
            options.config = stack.enter_context(_passing_history())
        config = demo_config(read_config(options), options.endpoint)
        page = None
        if not options.no_dashboard:
            page = stack.enter_context(Page(config.service.endpoint, options.port, options.config, tls))
        tag_live(
            config, title="the packaged recording, in a loop", seconds=options.seconds, page=lambda: str(page or "")
        )


@contextmanager
def _passing_history() -> Iterator[str]:
    """Yield settings with a history for the web page to show, gone when the demo ends."""
    from streamtag.temporary import private_folder

    with private_folder("streamtag-demo-") as folder:
        settings = folder / "demo.toml"
        settings.write_text('[history]\npath = "history.sqlite"\nclips = true\n', encoding="utf-8")
        yield str(settings)


def demo_config(config: "Config", endpoint: str | None = None) -> "Config":
    """Return settings whose one stream is the packaged recording, at real time and for ever.

    Args:
        config: everything else; its own streams are left out.
        endpoint: where to publish; as `config` says when absent.
    """
    from msgspec.structs import replace

    from streamtag.cli.page import HOST, free_port, is_free
    from streamtag.settings import Stream

    recording = Path(str(resources.files("streamtag"))) / "bundles" / "default" / _RECORDING
    # Other programs, and the web page's microphone, may push sound; nobody relies on this port.
    free = f"tcp://{HOST}:{_INPUT_PORT if is_free(_INPUT_PORT) else '*'}"
    address = endpoint or config.service.endpoint
    if address.startswith("tcp://") and address.endswith(":*"):
        address = f"{address[:-1]}{free_port()}"  # the web page is told before the service has chosen one
    service = replace(config.service, endpoint=address, input=config.service.input or free)
    stream = Stream(id=STREAM, source=f"file:{recording}", realtime=True, loop=True)
    return replace(config, service=service, streams=(stream,))
