"""Where sound comes from: `open_source` turns a URI into a stream of blocks.

A new kind of source is one module with a function `open_request`, and one line in the table below.
"""

from collections.abc import Sequence
from importlib import import_module

from streamtag.errors import SourceError
from streamtag.redaction import redact
from streamtag.sources.receivers import Received, Receivers
from streamtag.sources.retry import LiveSource
from streamtag.sources.source import OnState, Patience, Request, Source, ignore_state
from streamtag.sources.uri import PLAYLIST, split

__all__ = [
    "LiveSource",
    "OnState",
    "Patience",
    "Received",
    "Receivers",
    "Source",
    "is_microphone",
    "is_network",
    "is_received",
    "open_source",
    "redact",
]

_MODULES = {
    "-": "standard_input",
    "file": "file",
    "http": "network",
    "https": "network",
    "mic": "microphone",
    "rtsp": "network",
    "rtsps": "network",
    "sdp": "network",
    "udp": "network",
}


def _module(scheme: str) -> str | None:
    return "network" if scheme == PLAYLIST else _MODULES.get(scheme)


def is_network(uri: str) -> bool:
    """Tell whether a URI is a network stream, which `open_source` opens as a `LiveSource`."""
    return _module(split(uri)[0]) == "network"


def is_microphone(uri: str) -> bool:
    """Tell whether a URI is a microphone, which `open_source` opens as a `LiveSource` too."""
    return _module(split(uri)[0]) == "microphone"


def is_received(uri: str) -> bool:
    """Tell whether `Receivers` receive it: foreign media must be decoded, and a sound system may hang."""
    return _module(split(uri)[0]) in ("file", "microphone", "network")


def open_source(
    uri: str,
    *,
    on_state: OnState = ignore_state,
    realtime: bool = False,
    loop: bool = False,
    rate: int | None = None,
    channels: int | None = None,
    sample_format: str | None = None,
    patience: Patience | None = None,
    ca_file: str | None = None,
    leads_to: Sequence[str] = (),
) -> Source:
    """Open a source of sound.

    Args:
        uri: `mic:`, `mic:NAME`, `mic:#INDEX`, `file:PATH` or a bare path, `rtsp://`, `rtsps://`, `http://`, `https://`,
            `udp://`, `sdp:PATH`, or `-` for PCM on standard input.
        on_state: told each change of state, from the thread that iterates.
        realtime: play a file at the pace of the clock.
        loop: play a file for ever, as one unbroken stream.
        rate: samples a second of a microphone (default: the device's own) or of standard input.
        channels: of a microphone (default: 1) or of standard input.
        sample_format: of standard input: `s16le`, `s24le`, `s32le` or `f32le`.
        patience: the time-outs of live sources.
        ca_file: certificates (PEM) of those who vouch for servers of `https://` and `rtsps://`; default: the system's.
        leads_to: hosts (`HOST` or `HOST:PORT`) to which the server of a network stream may lead though they lie further
            inward than itself, or on this machine.

    Raises:
        SourceError: if the URI or an option can never work, such as an unknown scheme or a missing file. What
            only iterating can show (a file without audio) is raised while iterating.
    """
    scheme, place = split(uri)
    if scheme == "zmq":
        raise SourceError(
            "zmq: is pushed by another program to the service's [service] input; nothing is opened for it"
        )
    module = _module(scheme)
    if module is None:
        raise SourceError(
            f"{redact(uri)}: unknown kind of source; use a path, '-', or "
            + ", ".join(f"{name}:" for name in _MODULES if name != "-")
        )
    patience = patience or Patience()
    request = Request(uri, place, on_state, realtime, loop, rate, channels, sample_format, ca_file, leads_to, patience)
    source: Source = import_module(f"streamtag.sources.{module}").open_request(request)
    return source
