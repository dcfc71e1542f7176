"""What the page asks about alerts: which there are, what came of them, one tried on the last day, one saved."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamtag.alerts import Decision
from streamtag.alerts.log import Logged, log_path, read_log
from streamtag.alerts.replay import can_be_replayed, replay_history
from streamtag.dashboard.alert_editing import read_alert, remove_alert, save_alert
from streamtag.dashboard.alert_words import sentence
from streamtag.dashboard.config_file import EditableConfig, error_response
from streamtag.dashboard.hub import Hub
from streamtag.errors import ConfigError, HistoryError
from streamtag.history import HistoryReader
from streamtag.settings import AlertSettings, Config
from streamtag.sinks.names import service_name

__all__ = ["AlertRoutes"]

_SHOWN: Final = 100
_DAY: Final = 86_400.0
_KEYS: Final = frozenset(AlertSettings.__struct_fields__)


class AlertRoutes:
    """Answers about alerts, and saves them where the page may write."""

    def __init__(self, hub: Hub, config: Config, *, may_write: bool) -> None:
        self._hub = hub
        self._config = EditableConfig(config, may_write=may_write)

    def show(self, request: Request) -> Response:
        """Answer with all alerts, what they told and held back last, and whom they may tell."""
        try:
            config = self._config.read()
        except ConfigError as error:
            return error_response(error)
        try:
            logged = read_log(log_path(config, service_name(config.service.name)), _SHOWN)
        except sqlite3.Error:
            logged = []  # of another version, or damaged: whoever writes it says so in its log
        return JSONResponse(
            {
                "alerts": [{"fields": _fields(alert), "words": sentence(alert)} for alert in config.alerts],
                "told": [_logged(each) for each in logged if each.is_told],
                "held": [_logged(each) for each in logged if not each.is_told],
                "recipients": [
                    *(["mqtt"] if config.mqtt is not None else []),
                    *(["nats"] if config.nats is not None else []),
                    *(["webhook"] if config.webhooks else []),
                    *(notify.name for notify in config.notify),
                ],
                "cannot_save": self._config.why_not,
            }
        )

    def preview(self, request: Request) -> Response:
        """Answer with what an alert would have told and held back in the last day."""
        try:
            config = self._config.read()
            alert = read_alert(config, _asked(request), self._hub.every_label())
            if not can_be_replayed(alert):
                raise LookupError("A history holds events, and neither levels nor states: this cannot be tried.")
            if config.history.path is None:
                raise LookupError("No history is kept to try it on: [history] path in the configuration asks for one.")
            now = time.time()
            reader = HistoryReader(Path(config.history.path))
            found, is_whole = replay_history(reader, [alert], config.service.location, since=now - _DAY, until=now)
        except (ConfigError, LookupError, HistoryError) as error:
            return error_response(error)
        told = [decision for decision in found if decision.is_told]
        return JSONResponse(
            {
                "words": sentence(alert),
                "told": len(told),
                "held": len(found) - len(told),
                "whole": is_whole,
                "decisions": [_decision(decision) for decision in reversed(found[-_SHOWN:])],
            }
        )

    def save(self, request: Request) -> Response:
        """Write an alert into the configuration; the service takes it over by itself."""

        def write(path: Path) -> None:
            fields = _asked(request)
            read_alert(self._config.read(), fields, self._hub.every_label())
            save_alert(path, fields, request.query_params.get("before", ""))

        return self._config.save(write)

    def remove(self, request: Request) -> Response:
        """Take an alert out of the configuration."""
        return self._config.save(lambda path: remove_alert(path, request.query_params.get("name", "")))


def _asked(request: Request) -> dict[str, Any]:
    """Return the keys of the alert that a request holds.

    Raises:
        LookupError: It holds none.
    """
    try:
        fields = json.loads(request.query_params.get("alert", ""))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not _KEYS.issuperset(fields):
        raise LookupError("That is no alert.")
    return fields


def _fields(alert: AlertSettings) -> dict[str, Any]:
    """Return an alert's keys that are other than their defaults."""
    every = msgspec.structs.fields(AlertSettings)
    return {
        field.name: value
        for field in every
        if (value := getattr(alert, field.name)) != field.default and value is not None
    }


def _logged(each: Logged) -> dict[str, Any]:
    return {
        "time": each.time,
        "alert": each.alert,
        "stream": each.stream,
        "what": each.what,
        "value": each.value,
        "reason": each.reason,
    }


def _decision(each: Decision) -> dict[str, Any]:
    return {
        "time": each.moment.wall,
        "stream": each.stream,
        "what": each.what,
        "value": each.value,
        "told": each.is_told,
        "reason": each.reason,
    }
