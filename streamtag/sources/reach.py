"""Where the playlists of a server may lead."""

import ipaddress
import socket
from urllib.parse import urlsplit

from streamtag.sources.reasons import ReadError

__all__ = ["NO_SUCH_HOST", "Reach"]

NO_SUCH_HOST = "there is no host of that name, or no name server answers"
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}


class Reach:
    """Lets a server name only addresses that are no more inward than its own.

    A playlist on the Internet may not make this machine ask its own services, or those of its network; one on this
    machine, or one of the user's own network, may name what it likes there.
    """

    def __init__(self, url: str) -> None:
        """Begin with an address that the user gave."""
        self._host = urlsplit(url).hostname or ""
        self._inwardness: int | None = None
        self._allowed = {self._host}

    def check(self, url: str, schemes: tuple[str, ...]) -> None:
        """Look at an address that a server names; it may ask a name server.

        Raises:
            ReadError: it may not be followed.
        """
        parts = urlsplit(url)
        if parts.scheme not in schemes:
            raise ReadError("its server leads to another kind of source, which is not followed")
        host = parts.hostname or ""
        if host in self._allowed:
            return
        if self._inwardness is None:
            self._inwardness = _inwardness(self._host)
        if _inwardness(host) > self._inwardness:
            raise ReadError("its server leads into this machine or network, where it may not lead")
        self._allowed.add(host)


def _inwardness(host: str) -> int:
    """0 on the Internet, 1 in a private network, 2 on this machine or its link; the highest of a name's addresses."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ReadError(NO_SUCH_HOST) from None
    return max(_inwardness_of(ipaddress.ip_address(str(address[0]).partition("%")[0])) for *_, address in found)


def _inwardness_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        return 2
    return 0 if address.is_global else 1
