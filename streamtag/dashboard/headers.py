"""What every answer tells a browser: that the page's scripts, frames and connections are its own."""

import base64
import hashlib
import re
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeaders"]

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'{scripts}",
        "style-src 'self' 'unsafe-inline'",  # Gradio's components style themselves
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors {frames}",
    )
)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
}
_INLINE_SCRIPT: Final = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class SecurityHeaders:
    """Adds the headers. The scripts that stand in Gradio's own page are named by their hashes; no other ones run."""

    def __init__(self, app: ASGIApp, *, in_frame: bool = False) -> None:
        """Stand before an application.

        Args:
            app: What is behind this.
            in_frame: Whether other pages of the same origin may show this one within theirs.
        """
        self._app = app
        self._frames = ("'self'", "SAMEORIGIN") if in_frame else ("'none'", "DENY")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            send = _SendWithHeaders(send, self._frames)
        await self._app(scope, receive, send)


class _SendWithHeaders:
    """Holds back a page until its scripts are known; lets everything else through."""

    def __init__(self, send: Send, frames: tuple[str, str]) -> None:
        self._send = send
        self._frames = frames
        self._start: Message | None = None
        self._page = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers:
                self._start = message
                return
            self._complete(headers, "")
        elif self._start is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if message.get("more_body", False):
                return
            start, self._start = self._start, None
            self._complete(MutableHeaders(scope=start), _hashes(bytes(self._page)))
            await self._send(start)
            message = {"type": "http.response.body", "body": bytes(self._page)}
        await self._send(message)

    def _complete(self, headers: MutableHeaders, scripts: str) -> None:
        ancestors, older = self._frames
        headers["Content-Security-Policy"] = _POLICY.format(scripts=scripts, frames=ancestors)
        headers["X-Frame-Options"] = older
        for name, value in _HEADERS.items():
            headers[name] = value


def _hashes(page: bytes) -> str:
    # What stands in the page comes from Gradio's template and from us; nothing in it was sent by a visitor but the
    # host's name, of which only letters, digits, dots, hyphens and underscores were let in.
    digests = [hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page)]
    return "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
