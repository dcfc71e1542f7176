"""Where sound comes from: `open_source` turns a URI into a stream of blocks.

`streamtag/source_kinds.py` holds the table of kinds. A new one is one module here with a function `open_request`, and
one line there.
"""

from collections.abc import Sequence
from importlib import import_module

from streamtag.errors import SourceError
from streamtag.redaction import redact
from streamtag.source_kinds import FORMS, PLAYLIST, kind_of, split_uri
from streamtag.sources.live_source import LiveSource
from streamtag.sources.receiver_pool import ReceivedSource, ReceiverPool
from streamtag.sources.source import OnState, Request, Source, Timeouts, ignore_state

__all__ = [
    "LiveSource",
    "OnState",
    "ReceivedSource",
    "ReceiverPool",
    "Source",
    "Timeouts",
    "open_source",
    "redact",
]


def open_source(
    uri: str,
    *,
    on_state: OnState = ignore_state,
    realtime: bool = False,
    loop: bool = False,
    rate: int | None = None,
    channels: int | None = None,
    sample_format: str | None = None,
    timeouts: Timeouts | None = None,
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
        timeouts: the time-outs of live sources.
        ca_file: certificates (PEM) of those who vouch for servers of `https://` and `rtsps://`; default: the system's.
        leads_to: hosts (`HOST` or `HOST:PORT`) to which the server of a network stream may lead though they lie further
            inward than itself, or on this machine.

    Raises:
        SourceError: if the URI or an option can never work, such as an unknown scheme or a missing file. What
            only iterating can show (a file without audio) is raised while iterating.
    """
    scheme, rest = split_uri(uri)
    kind = kind_of(uri)
    if kind is None:
        known = ", ".join(f"{each}:" for each in sorted(FORMS) if each not in ("-", PLAYLIST))
        raise SourceError(f"{redact(uri)}: unknown kind of source; use a path, '-', or {known}")
    if not kind.module:
        raise SourceError(
            f"{scheme}: is pushed by another program to the service's [service] input; nothing is opened for it"
        )
    given = {
        "realtime": realtime,
        "loop": loop,
        "rate": rate,
        "channels": channels,
        "format": sample_format,
        "ca_file": ca_file,
        "leads_to": leads_to,
    }
    if unknown := [option for option, value in given.items() if value and option not in kind.options]:
        raise SourceError(f"{redact(uri)} takes no option {unknown[0]!r}: leave it out")
    timeouts = timeouts or Timeouts()
    request = Request(uri, rest, on_state, realtime, loop, rate, channels, sample_format, ca_file, leads_to, timeouts)
    source: Source = import_module(f"streamtag.sources.{kind.module}").open_request(request)
    return source
