"""What a process that scores is told, and what it says: see `worker.py` and `scoring_process.py`.

What is large, windows and scores, lies in memory that both see; these are small and of the same size for any batch.
"""

from typing import Literal

from msgspec import Struct

__all__ = ["Done", "Forget", "Map", "Open", "Opened", "Order", "Refused", "Score", "Word"]


class Open(Struct, frozen=True, tag=True):
    """Open a model, as `open_runtime` does, beside those that are open; it hears so many samples at a time."""

    bundle: str
    runtime: str
    max_batch: int
    samples: int
    model: int = 0
    """Its number from now on, which whoever looks after the process gives it."""


class Forget(Struct, frozen=True, tag=True):
    """Let go of a model, and of the memory that it takes."""

    model: int


class Map(Struct, frozen=True, tag=True):
    """Where windows and scores lie in the memory from now on; comes before what they are for is scored.

    Windows are at its beginning, one after the other; `output` bytes further are the scores of all of them, and behind
    those the embeddings, where they are asked for. All are float32.
    """

    output: int
    size: int


class Score(Struct, frozen=True, tag=True):
    """Score the windows that lie in the memory."""

    number: int
    model: int
    count: int
    embeds: bool


Order = Open | Forget | Map | Score


class Opened(Struct, frozen=True, tag=True):
    """A model is open: what runs it, the columns of its scores and embeddings, and the memory that opening it took."""

    name: str
    device: str
    precision: str
    labels: int
    embedding: int
    memory_bytes: int


class Done(Struct, frozen=True, tag=True):
    """The windows are scored."""

    number: int


class Refused(Struct, frozen=True, tag=True):
    """The model cannot be opened, or not be computed."""

    kind: Literal["BundleError", "RuntimeUnavailableError"]
    reason: str


Word = Opened | Done | Refused
