"""FLEET.toml: a service's configuration with a section `[fleet]`, and what of it each node is given."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from streamtag.config import load_config
from streamtag.errors import ConfigError
from streamtag.setting_types import Flag, Name, number, whole
from streamtag.settings import Config, ModelSettings, Stream
from streamtag.toml_tables import TableReader
from streamtag.wire.endpoints import is_local

__all__ = ["Fleet", "FleetSettings", "check_reach", "load_fleet", "node_text"]

_SECTION: Final = "fleet"
_SHARED: Final = ("service", "model", "models", "groups", "scores", "events", "stream", _SECTION)
"""What a fleet's file may hold; sinks and histories hear its endpoint like everybody else."""
_OF_ONE_MACHINE: Final = ("-", "mic:", "zmq:")


class FleetSettings(Struct, frozen=True, kw_only=True):
    """`[fleet]`: what a service needs of a node, and how full a node gets.

    `cpus` and `gpus` are Ray's, which a node must have; `headroom` is the share of what a node could carry that stays
    free; `streams_per_node` is taken for its room until its service knows it. `loopback` lets services be heard on
    their own machine alone, where all nodes are on one.
    """

    name: Name = "fleet"
    cpus: Annotated[float, number(0.1, 1024)] = 1.0
    gpus: Annotated[float, number(0, 64)] = 0.0
    headroom: Annotated[float, number(0, 0.9)] = 0.2
    streams_per_node: Annotated[int, whole(1, 100_000)] = 50
    loopback: Flag = False


class Fleet(NamedTuple):
    """What a fleet's file says.

    Attributes:
        settings: Of `[fleet]`.
        config: All else, as a service would read it.
        document: The same as it is written, for the nodes.
    """

    settings: FleetSettings
    config: Config
    document: dict[str, Any]

    @property
    def streams(self) -> dict[str, Stream]:
        """By name."""
        return {stream.id: stream for stream in self.config.streams}


def load_fleet(path: str | Path) -> Fleet:
    """Read a fleet's file.

    Raises:
        ConfigError: As `load_config`; or it has a section or a source that belongs to one machine.
    """
    path = Path(path)
    config = load_config(path, besides=(_SECTION,))
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    document = tomllib.loads(text)
    tables = TableReader(path, text)
    settings = tables.read(FleetSettings, document.get(_SECTION, {}), (_SECTION,), f"[{_SECTION}]")
    for section in document:
        if section not in _SHARED:
            raise tables.error(
                (section,),
                f'"{section}" is not for a fleet: write it in a file of its own, and run '
                f"streamtag relay FILE --connect {config.service.endpoint}",
            )
    if config.service.input is not None:
        raise tables.error(("service", "input"), "[service] input: a fleet takes no PCM; push it to a service")
    for number_, table in enumerate(document.get("stream", ())):
        if str(table["source"]).startswith(_OF_ONE_MACHINE):
            keys = ("stream", number_, "source")
            raise tables.error(keys, "[[stream]] source: that is of one machine: a fleet's streams can be read on any")
    return Fleet(settings, config, document)


def check_reach(fleet: Fleet) -> None:
    """Let pass sockets that strangers cannot reach, or that ask them for a key, or are meant to be open.

    Raises:
        ConfigError: They are none of these.
    """
    service = fleet.config.service
    if service.keys is not None or service.open:
        return
    reached = "[service] endpoint" if not is_local(service.endpoint) else "each node's service"
    if reached != "each node's service" or not fleet.settings.loopback:
        raise ConfigError(
            f"{fleet.config.path}: {reached} would let in everybody who reaches it from other machines: make keys with "
            '"streamtag keys new keys", copy them to the same folder of every node and set [service] keys, or allow it '
            "with open = true; [fleet] loopback = true where all nodes are on this machine"
        )


def node_text(fleet: Fleet, streams: Iterable[Stream], endpoint: str) -> str:
    """Return the configuration of a node's service.

    Args:
        fleet: The fleet's file.
        streams: What the node scores.
        endpoint: Where its service publishes.
    """
    document = {name: table for name, table in fleet.document.items() if name not in (_SECTION, "stream")}
    service = {**document.get("service", {}), "endpoint": endpoint}
    if fleet.config.service.keys is not None:
        service["keys"] = fleet.config.service.keys
    models = {name: _model(table, fleet.config.models[name]) for name, table in document.get("models", {}).items()}
    document = {**document, "model": _model(document.get("model", {}), fleet.config.model)}
    document |= {"models": models} if models else {}
    written = [msgspec.to_builtins(stream) for stream in streams]
    given = [{key: value for key, value in stream.items() if value is not None} for stream in written]
    return _toml({**document, "service": service, "stream": given})


def _model(table: Mapping[str, Any], settings: ModelSettings) -> dict[str, Any]:
    """Return what a file says of a model, its paths from the root."""
    return {**table, "bundle": settings.bundle, **({"heads": settings.heads} if settings.heads is not None else {})}


def _toml(document: Mapping[str, Any], above: Sequence[str] = ()) -> str:
    """Write tables as TOML: what is no table first, as it must be."""
    text = "".join(f"{_quoted(key)} = {_value(value)}\n" for key, value in document.items() if not _is_table(value))
    for key, value in document.items():
        path = (*above, key)
        name = ".".join(map(_quoted, path))
        if isinstance(value, Mapping):
            text += f"[{name}]\n{_toml(value, path)}"
        elif _is_table(value):
            text += "".join(f"[[{name}]]\n{_toml(each, path)}" for each in value)
    return text


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    raise ConfigError(f"a fleet's file cannot hold {type(value).__name__}")
