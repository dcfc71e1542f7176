"""Where a server may lead whoever listens to it, and where its name may."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from streamtag.sources.reasons import ReadError

__all__ = ["NO_SUCH_HOST", "Reach", "asks_proxy", "host_and_port"]

NO_SUCH_HOST = "there is no host of that name, or no name server answers"
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_INTERNET, _PRIVATE, _OWN = 0, 1, 2
# What one program takes for the end of a host's name, and another for a part of it.
_UNCLEAR = re.compile(r"[A-Za-z0-9+.-]*:(?://)?[^/?#]*?[\x00-\x20\\\x7f]")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Reach:
    """Where one source's server may lead, for as long as the source lives: to no address more inward than its own.

    A server on the Internet may not make this machine ask its own services, or those of its network. One on this
    machine may not lead to its other services either, but for a playlist's entries, which stand for what was asked for.

    Names count as what they were found to be at first: a name server that gives an address further inward later on
    (DNS rebinding) leads nowhere. For that whoever connects asks `addresses`, and connects to nothing else: between a
    look at a name and a connection by that name its server could change its answer.
    """

    def __init__(self, leads_to: Sequence[str] = ()) -> None:
        """Prepare for a source; `begin` is called before anything else.

        Args:
            leads_to: hosts, each perhaps with a port (`HOST:PORT`), to which its server may lead wherever they are.
        """
        self._leads_to = frozenset(host.lower() for host in leads_to)
        self._first: dict[str, int] = {}  # how far inward the user's own hosts are, by the outermost of what was found
        self._own: set[tuple[str, int]] = set()
        self._limit = _INTERNET

    def begin(self, url: str) -> None:
        """Begin a connection at an address that the user gave; it may ask a name server.

        Raises:
            ReadError: there is no such host.
        """
        host, port = host_and_port(urlsplit(url))
        self._own = {(host, port)}
        try:
            now = min(map(_inwardness, _find(host)))
        except ReadError:
            if not asks_proxy(url):
                raise
            now = _INTERNET
        self._limit = self._first[host] = min(now, self._first.get(host, now))

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
        target = host_and_port(parts)
        if is_entry:
            self._own.add(target)
        self.addresses(*target)

    def addresses(self, host: str, port: int) -> list[str]:
        """Where a host is found now: those of its addresses, in the order to try them, to which a server may lead.

        Raises:
            ReadError: it has none, or none of that kind.
        """
        found = _find(host)
        named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if host in self._leads_to or named in self._leads_to:
            return found
        limit = self._limit if (host, port) in self._own else min(self._limit, _PRIVATE)
        allowed = [address for address in found if _inwardness(address) <= limit]
        if not allowed:
            what = "its name" if host in self._first else "its server"
            raise ReadError(
                f'{what} leads into this machine or network, where it may not lead (to let it: leads_to = ["{named}"])'
            )
        return allowed


def asks_proxy(url: str) -> bool:
    """Whether the environment names a proxy (`http_proxy`, `no_proxy`) that is asked instead of the address's host."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return False
    return not {"http", parts.scheme}.isdisjoint(getproxies()) and not proxy_bypass(parts.hostname or "")


def host_and_port(parts: SplitResult) -> tuple[str, int]:
    """Return the host of an address, without brackets, and its port or that of its scheme.

    Raises:
        ReadError: they cannot be read.
    """
    try:
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ReadError("its address cannot be read") from None


def _find(host: str) -> list[str]:
    """A host's addresses, each with its zone where it has one, in the order to try them."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ReadError(NO_SUCH_HOST) from None
    addresses = [_with_zone(str(address[0]), address[3] if len(address) > 3 else 0) for *_, address in found]
    return list(dict.fromkeys(addresses))


def _with_zone(address: str, zone: object) -> str:
    return address if "%" in address or not zone else f"{address}%{zone}"


def _inwardness(text: str) -> int:
    """How far inward an address is."""
    address = ipaddress.ip_address(text.partition("%")[0])
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
