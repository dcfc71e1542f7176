"""Binding and connecting, with errors that name the endpoint and the remedy."""

import errno
import socket as sockets
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

import zmq

from streamtag.errors import WireError

__all__ = ["bind", "connect", "is_local", "reachable"]

_FORM: Final = "write tcp://HOST:PORT or ipc://PATH"
_MAX_PORT: Final = 65_535
_CONNECT_TIMEOUT_MS: Final = 3000
"""A service that is flooded leaves out some who ask: to ask anew is sooner than TCP, which waits longer each time."""


def bind(socket: "zmq.Socket[Any]", endpoint: str, purpose: str) -> str:
    """Bind a socket and return the real endpoint, which differs where a wildcard (``tcp://127.0.0.1:*``) was given.

    Args:
        socket: The socket to bind.
        endpoint: ``tcp://ADDRESS:PORT`` or ``ipc://PATH``.
        purpose: What the endpoint is for, to begin the error with, such as "cannot publish on".

    Raises:
        WireError: The endpoint is in use, malformed, or not of this machine.
    """
    _check_transport(endpoint, purpose)
    if _has_ipc_listener(endpoint):
        raise WireError(f"{purpose} {endpoint}: another program listens there; stop it or choose another path")
    _allow_ipv6(socket, endpoint)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise WireError(f"{purpose} {endpoint}: {_remedy(error)}") from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def connect(socket: "zmq.Socket[Any]", endpoint: str, purpose: str) -> None:
    """Connect a socket; a service that is not there yet is waited for in the background.

    Raises:
        WireError: The endpoint is malformed.
    """
    _check_transport(endpoint, purpose)
    _allow_ipv6(socket, endpoint)
    socket.set(zmq.CONNECT_TIMEOUT, _CONNECT_TIMEOUT_MS)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise WireError(f"{purpose} {endpoint}: {_remedy(error)}") from error


def is_local(endpoint: str) -> bool:
    """Tell whether whoever reaches a bound endpoint is on this machine for certain."""
    if not endpoint.startswith("tcp://"):
        return True
    host = endpoint.removeprefix("tcp://").rpartition(":")[0]
    if host in ("localhost", "lo"):
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _check_transport(endpoint: str, purpose: str) -> None:
    if not endpoint.startswith(("tcp://", "ipc://")):
        raise WireError(f"{purpose} {endpoint!r}: {_FORM}")
    port = endpoint.rpartition(":")[2]
    if endpoint.startswith("tcp://") and port != "*" and not (port.isdecimal() and int(port) <= _MAX_PORT):
        raise WireError(f"{purpose} {endpoint}: {_FORM} with a port from 1 to {_MAX_PORT}")  # ZeroMQ would cut it


def _allow_ipv6(socket: "zmq.Socket[Any]", endpoint: str) -> None:
    """Let a socket use IPv6 where the endpoint has no other address.

    ZeroMQ tries one address alone: with IPv6 allowed, "localhost" would be ::1 though the service is on 127.0.0.1.
    """
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].rpartition(";")[2]
    if not endpoint.startswith("tcp://") or host in ("", "*"):
        return
    if ":" in host:
        socket.set(zmq.IPV6, 1)
        return
    with suppress(OSError, UnicodeError):  # whatever cannot be found now is looked for by ZeroMQ as before
        found = {family for family, *_ in sockets.getaddrinfo(host, None, type=sockets.SOCK_STREAM)}
        if found == {sockets.AF_INET6}:
            socket.set(zmq.IPV6, 1)


def _has_ipc_listener(endpoint: str) -> bool:
    """Tell whether somebody listens at an ipc endpoint, because ZeroMQ would take the path away without a word."""
    path = endpoint.removeprefix("ipc://")
    if path in (endpoint, "*", ""):
        return False
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        try:
            probe.connect("\0" + path[1:] if path.startswith("@") else path)
        except OSError:
            return False
        return True


def _remedy(error: zmq.ZMQError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is in use; stop the program that has it, or choose another port"
        case errno.ENODEV | errno.EADDRNOTAVAIL:
            return "this machine has no such address; use 127.0.0.1, [::1], * for all, or an address of this machine"
        case errno.EACCES:
            return "permission denied; choose a port above 1023 or a path in a folder that you may write to"
        case errno.ENOENT | errno.ENOTDIR:
            return "the folder of that path does not exist; make it or choose another path"
        case errno.ENAMETOOLONG:
            return "the path is too long for a socket; choose one under 100 characters"
        case _:
            return f"{_FORM} ({error.strerror})"


def reachable(told: str, address: str) -> str:
    """Return the service's input as it is reached from here; one bound to all addresses is where the other is."""
    host, _, port = told.removeprefix("tcp://").rpartition(":")
    if not told.startswith("tcp://") or host not in ("0.0.0.0", "[::]", "*"):  # noqa: S104 - told, not bound
        return told
    there = address.removeprefix("tcp://").rpartition(":")[0] if address.startswith("tcp://") else "127.0.0.1"
    return f"tcp://{there}:{port}"
