"""A request's body: how large it may be, and how slowly it may come."""

import asyncio
import time
from typing import Final, Literal

from starlette.types import Message, Receive, Scope

__all__ = ["CUT_OFF", "Body", "read_all"]

CUT_OFF: Final = "streamtag.cut_off"
"""Where a request's scope says why its body was cut off: "large" or "slow"."""
_LEAST_BYTES_A_SECOND: Final = 16 << 10
_TIMEOUT_SECONDS: Final = 8.0
"""A body may be so much later than one that comes with the least speed."""


class Body:
    """Hands a body on; whoever reads one that is too large or too slow is told that the client is gone."""

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        """Read a request of at most `most` bytes."""
        self._scope = scope
        self._receive = receive
        self._left = most
        self._bytes = 0
        self._waited = 0.0  # for the client, not for whoever reads
        self._is_whole = False

    async def __call__(self) -> Message:
        """Return the next message."""
        if CUT_OFF in self._scope:
            return {"type": "http.disconnect"}
        if self._is_whole:
            return await self._receive()
        remaining = _TIMEOUT_SECONDS + self._bytes / _LEAST_BYTES_A_SECOND - self._waited
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, remaining)):
                message = await self._receive()
        except TimeoutError:
            return self._cut_off("slow")
        self._waited += time.monotonic() - began
        self._is_whole = not message.get("more_body", False)
        size = len(message.get("body", b""))
        self._bytes += size
        self._left -= size
        return message if self._left >= 0 else self._cut_off("large")

    def _cut_off(self, why: Literal["large", "slow"]) -> Message:
        self._scope[CUT_OFF] = why
        return {"type": "http.disconnect"}


async def read_all(body: Body) -> bytes:
    """Return the whole of a small body, nothing where it was cut off."""
    parts = []
    while True:
        message = await body()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
