"""Asking a service not to score a stream, or to score it again."""

from pathlib import Path
from types import TracebackType
from typing import Self

from streamtag.keys import ClientKey
from streamtag.wire.messages import check_stream_id
from streamtag.wire.pcm_messages import encode_pause
from streamtag.wire.push_socket import PushSocket

__all__ = ["ServiceControl"]


class ServiceControl:
    """Sends requests to a service's input; what came of one stands in the stream's status, as `paused`.

    Args:
        endpoint: The service's ``[service] input``, such as ``tcp://127.0.0.1:5557``; ``service/`` names it.
        timeout_seconds: How long a request waits for a service that is away or behind before it raises.
        key: A client's key, or the path of its file, where the service asks for one. A stream that somebody pushes is
            paused by the key that began it, or by the service's own; any other stream by every key.

    Raises:
        WireError: The endpoint is malformed.
        ConfigError: The key's file cannot be used.
    """

    def __init__(
        self, endpoint: str, timeout_seconds: float = 5.0, *, key: ClientKey | str | Path | None = None
    ) -> None:
        self._socket = PushSocket(endpoint, timeout_seconds, key)

    def pause(self, stream: str) -> None:
        """Have a stream stay connected and not be scored.

        Raises:
            InputError: The name cannot name a stream.
            WireError: No service took it in time.
        """
        self._ask(stream, is_paused=True)

    def resume(self, stream: str) -> None:
        """Have a stream scored again.

        Raises:
            InputError: The name cannot name a stream.
            WireError: No service took it in time.
        """
        self._ask(stream, is_paused=False)

    def close(self) -> None:
        """Close; what was asked gets a second to leave."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, stream: str, *, is_paused: bool) -> None:
        self._socket.send(encode_pause(check_stream_id(stream), is_paused=is_paused), b"", "requests")
