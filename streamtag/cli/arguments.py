"""What the commands' arguments may be, and how they meet a configuration file."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from streamtag.errors import ConfigError
from streamtag.limits import STREAM_ID_FORM, is_stream_id

if TYPE_CHECKING:
    from streamtag.keys import ClientKey
    from streamtag.settings import Config

__all__ = [
    "Commands",
    "add_key",
    "add_tls",
    "count",
    "endpoint",
    "endpoint_of",
    "key_of",
    "port",
    "read_config",
    "seconds",
    "stream_id",
    "tls_of",
]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command adds its parser."""

_LAST_PORT = 65535


def count(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def seconds(text: str) -> float:
    """Read a time in seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def port(text: str) -> int:
    """Read a TCP port."""
    if not text.isdecimal() or not 1 <= int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to {_LAST_PORT}")
    return int(text)


def endpoint(text: str) -> str:
    """Read a ZeroMQ endpoint."""
    from streamtag.settings import ENDPOINT, ENDPOINT_FORM

    if not re.match(ENDPOINT, text):
        raise argparse.ArgumentTypeError(f"{text!r} is not {ENDPOINT_FORM}")
    return text


def stream_id(text: str) -> str:
    """Read a stream's name."""
    if not is_stream_id(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot name a stream: use {STREAM_ID_FORM}")
    return text


def add_key(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a client's key."""
    parser.add_argument(
        "--key", metavar="FILE", help="this client's key, where the service asks for one (default: by [service] keys)"
    )


def key_of(options: argparse.Namespace) -> "ClientKey | None":
    """Return the key of `--key FILE`, or else that of the service whose settings `--config` names, if it has one.

    Raises:
        ConfigError: it cannot be read.
    """
    from streamtag.keys import ServerKeys, read_client_key

    if options.key:
        return read_client_key(options.key)
    folder = read_config(options).service.keys
    return ServerKeys(folder).own if folder else None


def add_tls(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the web page's certificate."""
    parser.add_argument("--tls-cert", metavar="FILE", help="serve the page over https with this certificate (PEM)")
    parser.add_argument("--tls-key", metavar="FILE", help="the certificate's key (PEM, without a password)")


def tls_of(options: argparse.Namespace) -> tuple[Path, Path] | None:
    """Return the files of `--tls-cert` and `--tls-key`, None without them.

    Raises:
        ConfigError: one is given without the other.
    """
    if bool(options.tls_cert) != bool(options.tls_key):
        raise ConfigError("--tls-cert and --tls-key belong together: give both, or neither")
    return (Path(options.tls_cert), Path(options.tls_key)) if options.tls_cert else None


def read_config(options: argparse.Namespace) -> "Config":
    """Return the settings of `--config FILE`, or the defaults.

    Raises:
        ConfigError: the file cannot be read or used.
    """
    from streamtag.config import Config, load_config

    return load_config(options.config) if options.config else Config()


def endpoint_of(options: argparse.Namespace, given: str | None) -> str:
    """Return the endpoint `given` on the command line, or else the settings'."""
    return given or read_config(options).service.endpoint
