import argparse
import ipaddress

from streamtag.cli.arguments import Commands, add_key, add_tls, endpoint, key_of, port, read_config, tls_of
from streamtag.errors import ConfigError

__all__ = ["add"]

_PORT = 7860


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "dashboard",
        help="the web page",
        description="Serve the web page of a running service (extra 'dashboard').",
    )
    parser.add_argument("--connect", metavar="E", type=endpoint, help="the service (default: [service] endpoint)")
    add_key(parser)
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="listen here (default: 127.0.0.1)")
    parser.add_argument("--port", metavar="P", type=port, default=_PORT, help=f"default: {_PORT}")
    parser.add_argument(
        "--host-name",
        metavar="NAME",
        action="append",
        default=[],
        help="answer under this name too, beside addresses and this machine's own names; may be given again",
    )
    add_tls(parser)
    parser.add_argument("--auth", metavar="USER:FILE", help="ask for this user and the password in that file")
    parser.add_argument(
        "--token-file", metavar="FILE", help="let programs into the read API with the token in that file"
    )
    parser.add_argument(
        "--ingress",
        metavar="ADDRESS",
        type=_address,
        help="answer Home Assistant's ingress at this address alone, which has judged who may see the page",
    )
    parser.add_argument("--allow-write", action="store_true", help="let the page change things")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from streamtag.dashboard import launch

    if options.auth and not all(options.auth.partition(":")):
        raise ConfigError("--auth: write USER:FILE, the file holding the password")
    config = read_config(options)
    launch(
        connect=options.connect or config.service.endpoint,
        host=options.host,
        port=options.port,
        auth=options.auth,
        allow_write=options.allow_write,
        config=config,
        key=key_of(options),
        host_names=options.host_name,
        tls=tls_of(options),
        token_file=options.token_file,
        ingress=options.ingress,
    )


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write an address, such as 172.30.32.2") from None
