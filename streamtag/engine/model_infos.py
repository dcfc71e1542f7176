"""What is told of a service's models: what they are, what they cost, how much they do."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from streamtag.engine.measures import ModelUse, used
from streamtag.engine.models import Models
from streamtag.engine.stream import EngineStream
from streamtag.wire.messages import ModelInfo

__all__ = ["ModelInfos"]

_LEAST_SECONDS: Final = 1.0


class ModelInfos:
    """Makes what is told of the models, and knows what was told last."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._seconds: dict[str, float] = {}  # that each model had worked then
        self._loads: dict[str, float] = {}

    def collect(
        self, models: Models, streams: Iterable[EngineStream], uses: Sequence[dict[str, ModelUse]]
    ) -> dict[str, ModelInfo]:
        """Return what is to be told, by the models' names.

        Args:
            models: the models.
            streams: all streams.
            uses: of each thread that scores, what it used each model for.
        """
        together = used(uses)
        counts = Counter(stream.stage.model.name for stream in streams)
        self._measure({name: use.seconds for name, use in together.items()})
        infos = {}
        for name, opened in models.opened.items():
            model, labels, use = opened.model, models.labels[name], together.get(name, ModelUse())
            infos[name] = ModelInfo(
                bundle=model.bundle,
                runtime=model.runtime,
                labels=list(labels.names),
                labels_hash=labels.hash,
                rate=model.geometry.rate,
                samples=model.geometry.samples,
                hop=model.geometry.hop,
                streams=counts[name],
                patches=use.patches,
                bad_patches=use.bad_patches,
                load=round(self._loads.get(name, 0.0), 4),
                memory_bytes=model.memory_bytes,
            )
        return infos

    def _measure(self, seconds: dict[str, float]) -> None:
        """Take note of the share of one core that each model worked since the last time, unless that just was."""
        passed = time.monotonic() - self._since
        if passed < _LEAST_SECONDS:
            return
        self._loads = {name: (now - self._seconds.get(name, 0.0)) / passed for name, now in seconds.items()}
        self._since += passed
        self._seconds = seconds
