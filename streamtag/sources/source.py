"""What every source of sound offers, and what is asked of it when it is opened."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from streamtag.audio.block import Block

__all__ = ["OnState", "Request", "Source", "Timeouts", "ignore_state"]

OnState = Callable[[str, str], None]
"""Called from the source's thread at each change with a state (live, reconnecting, stalled) and a plain reason."""


def ignore_state(state: str, reason: str) -> None:
    """The listener of those who do not care about states."""


class Source(Protocol):
    """A stream of sound: iterate to get its blocks, close it from any thread."""

    name: str
    """The URI without secrets."""
    rate: int
    """Samples a second; 0 until the first block is there."""
    channels: int
    """0 until the first block is there."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Block]: ...

    def close(self) -> None:
        """End the iteration within half a second; may be called from any thread, and more than once."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a live source waits before it takes a connection for dead, and before it tries again."""

    open_seconds: float = 10.0
    """To connect and give the first audio, beyond `read_seconds`: a server may take the sum of both to answer."""
    read_seconds: float = 10.0
    """Without audio on an open connection."""
    first_delay: float = 1.0
    """The shortest wait before the next try, in seconds."""
    longest_delay: float = 60.0
    """The longest wait before the next try, in seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """One source to open: the URI taken apart, and the options that not every kind of source has."""

    uri: str
    rest: str
    """The URI after its scheme, for kinds whose scheme is this project's own (mic, file, sdp)."""
    on_state: OnState = ignore_state
    realtime: bool = False
    loop: bool = False
    rate: int | None = None
    channels: int | None = None
    sample_format: str | None = None
    ca_file: str | None = None
    leads_to: Sequence[str] = ()
    timeouts: Timeouts = Timeouts()
