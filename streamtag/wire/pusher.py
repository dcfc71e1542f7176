"""Pushing PCM into a service from another program."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import InputError
from streamtag.keys import ClientKey
from streamtag.limits import CHANNELS, RATES, SAMPLE_FORMATS
from streamtag.wire.messages import check_stream_id
from streamtag.wire.pcm_messages import MAX_PAYLOAD_BYTES, encode_end, encode_header
from streamtag.wire.push_socket import PushSocket

__all__ = ["PcmPusher"]

_FORMATS: Final = {np.dtype(form.dtype).name: name for name, form in SAMPLE_FORMATS.items() if form.dtype}


class PcmPusher:
    """Sends sound of any number of streams to a service's PCM input.

    Args:
        endpoint: the service's ``[service] input``, such as ``tcp://127.0.0.1:5557``.
        timeout_seconds: how long `push` waits for a service that is away or behind before it raises.
        key: a client's key, or the path of its file, where the service asks for one. A stream belongs to the key that
            began it.

    Raises:
        WireError: the endpoint is malformed.
        ConfigError: the key's file cannot be used.

    Example:
        >>> with streamtag.PcmPusher("tcp://127.0.0.1:5557") as pusher:
        ...     pusher.push("yard", np.zeros(1600, np.int16), 16000)
        ...     pusher.end("yard")
    """

    def __init__(
        self, endpoint: str, timeout_seconds: float = 5.0, *, key: ClientKey | str | Path | None = None
    ) -> None:
        self._socket = PushSocket(endpoint, timeout_seconds, key)

    def push(self, stream: str, samples: NDArray[Any], rate: int, start: int | None = None) -> None:
        """Send a block of sound, in several messages where it is longer than 1 MiB.

        Args:
            stream: name of the stream; its first block makes it.
            samples: int16, int32 or float32, [n] or [n, channels]; integers at the full scale of their type.
            rate: samples a second, 8000 to 192000.
            start: index of the first sample since the stream began, so that losses show; None: follows the last block.

        Raises:
            InputError: the name, the type, the shape or the rate is not one that a service takes.
            WireError: no service took it in time.
        """
        block = samples.reshape(-1, 1) if samples.ndim == 1 else samples
        if block.ndim != 2 or not CHANNELS.hold(block.shape[1]) or samples.dtype.name not in _FORMATS:
            raise InputError(
                f"samples are {samples.dtype.name} {list(samples.shape)}; "
                f"push int16, int32 or float32 of shape [n] or [n, channels] with {CHANNELS} channels"
            )
        if not RATES.hold(rate):
            raise InputError(f"a rate of {rate} samples a second; push {RATES}")
        check_stream_id(stream)
        sample_format = _FORMATS[samples.dtype.name]
        channels = block.shape[1]
        step = MAX_PAYLOAD_BYTES // (channels * block.dtype.itemsize)
        for first in range(0, len(block), step):
            header = encode_header(stream, rate, channels, sample_format, None if start is None else start + first)
            part = np.ascontiguousarray(block[first : first + step], SAMPLE_FORMATS[sample_format].dtype)
            self._socket.send(header, part.tobytes(), "PCM")

    def end(self, stream: str) -> None:
        """Tell the service that a stream is over.

        Raises:
            InputError: the name cannot name a stream.
            WireError: no service took it in time.
        """
        self._socket.send(encode_end(check_stream_id(stream)), b"", "PCM")

    def close(self) -> None:
        """Close; what was pushed gets a second to leave."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
