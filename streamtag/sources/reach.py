"""Where a server may lead whoever listens to it."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from streamtag.sources.reasons import ReadError

__all__ = ["NO_SUCH_HOST", "Reach"]

NO_SUCH_HOST = "there is no host of that name, or no name server answers"
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_INTERNET, _PRIVATE, _OWN = 0, 1, 2
# What one program takes for the end of a host's name, and another for a part of it.
_UNCLEAR = re.compile(r"[A-Za-z0-9+.-]*:(?://)?[^/?#]*?[\x00-\x20\\\x7f]")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Reach:
    """Lets a server name only addresses that are no more inward than its own, and of this machine only its own port.

    A server on the Internet may not make this machine ask its own services, or those of its network. One on this
    machine may not lead to its other services either, but for a playlist's entries, which stand for what was asked for.
    """

    def __init__(self, url: str, leads_to: Sequence[str] = ()) -> None:
        """Begin with an address that the user gave; it may ask a name server.

        Args:
            url: the address.
            leads_to: hosts, each perhaps with a port (`HOST:PORT`), to which it may lead wherever they are.
        """
        self._origin = _host_and_port(urlsplit(url))
        self._leads_to = frozenset(host.lower() for host in leads_to)
        try:
            self._inwardness = _inwardness(self._origin[0])
        except ReadError:
            self._inwardness = _INTERNET  # nobody who answers now could be asked before

    def check(self, url: str, schemes: tuple[str, ...], *, is_entry: bool = False) -> None:
        """Look at an address that a server names; it may ask a name server.

        Args:
            url: by a redirect, as a piece of HLS or its key, or in a playlist.
            schemes: that are followed.
            is_entry: whether it is a playlist's entry: what was asked for, at another place.

        Raises:
            ReadError: it may not be followed.
        """
        parts = urlsplit(url)
        if parts.scheme not in schemes or _UNCLEAR.match(url):
            raise ReadError("its server leads to another kind of source, which is not followed")
        host, port = target = _host_and_port(parts)
        named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if host in self._leads_to or named in self._leads_to:
            return
        inwardness = _inwardness(host)
        # A name that lay further out when the user's address was opened is no longer the same server.
        if inwardness > self._inwardness or (inwardness == _OWN and target != self._origin and not is_entry):
            raise ReadError(
                "its server leads into this machine or network, where it may not lead"
                f' (to let it: leads_to = ["{named}"])'
            )


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    try:
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ReadError("its address cannot be read") from None


def _inwardness(host: str) -> int:
    """How far inward a host is; the highest of a name's addresses."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ReadError(NO_SUCH_HOST) from None
    return max(_inwardness_of(ipaddress.ip_address(str(address[0]).partition("%")[0])) for *_, address in found)


def _inwardness_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    if isinstance(address, ipaddress.IPv6Address) and (inner := _ipv4_in(address)) is not None:
        address = inner
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        return _OWN
    return _INTERNET if address.is_global else _PRIVATE


def _ipv4_in(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of the older protocol to which a gateway, or this machine, passes what goes to this one."""
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
