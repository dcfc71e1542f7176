import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from streamtag.cli.arguments import Commands, count, endpoint, endpoint_of, seconds, stream_id
from streamtag.cli.output import note, print_json_line
from streamtag.cli.stopping import Stop

if TYPE_CHECKING:
    from streamtag.wire import Message

__all__ = ["add", "readable"]

_KINDS = ("scores", "event", "status", "service")
_LOOK_SECONDS = 0.2


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "subscribe",
        help="print what a service publishes",
        description="Print a service's messages: a readable line each on a terminal, else one JSON object a line.",
    )
    parser.add_argument("endpoint", metavar="ENDPOINT", nargs="?", type=endpoint, help="default: [service] endpoint")
    parser.add_argument("--stream", metavar="ID", action="append", type=stream_id, help="only this stream; repeatable")
    parser.add_argument("--kind", choices=_KINDS, action="append", help="only messages of this kind; repeatable")
    parser.add_argument("--seconds", metavar="S", type=seconds, help="stop after S seconds")
    parser.add_argument("--count", metavar="N", type=count, help="stop after N messages")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from streamtag.wire import Subscriber, as_json

    address = endpoint_of(options, options.endpoint)
    stop = Stop(options.seconds)
    terminal = sys.stdout.isatty()
    received = 0
    with Subscriber(address, options.stream, options.kind) as subscriber:
        if terminal:
            note(f"listening to {address}; Ctrl-C ends")
        while not stop and received != options.count:
            message = subscriber.receive(_LOOK_SECONDS)
            if message is None:
                continue
            received += 1
            if message.missed:
                note(f"{message.missed} messages of {message.header.get('stream', 'the service')} were missed")
            if terminal:
                print(readable(message), flush=True)
            else:
                print_json_line(as_json(message))
        if subscriber.skipped:
            note(f"{subscriber.skipped} messages were not of this version's wire format")


def readable(message: "Message") -> str:
    """Return a message as one line for a person."""
    header = message.header
    clock = time.strftime("%H:%M:%S", time.localtime(header["time"]))
    return f"{clock}  {header.get('stream', 'service'):<12}  {_DETAILS[header['kind']](header)}"


def _scores(header: dict[str, Any]) -> str:
    top = "  ".join(f"{each['label']} {each['score']:.2f}" for each in header["top"])
    return f"{header['start']:9.2f} s  {header['rms_dbfs']:6.1f} dBFS  {top}"


def _event(header: dict[str, Any]) -> str:
    if header["state"] == "on":
        return f"{header['onset']:9.2f} s  begins: {header['label']} ({header['peak']:.2f})"
    return (
        f"{header['offset']:9.2f} s  ends: {header['label']}, since {header['onset']:.2f} s, peak {header['peak']:.2f}"
    )


def _status(header: dict[str, Any]) -> str:
    reason = f" ({header['reason']})" if header["reason"] else ""
    dropped = f", {header['dropped_patches']} dropped" if header["dropped_patches"] else ""
    return f"{header['state']}{reason}: {header['source']}, {header['patches']} patches{dropped}"


def _service(header: dict[str, Any]) -> str:
    room = f", room for {header['sustainable_streams']}" if header["sustainable_streams"] is not None else ""
    return f"{header['model']} on {header['runtime']}, {len(header['streams'])} streams{room}"


_DETAILS = {"scores": _scores, "event": _event, "status": _status, "service": _service}
