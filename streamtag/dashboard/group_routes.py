"""What the page asks about groups of labels: which there are, of what they can be made, one saved or taken away."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomlkit
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamtag.config import check_labels
from streamtag.dashboard.config_file import EditableConfig, change_config, error_response
from streamtag.dashboard.hub import Hub
from streamtag.dashboard.sound_tree import sounds_of
from streamtag.errors import ConfigError
from streamtag.settings import Config

__all__ = ["GroupRoutes"]


class _Group(msgspec.Struct, frozen=True):
    name: str
    labels: tuple[str, ...]
    before: str = ""  # what it was called


class GroupRoutes:
    """Answers about groups, and saves them where the page may write."""

    def __init__(self, hub: Hub, config: Config, *, may_write: bool) -> None:
        self._hub = hub
        self._config = EditableConfig(config, may_write=may_write)

    def show(self, request: Request) -> Response:
        """Answer with all groups, and with the tree of what the service knows."""
        try:
            config = self._config.read()
        except ConfigError as error:
            return error_response(error)
        return JSONResponse(
            {
                "groups": [{"name": name, "labels": labels} for name, labels in config.groups.items()],
                "sounds": sounds_of(self._labels(config)),
                "cannot_save": self._config.why_not,
            }
        )

    def save(self, request: Request) -> Response:
        """Write a group into the configuration; the service takes it over by itself."""
        try:
            group = msgspec.convert(json.loads(request.query_params.get("group", "")), _Group)
        except (ValueError, RecursionError):
            return error_response(LookupError("That is no group."))
        name = group.name.strip()
        if not name or not group.labels:
            return error_response(LookupError("A group has a name, and at least one sound."))

        def change(groups: dict[str, tuple[str, ...]]) -> None:
            if name != group.before and name in groups:
                raise LookupError("There is a group of this name already.")
            groups.pop(group.before, None)
            groups[name] = tuple(dict.fromkeys(group.labels))

        return self._change(change)

    def remove(self, request: Request) -> Response:
        """Take a group out of the configuration."""
        name = request.query_params.get("name", "")

        def change(groups: dict[str, tuple[str, ...]]) -> None:
            if groups.pop(name, None) is None:
                raise LookupError("There is no such group.")

        return self._change(change)

    def _change(self, change: Any) -> Response:
        def write(path: Path) -> None:
            config = self._config.read()
            groups = dict(config.groups)
            change(groups)
            labels = self._labels(config)
            if labels:
                check_labels(replace(config, groups=groups, group_labels=()), labels)
            change_config(path, lambda document: _write(document, groups), "the group was")

        return self._config.save(write)

    def _labels(self, config: Config) -> list[str]:
        """Return what groups can be made of: the labels of all models, as far as the service was heard."""
        return [label for label in self._hub.every_label() if label not in config.groups]


def _write(document: tomlkit.TOMLDocument, groups: Mapping[str, tuple[str, ...]]) -> None:
    """Make the file's groups these; those that stay as they are keep their lines."""
    table: Any = document.setdefault("groups", tomlkit.table())
    for name in [name for name in table if name not in groups]:
        del table[name]
    for name, labels in groups.items():
        if list(table.get(name, ())) != list(labels):
            table[name] = tomlkit.array()
            table[name].extend(labels)
