"""Taking a source's URI apart, and making it fit to be shown."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

__all__ = ["redact", "split"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_OWN = frozenset({"file", "mic", "sdp", "zmq"})
_HARMLESS = frozenset(
    {"audio", "bitrate", "camera", "channel", "codec", "format", "profile", "quality", "rate", "track"}
)


def split(uri: str) -> tuple[str, str]:
    """The scheme (lower case) and what follows it; a bare path is a `file`, standard input is `-`."""
    if uri == "-":
        return "-", ""
    match = _SCHEME.match(uri)
    if match is None:
        return "file", uri
    # A recording's name may hold a colon: "take:2.wav" is a file if such a file is there.
    if "//" not in uri and match[1].lower() not in _OWN and Path(uri).exists():
        return "file", uri
    return match[1].lower(), uri[match.end() :]


def redact(uri: str) -> str:
    """The URI without user, password and secrets in its query, for logs, status and errors.

    A query's values are kept only where the name is known to be harmless: cameras and relays name their
    keys in too many ways to list.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme.lower() == "file":
        return uri
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        rest = authority.rpartition("@")[2] + rest[len(authority) :]
    elif "@" in rest and ":" in authority and not authority.rpartition(":")[2].rstrip("]").isdigit():
        # A password with an unescaped "/", "?" or "#" in it does not work, and must not show either.
        rest = rest.rpartition("@")[2]
    rest, _, fragment = rest.partition("#")
    rest, question, query = rest.partition("?")
    if question:
        pairs = parse_qsl(query, keep_blank_values=True)
        shown = [(name, value if name.lower() in _HARMLESS else "***") for name, value in pairs]
        rest += "?" + (urlencode(shown, safe="*") if shown else "***")
    return f"{scheme}://{rest}" + ("#***" if fragment else "")
