import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from streamtag.cli.arguments import Commands, add_key, count, endpoint, endpoint_of, key_of, seconds, stream_id
from streamtag.cli.output import note, print_json_line
from streamtag.cli.stopping import Stop
from streamtag.event_tables import on_one_line
from streamtag.message_kinds import MESSAGE_KINDS

if TYPE_CHECKING:
    from streamtag.wire import Message

__all__ = ["add", "readable"]

_LOOK_SECONDS = 0.2
_BEST = 3
_CLEAR = 0.1  # labels below it are not worth a person's time


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "subscribe",
        help="print what a service publishes",
        description="Print a service's messages: a readable line each on a terminal, else one JSON object a line.",
    )
    parser.add_argument("endpoint", metavar="ENDPOINT", nargs="?", type=endpoint, help="default: [service] endpoint")
    parser.add_argument("--stream", metavar="ID", action="append", type=stream_id, help="only this stream; repeatable")
    parser.add_argument(
        "--kind",
        choices=MESSAGE_KINDS,
        action="append",
        help="only messages of this kind; repeatable (levels, audio and embedding are made only for those who ask)",
    )
    add_key(parser)
    parser.add_argument("--seconds", metavar="S", type=seconds, help="stop after S seconds")
    parser.add_argument("--count", metavar="N", type=count, help="stop after N messages")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from streamtag.wire import Subscriber, as_json

    address = endpoint_of(options, options.endpoint)
    stop = Stop(options.seconds)
    terminal = sys.stdout.isatty()
    received = 0
    with Subscriber(address, options.stream, options.kind, key=key_of(options)) as subscriber:
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
                print(on_one_line(readable(message)), flush=True)
            else:
                print_json_line(as_json(message))
        if subscriber.skipped:
            note(f"{subscriber.skipped} messages were not of this version's wire format")


def readable(message: "Message") -> str:
    """Return a message as one line for a person: when, which stream, where in it, what, and more about it."""
    header = message.header
    clock = time.strftime("%H:%M:%S", time.localtime(header["time"]))
    seconds, what, more = _DETAILS[header["kind"]](header)
    position = "" if seconds is None else f"{seconds:.2f} s"
    return f"{clock}  {header.get('stream', 'service'):<12}  {position:>11}  {what:>12}  {more}"


_Details = tuple[float | None, str, str]


def _scores(header: dict[str, Any]) -> _Details:
    best, *others = header["top"][:_BEST]
    shown = [best, *(each for each in others if each["score"] >= _CLEAR)]
    labels = ", ".join(f"{each['label']} {each['score']:.2f}" for each in shown)
    return header["start"], f"{header['rms_dbfs']:.1f} dBFS", labels


def _event(header: dict[str, Any]) -> _Details:
    if header["state"] == "on":
        return header["onset"], "begins", header["label"]
    length = header["offset"] - header["onset"]
    return header["offset"], "ends", f"{header['label']}, {length:.2f} s, peak {header['peak']:.2f}"


def _status(header: dict[str, Any]) -> _Details:
    dropped = f", {header['dropped_patches']} dropped" if header["dropped_patches"] else ""
    reason = f": {header['reason']}" if header["reason"] else ""
    return None, header["state"], f"{header['source']}, {header['patches']} patches{dropped}{reason}"


def _service(header: dict[str, Any]) -> _Details:
    streams = len(header["streams"])
    room = f", room for {header['sustainable_streams']}" if header["sustainable_streams"] is not None else ""
    return None, "1 stream" if streams == 1 else f"{streams} streams", f"{header['model']} on {header['runtime']}{room}"


_DETAILS = {"scores": _scores, "event": _event, "status": _status, "service": _service}
