import argparse
import time
from functools import partial
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands, add_key, endpoint, endpoint_of, key_of, stream_id
from streamtag.cli.stopping import Stop
from streamtag.errors import InputError, WireError

if TYPE_CHECKING:
    from streamtag.wire import ServiceControl, Subscriber

__all__ = ["add"]

_FIND_SECONDS = 5.0
_DONE_SECONDS = 5.0
_LOOK_SECONDS = 0.2


def add(commands: Commands) -> None:
    """Add the two commands."""
    for name, is_paused, text in (
        ("pause", True, "have a stream stay connected and not be scored"),
        ("resume", False, "have a stream scored again that was paused"),
    ):
        parser = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}, and wait until the service says so. It needs a service with "
            "[service] input.",
        )
        parser.add_argument("stream", metavar="ID", type=stream_id, help="the stream's name")
        parser.add_argument("--connect", metavar="E", type=endpoint, help="the service (default: [service] endpoint)")
        add_key(parser)
        parser.set_defaults(command=partial(_run, is_paused=is_paused))


def _run(options: argparse.Namespace, *, is_paused: bool) -> None:
    from streamtag.wire import ServiceControl, Subscriber

    stop = Stop()
    address, key = endpoint_of(options, options.connect), key_of(options)
    with (
        Subscriber(address, [options.stream], ["status", "service"], key=key) as wire,
        ServiceControl(_input_of(wire, address, options.stream, stop), key=key) as control,
    ):
        _ask(control, options.stream, is_paused=is_paused)
        _wait(wire, options.stream, stop, is_paused=is_paused)


def _ask(control: "ServiceControl", stream: str, *, is_paused: bool) -> None:
    if is_paused:
        control.pause(stream)
    else:
        control.resume(stream)


def _input_of(wire: "Subscriber", address: str, stream: str, stop: Stop) -> str:
    """Return where the service takes requests, once it has told."""
    from streamtag.wire.endpoints import reachable

    deadline = time.monotonic() + _FIND_SECONDS
    while not stop and time.monotonic() < deadline:
        message = wire.receive(_LOOK_SECONDS)
        if message is None or message.header["kind"] != "service":
            continue
        header = message.header
        if stream not in header["streams"]:
            known = header["streams"]
            shown = f"; it has {', '.join(known)}" if known and len(known) <= 12 else ""
            raise InputError(f"the service at {address} has no stream {stream}{shown}")
        if header.get("input") is None:
            raise WireError(f"the service at {address} takes no requests: set [service] input")
        return reachable(header["input"], address)
    raise WireError(f"no service answers at {address}; is it running, and, where it asks for keys, is this a client?")


def _wait(wire: "Subscriber", stream: str, stop: Stop, *, is_paused: bool) -> None:
    deadline = time.monotonic() + _DONE_SECONDS
    while not stop and time.monotonic() < deadline:
        message = wire.receive(_LOOK_SECONDS)
        if message is None or message.header["kind"] != "status":
            continue
        if message.header.get("paused", False) == is_paused:
            print(f"{stream} is {message.header['state']}")
            return
    if not stop:
        raise WireError(
            f"the service did not {'pause' if is_paused else 'resume'} {stream}; where it asks for keys, a stream that "
            "somebody pushes is paused by the key that began it, or by the service's own"
        )
