"""RTSP as it goes over a connection (RFC 2326, sections 4 to 6 and 10.12): messages, and packets between them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import md5
from typing import Self
from urllib.parse import unquote

__all__ = ["Message", "Parser", "RtspError", "signed"]

_MOST_HEAD_BYTES = 64 << 10
_MOST_BODY_BYTES = 1 << 20
_PACKET_HEAD_BYTES = 4  # a dollar, the channel, and the length in two bytes
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_PARAMETER = re.compile(r'([a-z]+)\s*=\s*(?:"([^"]*)"|([^\s,"]*))', re.IGNORECASE)


class RtspError(Exception):
    """What came is no RTSP."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a reply."""

    first: tuple[str, str, str]
    """The words of its first line: method, address and version, or version, status and reason."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def decode(cls, head: bytes) -> Self:
        """Read all before the body.

        Raises:
            RtspError: its first line is none.
        """
        first, *lines = re.sub(rb"[\r\0]", b"", head).decode("latin-1").split("\n")
        words = first.split(maxsplit=2)
        words += [""] * (3 - len(words))
        if not (words[0].startswith("RTSP/") and re.fullmatch(r"[0-9]{1,4}", words[1])) and not (
            words[2].startswith("RTSP/") and re.fullmatch(r"[A-Z_]+", words[0])
        ):
            raise RtspError
        headers = (line.partition(":") for line in lines if ":" in line)
        return cls((words[0], words[1], words[2]), tuple((name.strip(), value.strip()) for name, _, value in headers))

    @property
    def status(self) -> int | None:
        """The number of a reply; None for a request."""
        return int(self.first[1]) if self.first[0].startswith("RTSP/") else None

    def value(self, name: str) -> str | None:
        """The first of the headers of that name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def with_values(self, name: str, change: Callable[[str], str]) -> Self:
        """The same with other values of all headers of that name."""
        headers = ((key, change(value) if key.lower() == name else value) for key, value in self.headers)
        return replace(self, headers=tuple(headers))

    def encode(self) -> bytes:
        """As it goes over a connection; in one way only, whatever liberties its sender took."""
        lines = [" ".join(self.first).rstrip(), *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class Parser:
    """Takes apart what comes on one connection in one direction."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes | Message]:
        """Return what is whole by now: messages, and packets as they are, several in one.

        Raises:
            RtspError: it is no RTSP, or more in one message than any needs.
        """
        self._held += data
        while part := self._take_packets() or self._take_message():
            yield part

    def _take_packets(self) -> bytes:
        held, end = self._held, 0
        while held[end : end + 1] == b"$" and len(held) >= end + _PACKET_HEAD_BYTES:
            behind = end + _PACKET_HEAD_BYTES + int.from_bytes(held[end + 2 : end + 4])
            if len(held) < behind:
                break
            end = behind
        self._held = held[end:]
        return held[:end]

    def _take_message(self) -> Message | None:
        self._held = self._held.lstrip()
        if not self._held or self._held.startswith(b"$"):
            return None
        found = _END_OF_HEAD.search(self._held)
        if (found.start() if found else len(self._held)) > _MOST_HEAD_BYTES:
            raise RtspError
        if found is None:
            return None
        message = Message.decode(self._held[: found.start()])
        length = message.value("content-length") or "0"
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > _MOST_BODY_BYTES:
            raise RtspError
        body = self._held[found.end() : found.end() + int(length)]
        if len(body) < int(length):
            return None
        self._held = self._held[found.end() + int(length) :]
        others = tuple(header for header in message.headers if header[0].lower() != "content-length")
        headers = (*others, ("Content-Length", str(len(body)))) if body else others
        return replace(message, headers=headers, body=body)


def signed(value: str, method: str, address: str, account: str) -> str:
    """Return the value of an `Authorization` header as it is for another address (digest: RFC 2617, section 3.2.2).

    Args:
        value: the header's; all but a digest says nothing of an address, and stays.
        method: of the request.
        address: of the request.
        account: user and password as they stand in a URL.
    """
    if not value.lower().startswith("digest "):
        return value
    told = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value)}
    user, _, password = account.partition(":")
    secret = _md5(unquote(user), told.get("realm", ""), unquote(password))
    if told.get("algorithm", "").lower() == "md5-sess":
        secret = _md5(secret, told.get("nonce", ""), told.get("cnonce", ""))
    once = [told.get("nonce", "")]
    if "qop" in told:
        once += [told.get("nc", ""), told.get("cnonce", ""), told["qop"]]
    changed = {"uri": address, "response": _md5(secret, *once, _md5(method, address))}
    return re.sub(r'\b(uri|response)="[^"]*"', lambda found: f'{found[1]}="{changed[found[1]]}"', value)


def _md5(*parts: str) -> str:
    return md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()
