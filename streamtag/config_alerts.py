"""What a configuration says of alerts and notifications, read and checked against the rest of it."""

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from streamtag.daytime import Span
from streamtag.settings import AlertSettings, NotifySettings
from streamtag.toml_lines import KeyPath
from streamtag.toml_tables import TableReader, near, quoted

__all__ = ["LEVEL", "STATE", "STATES", "check_span", "named_labels", "read_alerts", "read_notify"]

LEVEL: Final = "level"
STATE: Final = "state"
STATES: Final = ("starting", "live", "paused", "reconnecting", "stalled", "ended", "failed")
_TROUBLE: Final = ("reconnecting", "stalled", "failed")
"""The states that an alert on states goes by where it names none."""
_OTHERS: Final = {"mqtt": "[mqtt]", "nats": "[nats]", "webhook": "[[webhook]]"}
"""What an alert can be sent to besides notifications, which cannot be called so, and the section of each."""
_SOUND: Final = (-120.0, 0.0)


def read_notify(tables: TableReader, document: dict[str, Any]) -> tuple[NotifySettings, ...]:
    """Read `[[notify]]`.

    Raises:
        ConfigError: a table is wrong, two have the same name, or one has no address.
    """
    found: dict[str, NotifySettings] = {}
    for index, table in enumerate(tables.tables(document, "notify", "recipient")):
        keys = ("notify", index)
        notify = tables.read(NotifySettings, table, keys, "[[notify]]")
        tables.check_one_of("urls", "urls_file", notify, keys, "[[notify]]")
        if notify.urls is None and notify.urls_file is None:
            raise tables.error(keys, "[[notify]]: urls or urls_file is missing, which says where it goes")
        if notify.name in _OTHERS:
            raise tables.error(
                (*keys, "name"), f"[[notify]] name = {quoted(notify.name)}: that is {_OTHERS[notify.name]}"
            )
        if notify.name in found:
            raise tables.error(
                (*keys, "name"), f"[[notify]] name = {quoted(notify.name)}: another notification has this name"
            )
        found[notify.name] = msgspec.structs.replace(
            notify, urls_file=notify.urls_file and tables.absolute(notify.urls_file)
        )
    return tuple(found.values())


def read_alerts(
    tables: TableReader, document: dict[str, Any], *, streams: Collection[str], notify: Collection[NotifySettings]
) -> tuple[AlertSettings, ...]:
    """Read `[[alert]]`.

    Args:
        tables: The file's reader.
        document: What it holds.
        streams: The streams that it names.
        notify: The notifications that it names.

    Raises:
        ConfigError: a table is wrong, two have the same name, or one is at odds with itself or with the rest.
    """
    recipients = [*(name for name in _OTHERS if name in document), *(each.name for each in notify)]
    known = streams if streams and "input" not in document.get("service", {}) else None
    found: dict[str, AlertSettings] = {}
    for index, table in enumerate(tables.tables(document, "alert", "alert")):
        keys: KeyPath = ("alert", index)
        alert = _whole(tables, tables.read(AlertSettings, table, keys, "[[alert]]"), keys, recipients)
        if alert.name in found:
            raise tables.error((*keys, "name"), f"[[alert]] name = {quoted(alert.name)}: another alert has this name")
        if alert.between is not None:
            check_span(tables, alert.between, (*keys, "between"), "[[alert]] between", document)
        for number, name in enumerate(alert.streams or ()):
            if known is not None and name not in known:
                raise tables.error(
                    (*keys, "streams", number),
                    f"[[alert]] streams: there is no stream {quoted(name)}{near(name, known)}",
                )
        found[alert.name] = alert
    return tuple(found.values())


def named_labels(document: dict[str, Any]) -> Iterator[tuple[str, KeyPath, str]]:
    """Yield each label that alerts name, the path of its key, and the key in words."""
    for index, table in enumerate(document.get("alert", ())):
        if table["when"] not in (LEVEL, STATE):
            yield table["when"], ("alert", index, "when"), "[[alert]] when"
        for number, label in enumerate(table.get("unless", ())):
            yield label, ("alert", index, "unless", number), "[[alert]] unless"


def check_span(tables: TableReader, span: Span, keys: KeyPath, title: str, document: dict[str, Any]) -> None:
    """Let pass a span of the day that can be told.

    Raises:
        ConfigError: it has no length, or goes by the sun and nobody says where that is.
    """
    if span[0] == span[1]:
        raise tables.error(keys, f"{title}: begins and ends at the same time")
    if not {"sunrise", "sunset"}.isdisjoint(span) and "latitude" not in document.get("service", {}):
        raise tables.error(keys, f"{title}: sunrise and sunset need [service] latitude and longitude")


def _whole(tables: TableReader, alert: AlertSettings, keys: KeyPath, recipients: list[str]) -> AlertSettings:
    """Return an alert that is at odds with nothing, `on` and `send` filled in."""
    on = _on(tables, alert, (*keys, "on"))
    if alert.count > 1 and alert.for_seconds:
        raise tables.error((*keys, "count"), "[[alert]] count and for_seconds cannot both be there")
    if alert.when in alert.unless:
        raise tables.error((*keys, "unless"), f"[[alert]] unless: {quoted(alert.when)} is what the alert waits for")
    send = tuple(recipients) if alert.send is None else alert.send
    for number, name in enumerate(send):
        if name not in recipients:
            remedy = f"; write {_OTHERS[name]}" if name in _OTHERS else near(name, recipients)
            raise tables.error((*keys, "send", number), f"[[alert]] send: there is no {quoted(name)}{remedy}")
    return msgspec.structs.replace(alert, on=on, send=tuple(dict.fromkeys(send)))


def _on(tables: TableReader, alert: AlertSettings, keys: KeyPath) -> float | tuple[str, ...] | None:
    if alert.when == STATE:
        states = _TROUBLE if alert.on is None else alert.on
        if not isinstance(states, tuple) or not states:
            raise tables.error(keys, '[[alert]] on: of "state" it must be a list of states, such as ["failed"]')
        for state in states:
            if state not in STATES:
                raise tables.error(keys, f"[[alert]] on: there is no state {quoted(state)}{near(state, STATES)}")
        return states
    low, high = _SOUND if alert.when == LEVEL else (0.0, 1.0)
    if alert.when == LEVEL and alert.on is None:
        raise tables.error(keys, '[[alert]] on is missing, which must be of "level" a number from -120 to 0 (dBFS)')
    if isinstance(alert.on, tuple) or (alert.on is not None and not low <= alert.on <= high):
        what = 'of "level" a number from -120 to 0 (dBFS)' if alert.when == LEVEL else "of a label a score from 0 to 1"
        raise tables.error(keys, f"[[alert]] on: must be {what}")
    return alert.on
