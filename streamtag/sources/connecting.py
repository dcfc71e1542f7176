"""Connections to no other addresses than those that were looked at.

FFmpeg and Python's own HTTP look for a name's addresses by themselves, and a hostile name server answers the second
question otherwise than the first. So names are looked up once, by `Reach`, and what connects is given the number.
"""

import ipaddress
import socket
from urllib.parse import urlsplit, urlunsplit

from streamtag.sources.reach import Reach, asks_proxy, host_and_port

__all__ = ["connect", "in_numbers"]

_NEXT_SECONDS = 2.0
"""So long an address may take to answer where the name has others."""


def connect(host: str, port: int, seconds: float, reach: Reach) -> socket.socket:
    """Connect to a host, at the first of its addresses that answers; the time is the socket's time-out then.

    Raises:
        ReadError: it may not be reached.
        OSError: it cannot be reached.
    """
    *others, last = reach.addresses(host, port)
    for address in others:
        try:
            connection = socket.create_connection((address, port), min(seconds, _NEXT_SECONDS))
        except OSError:
            continue
        connection.settimeout(seconds)
        return connection
    return socket.create_connection((last, port), seconds)


def in_numbers(url: str, seconds: float, reach: Reach) -> tuple[str, dict[str, str]]:
    """Return a web address for FFmpeg, which is to connect where `reach` lets it, and the options that go with it.

    The name goes into the request all the same. One of `https` stays in the address too, where FFmpeg needs it to say
    whom it asks for: whoever else is found under it cannot prove to be that one, and gets no request.

    Raises:
        ReadError: it may not be reached.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or asks_proxy(url):
        return url, {}
    host, port = host_and_port(parts)
    addresses = reach.addresses(host, port)
    if parts.scheme != "http" or _is_number(host):
        return url, {}
    address = addresses[0]
    if len(addresses) > 1:
        try:
            with connect(host, port, seconds, reach) as connection:
                address = connection.getpeername()[0]
        except OSError:
            pass  # FFmpeg tells why
    account, at, named = parts.netloc.rpartition("@")
    number = f"[{address}]" if ":" in address else address
    return urlunsplit(parts._replace(netloc=f"{account}{at}{number}:{port}")), {"headers": f"Host: {named}\r\n"}


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
