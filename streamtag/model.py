"""The model as a value: what a stream refers to, and whoever scores it, tells of it or shows it asks."""

from dataclasses import dataclass
from typing import Final

from streamtag.bundle import Bundle
from streamtag.labels import LabelSet
from streamtag.runtimes import Runtime

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
        labels: what its scores are of.
    """

    name: str
    bundle: str
    runtime: str
    labels: LabelSet

    @classmethod
    def of(cls, name: str, bundle: Bundle, runtime: Runtime) -> "Model":
        """Return the model of a bundle that a runtime has opened."""
        words = f"{runtime.name} {runtime.device} {runtime.precision}"
        return cls(name, bundle.name, words, bundle.label_set)
