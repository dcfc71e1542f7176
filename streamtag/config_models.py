"""What a configuration says of models and of groups of labels, read and checked."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from streamtag import bundle_paths
from streamtag.errors import ConfigError
from streamtag.setting_types import GroupMembers, ModelName
from streamtag.settings import Config, ModelSettings, NamedLabel
from streamtag.toml_lines import KeyPath
from streamtag.toml_tables import TableReader, may_be, near, quoted

__all__ = ["check_groups", "read_group_labels", "read_groups", "read_model", "read_models"]

_DEFAULT = "default"
_NEAREST = 3


def read_model(tables: TableReader, table: Any, keys: KeyPath, title: str) -> ModelSettings:
    """Read the table of one model; a bundle's path is one from the file's folder.

    Raises:
        ConfigError: the table is wrong.
    """
    model = tables.read(ModelSettings, table, keys, title)
    return msgspec.structs.replace(model, bundle=_bundle_path(tables, model.bundle))


def read_models(tables: TableReader, document: dict[str, Any]) -> dict[str, ModelSettings]:
    """Read `[models]`.

    Raises:
        ConfigError: a table is wrong, or a name cannot be one.
    """
    models = document.get("models", {})
    tables.check_table(models, ("models",), "[models]")
    for name, table in models.items():
        keys = ("models", name)
        try:
            msgspec.convert(name, ModelName)
        except msgspec.ValidationError as error:
            raise tables.error(keys, f"[models.{quoted(name)}]: a model's name is {may_be(ModelName)}") from error
        if name == _DEFAULT:
            raise tables.error(
                keys, f"[models.{name}]: that is what streams call the model of [model]: name it otherwise"
            )
        if not isinstance(table, dict):
            raise tables.error(keys, f"[models] {name}: a model is a table of its own: [models.{name}]")
    return {
        name: read_model(tables, {"bundle": name} | table, ("models", name), f"[models.{name}]")
        for name, table in models.items()
    }


def read_groups(tables: TableReader, document: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Read `[groups]`.

    Raises:
        ConfigError: it is no table of lists of labels.
    """
    groups = document.get("groups", {})
    tables.check_table(groups, ("groups",), "[groups]")
    found: dict[str, tuple[str, ...]] = {}
    for name, members in groups.items():
        keys, title = ("groups", name), f"[groups] {quoted(name)}"
        try:
            found[name] = msgspec.convert(members, GroupMembers)
        except msgspec.ValidationError as error:
            raise tables.error(keys, f"{title}: must be {may_be(GroupMembers)}") from error
        if not name or not name.isprintable():
            raise tables.error(keys, f"{title}: a group's name is a text that can be shown")
        for number, label in enumerate(found[name]):
            if label in groups:
                what = "itself" if label == name else f"{quoted(label)}, a group too: write its labels"
                raise tables.error((*keys, number), f"{title}: has {what}")
    return {name: tuple(dict.fromkeys(members)) for name, members in found.items()}


def read_group_labels(tables: TableReader, groups: Mapping[str, Collection[str]]) -> tuple[NamedLabel, ...]:
    """Return the labels that groups name, with their lines; before those of each the group itself."""
    lines = tables.lines() if groups else {}
    return tuple(
        NamedLabel(label, f"[groups] {quoted(name)}", lines.get(("groups", name, *number), lines["groups", name]))
        for name, members in groups.items()
        for label, number in [(name, ()), *((label, (index,)) for index, label in enumerate(members))]
    )


def check_groups(config: Config, labels: Collection[str]) -> None:
    """Let pass groups of labels that are there.

    Args:
        config: the settings.
        labels: all that models know, those that were taught too.

    Raises:
        ConfigError: a group is called as a label is, or has a label that no model has.
    """
    lines = {(each.title, each.label): each.line for each in config.group_labels}

    def error(name: str, label: str, text: str) -> ConfigError:
        title = f"[groups] {quoted(name)}"
        line = lines.get((title, label))
        return ConfigError(f"{config.path}, line {line}: {title}: {text}" if line else f"{title}: {text}")

    for name, members in config.groups.items():
        if name in labels:
            raise error(name, name, "a label is called so: name the group otherwise")
        for label in members:
            if label not in labels:
                nearest = near(label, labels, _NEAREST)
                raise error(name, label, f"the model has no label {quoted(label)}{nearest}")


def _bundle_path(tables: TableReader, bundle: str) -> str:
    """Return a packaged or added bundle's name as it is, a path from the file's folder."""
    is_path = "/" in bundle or bundle.endswith(".streamtag") or tables.is_there(f"{bundle}/manifest.json")
    return tables.absolute(bundle) if is_path and bundle_paths.find(bundle) is None else bundle
