"""The service's configuration: a TOML file read into typed, frozen settings, every error with its line.

Paths in a configuration (the bundle's, the history's, a file's to play) are relative to the file's own folder.
"""

import re
import tomllib
from collections.abc import Collection, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from streamtag.config_alerts import check_span, named_labels, read_alerts, read_notify
from streamtag.config_models import check_groups, read_group_labels, read_groups, read_model, read_models
from streamtag.errors import ConfigError
from streamtag.settings import (
    DEFAULT_OFF,
    DEFAULT_ON,
    Config,
    EventSettings,
    HistorySettings,
    LabelThresholds,
    MetricsSettings,
    ModelSettings,
    MqttSettings,
    NamedLabel,
    NatsSettings,
    PageSettings,
    ScoreSettings,
    ServiceSettings,
    Stream,
    WebhookSettings,
)
from streamtag.sink_kinds import SINKS
from streamtag.source_kinds import FORMS, who_takes
from streamtag.toml_lines import KeyPath
from streamtag.toml_tables import TableReader, near, quoted

__all__ = [
    "Config",
    "EventSettings",
    "HistorySettings",
    "LabelThresholds",
    "ModelSettings",
    "ScoreSettings",
    "ServiceSettings",
    "Stream",
    "check_labels",
    "load_config",
]

_S = TypeVar("_S", bound=Struct)
_SECTIONS = (
    "service",
    "model",
    "models",
    "groups",
    "scores",
    "events",
    *(kind.section for kind in SINKS),
    "page",
    "stream",
)


def load_config(path: str | Path, besides: Collection[str] = ()) -> Config:
    """Read a configuration file.

    Args:
        path: the file.
        besides: sections that somebody else reads.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or has a key that is unknown, of the wrong type, out of
            range or at odds with another; the text names file, line and key, and says what the key may be.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")  # some editors put a mark before it
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text in UTF-8 (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_error(path, str(error))) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: its tables or arrays are nested too deeply") from error
    return _Reader(path, text).config({name: each for name, each in document.items() if name not in besides})


def check_labels(config: Config, labels: Iterable[str]) -> None:
    """Raise ConfigError if a group, `[events.labels]` or a sink names a label that the model does not have.

    Args:
        config: the settings.
        labels: all names that the model knows, those of groups left out.
    """
    known = list(labels)
    check_groups(config, known)
    known += config.groups
    for name in config.events.labels:
        if name not in known:
            line = config.label_lines.get(name)
            where = f"{config.path}, line {line}: " if line else ""
            raise ConfigError(f"{where}[events.labels.{quoted(name)}]: the model has no such label{near(name, known)}")
    for label, title, line in config.sink_labels:
        if label not in known:
            raise ConfigError(
                f"{config.path}, line {line}: {title}: the model has no label {quoted(label)}{near(label, known)}"
            )


class _Reader:
    """Turns one parsed document into settings; knows the file, for its errors."""

    def __init__(self, path: Path, text: str) -> None:
        self._tables = TableReader(path, text)

    def config(self, document: dict[str, Any]) -> Config:
        for name in document:
            if name not in _SECTIONS:
                raise self._tables.error((name,), f"{quoted(name)}: unknown section{near(name, _SECTIONS)}")
        service = self._service(document)
        model = read_model(self._tables, document.get("model", {}), ("model",), "[model]")
        models = read_models(self._tables, document)
        groups = read_groups(self._tables, document)
        history = self._section(HistorySettings, document, "history")
        streams = self._streams(document, models)
        notify = read_notify(self._tables, document)
        if len(streams) > service.max_streams:
            keys = ("stream", service.max_streams)
            raise self._tables.error(
                keys, f"[[stream]]: {len(streams)} streams, but [service] max_streams = {service.max_streams}"
            )
        return Config(
            service=service,
            model=model,
            models=models,
            groups=groups,
            scores=self._section(ScoreSettings, document, "scores"),
            events=self._events(document),
            history=msgspec.structs.replace(history, path=history.path and self._tables.absolute(history.path)),
            page=self._section(PageSettings, document, "page"),
            mqtt=self._mqtt(document),
            metrics=self._section(MetricsSettings, document, "metrics") if "metrics" in document else None,
            nats=self._nats(document),
            webhooks=self._webhooks(document),
            notify=notify,
            alerts=read_alerts(self._tables, document, streams={stream.id for stream in streams}, notify=notify),
            sections=self._other_sections(document),
            streams=streams,
            path=self._tables.path,
            label_lines=self._label_lines(document),
            sink_labels=self._sink_labels(document),
            group_labels=read_group_labels(self._tables, groups),
        )

    def _section(self, kind: type[_S], document: dict[str, Any], name: str) -> _S:
        return self._tables.read(kind, document.get(name, {}), (name,), f"[{name}]")

    def _other_sections(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return what sinks are told whose settings nobody else reads: each has its struct in its own module."""
        sections: dict[str, Any] = {}
        for kind in SINKS:
            if kind.attribute or kind.section not in document:
                continue
            settings = import_module(f"streamtag.sinks.{kind.module}").Settings
            if kind.is_list:
                tables = enumerate(self._tables.tables(document, kind.section, "each"))
                read = [self._tables.read(settings, each, (kind.section, i), kind.title) for i, each in tables]
                sections[kind.section] = tuple(read)
            else:
                sections[kind.section] = self._section(settings, document, kind.section)
        return sections

    def _service(self, document: dict[str, Any]) -> ServiceSettings:
        service = self._section(ServiceSettings, document, "service")
        for key, other in (("latitude", "longitude"), ("longitude", "latitude")):
            if getattr(service, key) is not None and getattr(service, other) is None:
                raise self._tables.error(("service", key), f"[service] {key} needs {other} beside it")
        return msgspec.structs.replace(service, keys=service.keys and self._tables.absolute(service.keys))

    def _events(self, document: dict[str, Any]) -> EventSettings:
        table = document.get("events", {})
        self._tables.check_table(table, ("events",), "[events]")
        tables = table.get("labels", {})
        self._tables.check_table(tables, ("events", "labels"), "[events.labels]")
        defaults = {key: value for key, value in table.items() if key != "labels"}
        settings = self._tables.read(EventSettings, defaults, ("events",), "[events]")
        self._check_pair(settings, ("events",), "[events]")
        defaults = {key: getattr(settings, key) for key in LabelThresholds.__struct_fields__}
        labels = {}
        for name, given in tables.items():
            keys, title = ("events", "labels", name), f"[events.labels.{quoted(name)}]"
            labels[name] = self._tables.read(LabelThresholds, given, keys, title, defaults)
            self._check_pair(labels[name], keys, title)
        return msgspec.structs.replace(settings, labels=labels)

    def _check_pair(self, thresholds: LabelThresholds, keys: KeyPath, title: str) -> None:
        on = DEFAULT_ON if thresholds.on is None else thresholds.on
        off = DEFAULT_OFF if thresholds.off is None else thresholds.off
        if off > on:
            text = f"{title} off = {off}: must not be above on = {on}"
            raise self._tables.error((*keys, "off"), text)

    def _streams(self, document: dict[str, Any], models: Collection[str]) -> tuple[Stream, ...]:
        streams: dict[str, Stream] = {}
        for index, table in enumerate(self._tables.tables(document, "stream", "stream")):
            keys = ("stream", index)
            stream = self._tables.read(Stream, table, keys, "[[stream]]")
            if stream.id in streams:
                raise self._tables.error(
                    (*keys, "id"), f"[[stream]] id = {quoted(stream.id)}: another stream has this id"
                )
            if stream.source == "-" and any(each.source == "-" for each in streams.values()):
                raise self._tables.error(
                    (*keys, "source"), '[[stream]] source = "-": another stream reads standard input already'
                )
            for key, value in table.items():
                takers = who_takes(key)
                # A flag may be false where it means nothing.
                if takers and not isinstance(value, bool) and _scheme(stream.source) not in takers:
                    only = " and ".join(dict.fromkeys(takers.values()))
                    raise self._tables.error((*keys, key), f"[[stream]] {key}: only for {only}")
            if stream.model != "default" and stream.model not in models:
                known = near(stream.model, ("default", *models))
                text = f"[[stream]] model: there is no [models.{quoted(stream.model)}]{known}"
                raise self._tables.error((*keys, "model"), text)
            if stream.pause is not None:
                check_span(self._tables, stream.pause, (*keys, "pause"), "[[stream]] pause", document)
            streams[stream.id] = msgspec.structs.replace(
                stream,
                source=self._source(stream.source),
                ca_file=stream.ca_file and self._tables.absolute(stream.ca_file),
            )
        return tuple(streams.values())

    def _mqtt(self, document: dict[str, Any]) -> MqttSettings | None:
        if "mqtt" not in document:
            return None
        mqtt = self._section(MqttSettings, document, "mqtt")
        self._tables.check_one_of("password", "password_file", mqtt, ("mqtt",), "[mqtt]")
        for key, needed in (("password", "user"), ("password_file", "user"), ("ca_file", "tls")):
            if getattr(mqtt, key) and not getattr(mqtt, needed):
                raise self._tables.error(("mqtt", key), f"[mqtt] {key} needs {needed} beside it")
        return msgspec.structs.replace(
            mqtt,
            password_file=mqtt.password_file and self._tables.absolute(mqtt.password_file),
            ca_file=mqtt.ca_file and self._tables.absolute(mqtt.ca_file),
        )

    def _nats(self, document: dict[str, Any]) -> NatsSettings | None:
        if "nats" not in document:
            return None
        nats = self._section(NatsSettings, document, "nats")
        self._tables.check_one_of("password", "password_file", nats, ("nats",), "[nats]")
        self._tables.check_one_of("token", "token_file", nats, ("nats",), "[nats]")
        has_password = nats.password is not None or nats.password_file is not None
        if has_password != (nats.user is not None):
            raise self._tables.error(("nats",), "[nats] user and password (or password_file) belong together")
        paths = {key: getattr(nats, key) for key in ("password_file", "token_file", "ca_file")}
        return msgspec.structs.replace(
            nats, **{key: self._tables.absolute(path) for key, path in paths.items() if path is not None}
        )

    def _webhooks(self, document: dict[str, Any]) -> tuple[WebhookSettings, ...]:
        hooks: dict[str, WebhookSettings] = {}
        for index, table in enumerate(self._tables.tables(document, "webhook", "address")):
            keys = ("webhook", index)
            hook = self._tables.read(WebhookSettings, table, keys, "[[webhook]]")
            self._tables.check_one_of("token", "token_file", hook, keys, "[[webhook]]")
            if hook.url in hooks:
                raise self._tables.error((*keys, "url"), "[[webhook]] url: another webhook has this address")
            try:
                urlsplit(hook.url).port  # noqa: B018 - reads it, and refuses what is none
            except ValueError as error:
                raise self._tables.error((*keys, "url"), "[[webhook]] url: its host or port cannot be one") from error
            hooks[hook.url] = msgspec.structs.replace(
                hook, token_file=hook.token_file and self._tables.absolute(hook.token_file)
            )
        return tuple(hooks.values())

    def _sink_labels(self, document: dict[str, Any]) -> tuple[NamedLabel, ...]:
        """Return the labels that sinks, alerts and the history name, after each was read."""
        sections: list[tuple[KeyPath, str, Any]] = [
            (("mqtt", "labels"), "[mqtt] labels", document.get("mqtt", {})),
            *(
                (("webhook", i, "labels"), "[[webhook]] labels", hook)
                for i, hook in enumerate(document.get("webhook", []))
            ),
            (("nats", "labels"), "[nats] labels", document.get("nats", {})),
            (("history", "no_clip_when"), "[history] no_clip_when", document.get("history", {})),
        ]
        named = [
            (label, (*keys, number), title)
            for keys, title, table in sections
            for number, label in enumerate(table.get(keys[-1], ()))
        ]
        named += named_labels(document)
        lines = self._tables.lines() if named else {}
        return tuple(NamedLabel(label, title, lines[keys]) for label, keys, title in named)

    def _label_lines(self, document: dict[str, Any]) -> dict[str, int]:
        names = document.get("events", {}).get("labels", {})
        lines = self._tables.lines() if names else {}
        return {name: lines["events", "labels", name] for name in names}

    def _source(self, source: str) -> str:
        """Return the source with a path to a file or a session description made absolute."""
        rest = source.partition(":")[2]
        if source == "-" or rest.startswith("//"):
            return source
        scheme = _scheme(source)
        match FORMS.get(scheme):
            case "path":
                return f"{scheme}:{self._tables.absolute(rest)}"
            case "name":
                return f"{scheme}:{rest}"
        # A recording's name may hold a colon: "take:2.wav" is a file if such a file is there.
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", source) and not self._tables.is_there(source):
            return source
        return self._tables.absolute(source)


def _scheme(source: str) -> str:
    """Return what stands before the colon; nothing says that it is a scheme."""
    scheme, colon, _ = source.partition(":")
    return scheme.lower() if colon or source == "-" else ""


def _syntax_error(path: Path, message: str) -> str:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if found is None:
        return f"{path}: not TOML: {message}"
    return f"{path}, line {found[2]}, column {found[3]}: not TOML: {found[1]}"
