"""Reading the tables of a configuration into typed settings, every error with its file, line and key."""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Struct

from streamtag.errors import ConfigError
from streamtag.paths import user_path
from streamtag.redaction import redact, scrub
from streamtag.toml_lines import KeyPath, key_lines

__all__ = ["TableReader", "may_be", "near", "quoted"]

_S = TypeVar("_S", bound=Struct)
_SECRET = ("source", "password", "token", "url", "urls", "servers")
_FEW = 12
_SHOWN = 60


class TableReader:
    """Reads the tables of one file; knows the file, for its errors."""

    def __init__(self, path: Path, text: str) -> None:
        """Prepare it.

        Args:
            path: The file, to whose folder the paths in it are relative.
            text: What it holds.
        """
        self.path = path
        self._folder = path.absolute().parent
        self._text = text

    def read(self, kind: type[_S], table: Any, keys: KeyPath, title: str, given: Mapping[str, Any] | None = None) -> _S:
        """Read one table; the keys of `given` are set already, and where the table names them too it decides.

        Raises:
            ConfigError: a key is unknown, missing, of the wrong type or out of range.
        """
        self.check_table(table, keys, title)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        values = dict(given or {})
        for key, value in table.items():
            if key not in fields:
                raise self.error((*keys, key), f"{title} {key}: unknown key{near(key, fields)}")
            try:
                values[key] = msgspec.convert(value, fields[key].type)
            except msgspec.ValidationError as error:
                shown = key if key in _SECRET else f"{key} = {_shown(value)}"
                raise self.error((*keys, key), f"{title} {shown}: must be {may_be(fields[key].type)}") from error
        for key, field in fields.items():
            if field.required and key not in values:
                raise self.error(keys, f"{title}: {key} is missing, which must be {may_be(field.type)}")
        return kind(**values)

    def tables(self, document: dict[str, Any], name: str, what: str) -> list[Any]:
        """Return the tables of an array of tables, which may be missing.

        Args:
            document: The whole file.
            name: The array's.
            what: For what each of them is, in the error of one that is written as a single table.

        Raises:
            ConfigError: it is no array.
        """
        tables = document.get(name, [])
        if not isinstance(tables, list):
            raise self.error((name,), f"[{name}]: must be written [[{name}]], once for each {what}")
        return tables

    def check_table(self, table: Any, keys: KeyPath, title: str) -> None:
        """Let pass a table.

        Raises:
            ConfigError: it is something else.
        """
        if not isinstance(table, dict):
            raise self.error(keys, f"{title} is {_shown(table)}: must be a table")

    def check_one_of(self, first: str, second: str, settings: Struct, keys: KeyPath, title: str) -> None:
        """Let pass settings that do not have both of two keys.

        Raises:
            ConfigError: they have.
        """
        if getattr(settings, first) and getattr(settings, second):
            raise self.error((*keys, second), f"{title} {second} and {first} cannot both be there")

    def error(self, keys: KeyPath, text: str) -> ConfigError:
        """Return the error with the line of the key, or of the innermost table around it that the file names."""
        lines = key_lines(self._text)
        named = next((keys[:depth] for depth in range(len(keys), 0, -1) if keys[:depth] in lines), None)
        where = f", line {lines[named]}" if named else ""
        return ConfigError(f"{self.path}{where}: {scrub(text)}")

    def lines(self) -> dict[KeyPath, int]:
        """Return the line on which each key stands."""
        return key_lines(self._text)

    def absolute(self, path: str) -> str:
        """Return a path that is relative to the file's folder from the root."""
        return str(user_path(path, self._folder))

    def is_there(self, name: str) -> bool:
        """Tell whether a path leads to something."""
        try:
            return (self._folder / name).exists()
        except (OSError, ValueError):
            return False


def may_be(kind: Any) -> str:
    """Return the description in a field's type, which may be optional."""
    for part in (kind, *get_args(kind)):
        for meta in getattr(part, "__metadata__", ()):
            return str(meta.description)
    raise TypeError(f"{kind} does not say what it may be")


def near(name: str, known: Iterable[str], most: int = 1) -> str:
    """Return the end of a sentence about a name that is not known: the nearest that are, or all where they are few."""
    names = list(known)
    found = difflib.get_close_matches(name, names, n=most, cutoff=0.6)
    if found:
        return f"; did you mean {' or '.join(map(quoted, found))}?"
    return f"; known are {', '.join(names)}" if len(names) <= _FEW else ""


def quoted(text: str | bool) -> str:
    """Return a value as it stands in TOML."""
    return json.dumps(text, ensure_ascii=False)


def _shown(value: Any) -> str:
    """Return a value as it would stand in the file, on one line and short."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and "@" in value:
        value = redact(value)  # a source in another key's place
    text = quoted(value) if isinstance(value, bool | str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
