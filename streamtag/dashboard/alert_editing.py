"""Alerts as the page's form gives them: read, and written into the configuration."""

import tomllib
from pathlib import Path
from typing import Any, Final

import tomlkit

from streamtag.config import load_config
from streamtag.config_alerts import LEVEL, STATE, read_alerts
from streamtag.dashboard.config_file import change_config
from streamtag.errors import ConfigError
from streamtag.settings import AlertSettings, Config
from streamtag.toml_tables import TableReader, near

__all__ = ["read_alert", "remove_alert", "save_alert"]

_HERE: Final = "alert"


def read_alert(config: Config, fields: dict[str, Any], labels: list[str]) -> AlertSettings:
    """Return an alert of a form.

    Args:
        config: The settings that it belongs to.
        fields: Its keys, as they would stand in the file.
        labels: Those of the service, empty where it is not known.

    Raises:
        ConfigError: It is none; the text names the key.
    """
    document: dict[str, Any] = {}
    if config.path is not None:
        try:
            document = tomllib.loads(config.path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError("The configuration cannot be read.") from error
    document["alert"] = [fields]
    streams = {stream.id for stream in config.streams}
    try:
        (alert,) = read_alerts(TableReader(Path(_HERE), ""), document, streams=streams, notify=config.notify)
    except ConfigError as error:
        text = str(error).removeprefix(f"{_HERE}: ").removeprefix("[[alert]] ")
        raise ConfigError(f"{text[0].upper()}{text[1:]}.") from error
    for label in (alert.when, *alert.unless):
        if labels and label not in (LEVEL, STATE, *labels):
            raise ConfigError(f"The model has no label {label}{near(label, labels)}")
    return alert


def save_alert(path: Path, fields: dict[str, Any], before: str) -> None:
    """Write an alert into a configuration, in the place of the one that was called `before`, else after all others.

    Raises:
        ConfigError: The file cannot be read or written, or would not be a configuration afterwards.
    """

    def change(document: tomlkit.TOMLDocument) -> None:
        if "alert" not in document:
            document.append("alert", tomlkit.aot())
        alerts: Any = document["alert"]
        table = next((each for each in alerts if before and each.get("name") == before), None)
        if table is None:
            alerts.append(_filled(tomlkit.table(), fields))
        else:
            for key in [key for key in table if key not in fields]:
                del table[key]
            _filled(table, fields)

    change_config(path, change, "the alert was")


def remove_alert(path: Path, name: str) -> None:
    """Take an alert out of a configuration.

    Raises:
        ConfigError: As of `save_alert`; or there is none of that name.
    """
    if all(alert.name != name for alert in load_config(path).alerts):
        raise ConfigError("There is no such alert any more.")

    def change(document: tomlkit.TOMLDocument) -> None:
        alerts: Any = document["alert"]
        for index in [index for index, each in enumerate(alerts) if each.get("name") == name]:
            del alerts[index]
        if not len(alerts):
            del document["alert"]

    change_config(path, change, "the alert was")


def _filled(table: Any, fields: dict[str, Any]) -> Any:
    for key, value in fields.items():
        if key not in table or table[key] != value:
            table[key] = value
    return table
