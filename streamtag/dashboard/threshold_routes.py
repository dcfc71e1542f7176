"""What the page asks about thresholds: a label's scores, other thresholds tried, thresholds saved."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamtag.bundle import Bundle
from streamtag.dashboard.config_file import EditableConfig, error_response
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.queries import number
from streamtag.dashboard.tuning import save_thresholds, would_fire
from streamtag.errors import BundleError, ConfigError
from streamtag.events import Thresholds, thresholds_of
from streamtag.labels import LabelSet
from streamtag.settings import Config

__all__ = ["ThresholdRoutes"]

_TUNING_SECONDS: Final = 3600.0


class ThresholdRoutes:
    """Answers about thresholds, and saves them where the page may write."""

    def __init__(self, hub: Hub, config: Config, *, may_write: bool) -> None:
        self._hub = hub
        self._config = EditableConfig(config, may_write=may_write)

    def show(self, request: Request) -> Response:
        """Answer with a label's scores over the last hour, its thresholds, and the events that they made of it."""
        stream, label = request.query_params.get("stream", ""), request.query_params.get("label", "")
        try:
            thresholds = self._thresholds(label)
            times, spans, scores = self._scores(stream, label)
        except (ConfigError, LookupError) as error:
            return error_response(error)
        return JSONResponse(
            {
                "times": times.round(2).tolist(),
                "scores": scores.astype(float).round(4).tolist(),
                "on": thresholds.on,
                "off": thresholds.off,
                "hold_seconds": thresholds.hold_seconds,
                "min_seconds": thresholds.min_seconds,
                "events": [_fired(event) for event in would_fire(times, spans, scores, thresholds)],
                "cannot_save": self._config.why_not,
            }
        )

    def preview(self, request: Request) -> Response:
        """Answer with the events that other thresholds would have made of the last hour."""
        query = request.query_params
        label = query.get("label", "")
        try:
            thresholds = self._with(label, query.get("on"), query.get("off"))
            times, spans, scores = self._scores(query.get("stream", ""), label)
        except (ConfigError, LookupError) as error:
            return error_response(error)
        return JSONResponse({"events": [_fired(event) for event in would_fire(times, spans, scores, thresholds)]})

    def save(self, request: Request) -> Response:
        """Write a label's thresholds into the configuration; the service takes them over by itself."""
        query = request.query_params
        label = query.get("label", "")

        def write(path: Path) -> None:
            if label not in self._hub.every_label():
                raise LookupError("The model has no such label.")
            thresholds = self._with(label, query.get("on"), query.get("off"))
            save_thresholds(path, label, thresholds.on, thresholds.off)

        return self._config.save(write)

    def _thresholds(self, label: str) -> Thresholds:
        config = self._config.read()
        return thresholds_of(label, config.events, self._asked(config))

    def _asked(self, config: Config) -> Mapping[str, Mapping[str, float]]:
        """Return what the service's model asks for, as far as it is the configured one and can be read here."""
        try:
            bundle = Bundle.open(config.model.bundle)
            if bundle.labels != self._hub.labels()[: len(bundle.labels)]:
                return {}
            return LabelSet(bundle.labels, bundle.label_set.thresholds, groups=config.groups).thresholds
        except BundleError:
            return {}

    def _with(self, label: str, on: str | None, off: str | None) -> Thresholds:
        high, low = number(on), number(off)
        if high is None or low is None or not 0 <= low <= high <= 1:
            raise LookupError("Thresholds lie between 0 and 1, and the end's is not above the beginning's.")
        return replace(self._thresholds(label), on=high, off=low)

    def _scores(self, stream: str, label: str) -> tuple[Any, Any, Any]:
        labels = self._hub.labels(stream)
        if label not in labels:
            raise LookupError("The model has no such label." if labels else "The tagging service is not running.")
        times, spans, scores = self._hub.scores(stream, _TUNING_SECONDS)
        if not len(times):
            raise LookupError("Nothing has been heard of this stream yet.")
        return times, spans, scores[:, labels.index(label)]


def _fired(event: Any) -> dict[str, float]:
    return {"begin": round(event.begin, 2), "end": round(event.end, 2), "peak": round(event.peak, 4)}
