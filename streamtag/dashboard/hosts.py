"""Under which names the page may be asked for, so that no other site's name leads a browser to it."""

import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

__all__ = ["HostNames", "is_loopback"]

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,253}))(?::(\d{1,5}))?")
_PORTS: Final = {"http": "80", "https": "443"}


class HostNames:
    """The names a page goes by: addresses, `localhost`, this machine's own names, and those that were configured.

    A browser that was led here by another site's name (DNS rebinding) sends that name, which is none of these; an
    address cannot be rebound.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        own = socket.gethostname().lower()
        short = own.partition(".")[0]
        self._names = {"localhost", own, short, f"{short}.local", *(_plain(name) for name in names)}

    def refusal(self, host: str) -> str:
        """Tell why a `Host` header is not answered, empty where it is."""
        found = _HOST.fullmatch(host)
        if found is None:
            return "The request names no host that could be one."
        name = _plain(found[1] or found[2])
        if self._is_known(name):
            return ""
        return f"This page does not go by the name {name}: open it by its address, or start it with --host-name {name}."

    def _is_known(self, name: str) -> bool:
        return _is_address(name) or name in self._names

    @staticmethod
    def is_same_site(origin: str, host: str) -> bool:
        """Tell whether an `Origin` header is that of a page which was asked for under this `Host`."""
        scheme, separator, rest = origin.partition("://")
        return bool(separator) and scheme in _PORTS and _with_port(rest, scheme) == _with_port(host, scheme) != ""


def is_loopback(host: str) -> bool:
    """Tell whether an address or name is of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _with_port(host: str, scheme: str) -> str:
    found = _HOST.fullmatch(host)
    return f"{(found[1] or found[2]).lower()} {found[3] or _PORTS[scheme]}" if found else ""
