"""The model as a value: what a stream refers to, and whoever scores it, tells of it or shows it asks."""

from dataclasses import dataclass
from typing import Final

from streamtag.audio import LOG_MEL_GEOMETRY, Geometry
from streamtag.audio.frontend import LOG_OFFSET
from streamtag.bundle import Bundle
from streamtag.labels import LabelSet
from streamtag.runtimes import ListRuntime, Runtime

__all__ = ["DEFAULT", "Model"]

DEFAULT: Final = "default"
"""The name of the model of streams that name none: `[model]`."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model that is open.

    Attributes:
        name: the name by which streams refer to it.
        bundle: the name of its bundle, which its scores carry.
        runtime: what runs it, in words: library, device and precision.
        labels: what the network scores; what its streams are scored on, groups and taught labels too, is in the rules
            by which they are judged.
        geometry: how it wants its sound.
        embedder: what names its embeddings: see `Bundle.embedder`.
        has_embedding: whether it gives any.
        log_offset: what its front end adds before the logarithm, where log-mel is made here.
        memory_bytes: of the machine's memory, what opening it took, for all threads that score.
    """

    name: str
    bundle: str
    runtime: str
    labels: LabelSet
    geometry: Geometry = LOG_MEL_GEOMETRY
    log_offset: float = LOG_OFFSET
    memory_bytes: int = 0
    embedder: str = ""
    has_embedding: bool = True

    @classmethod
    def of(cls, name: str, bundle: Bundle, runtime: Runtime | ListRuntime, memory_bytes: int = 0) -> "Model":
        """Return the model of a bundle that a runtime has opened."""
        words = f"{runtime.name} {runtime.device} {runtime.precision}"
        return cls(
            name,
            bundle.name,
            words,
            bundle.label_set,
            bundle.geometry,
            bundle.log_offset,
            memory_bytes,
            bundle.embedder,
            bundle.has_embedding,
        )
