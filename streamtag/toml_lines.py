"""Where in a TOML file each key stands: the standard library's parser keeps no line numbers."""

import tomllib
from collections.abc import Iterator
from typing import Any

__all__ = ["KeyPath", "key_lines"]

KeyPath = tuple[str | int, ...]
"""Keys from the outermost table inwards; elements of arrays by their index."""


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, on which each table and key is first named.

    Keys inside an inline table or array stand on the line of the key that it belongs to.

    Args:
        text: a whole document that `tomllib` accepts.
    """
    lines: dict[KeyPath, int] = {}
    elements: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(parsed, elements)
            for depth in range(1, len(table) + 1):
                lines.setdefault(table[:depth], line)
        else:
            for path in _paths(parsed):
                lines.setdefault(table + path, line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each header and each key with its whole value, and the line where it begins."""
    begin, statement = 1, ""
    for line, content in enumerate(text.split("\n"), start=1):
        statement = f"{statement}\n{content}" if statement else content
        if not statement.strip():
            begin, statement = line + 1, ""
            continue
        try:
            tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # A string or an array that goes on in the next line.
        yield begin, statement
        begin, statement = line + 1, ""


def _header(parsed: dict[str, Any], elements: dict[KeyPath, int]) -> KeyPath:
    """Return the path of a header's table; `elements` counts what each array of tables holds so far."""
    path: KeyPath = ()
    node: Any = parsed
    while node:
        (key, node), *_ = node.items()
        path += (key,)
        if isinstance(node, list):
            elements[path] = elements.get(path, 0) + 1
            node = node[0]
        if path in elements:
            path += (elements[path] - 1,)
    return path


def _paths(value: Any) -> Iterator[KeyPath]:
    """Yield the path of every key and element inside a parsed value, outer ones first."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (key,)
        for path in _paths(inner):
            yield (key, *path)
