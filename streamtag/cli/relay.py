import argparse
import os
import signal
from functools import partial

from streamtag.cli.arguments import Commands, add_key, endpoint, key_of
from streamtag.cli.stopping import Stop

__all__ = ["add"]

_BEHIND_SCORING = 10
"""Who tells others can wait for the processor, and beside a service it must."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "relay",
        help="tell others of what a service hears",
        description="Run the sinks of a configuration (MQTT, metrics, webhooks) against a service elsewhere, until "
        "SIGINT or SIGTERM. `streamtag run` does so by itself for its own configuration.",
    )
    parser.add_argument("config", metavar="CONFIG.toml", help="the configuration")
    parser.add_argument("--connect", metavar="E", type=endpoint, help="the service (default: [service] endpoint)")
    add_key(parser)
    parser.set_defaults(command=_run, default_log_level="info")


def _run(options: argparse.Namespace) -> None:
    from streamtag.config import load_config
    from streamtag.sinks import relay
    from streamtag.sinks.opening import open_sinks

    stop = Stop()
    if options.with_parent:  # Ctrl-C reaches both: the service ends first, and tells of it
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.nice(_BEHIND_SCORING)
    config = load_config(options.config)
    heard = partial(print, "ready", flush=True) if options.with_parent else lambda: None
    at = options.connect or config.service.endpoint
    relay(config, open_sinks(config), at, stop, heard, key=key_of(options))
