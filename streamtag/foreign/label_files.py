"""Lists of labels as models are published with: CSV, a name a line, or JSON."""

import csv
import io
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from streamtag.errors import ConfigError
from streamtag.manifest import MOST_LABELS, is_printable

__all__ = ["Labels", "read_labels"]

_MOST_BYTES: Final = 16 << 20
_NAMES: Final = ("display_name", "name", "label")
_MID: Final = "mid"


class Labels(NamedTuple):
    """What a model can name, in the order of its scores.

    Attributes:
        names: display names.
        mids: AudioSet identifiers; "" where there is none.
    """

    names: list[str]
    mids: list[str]


def read_labels(path: Path, skip: int = 0) -> Labels:
    """Read a file of labels.

    Args:
        path: `.csv` (the column display_name, name or label of its header, else the last column), `.json` (a list, or
            `id2label`), or anything else with a name a line.
        skip: how many lines at its beginning are none.

    Raises:
        ConfigError: it cannot be read, or a label is missing, twice there or cannot be shown.
    """
    text = _text(path)
    lines = text.split("\n")
    if path.suffix.lower() == ".json":
        numbered = [(0, name, "") for name in _of_json(path, text)]
    elif path.suffix.lower() == ".csv":
        numbered = _of_csv(path, "\n".join(lines[skip:]), skip)
    else:
        while lines and not lines[-1].strip():
            lines.pop()
        numbered = [(number, _unquoted(line.strip()), "") for number, line in enumerate(lines[skip:], skip + 1)]
    _check(path, numbered)
    return Labels([name for _, name, _ in numbered], [mid for *_, mid in numbered])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"labels {path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"labels {path}: larger than a list of labels ever is")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"labels {path}: it is not a text in UTF-8: save it as one") from error


def _of_json(path: Path, text: str) -> list[str]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"labels {path}: it is not JSON: {error}") from error
    if isinstance(found, dict):
        found = found.get("id2label", found)
    if isinstance(found, dict):
        indices = {str(index): index for index in range(len(found))}
        if set(map(str, found)) != set(indices):
            raise ConfigError(f"labels {path}: id2label does not count its labels from 0 by 1")
        found = [name for _, name in sorted(found.items(), key=lambda item: indices[str(item[0])])]
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ConfigError(f"labels {path}: it is neither a list of names nor an id2label")
    return found


def _of_csv(path: Path, text: str, skipped: int) -> list[tuple[int, str, str]]:
    first = text.partition("\n")[0]
    delimiter = "," if "," in first else max(";\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(skipped + reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        line = skipped + reader.line_num
        raise ConfigError(
            f"labels {path}, line {line}: a quote is not closed, or in the wrong place ({error})"
        ) from error
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    column = next((header.index(name) for name in _NAMES if name in header), None)
    mid = header.index(_MID) if column is not None and _MID in header else None
    names = []
    for line, row in rows if column is None else rows[1:]:
        if column is not None and len(row) != len(header):
            raise ConfigError(f"labels {path}, line {line}: it has {len(row)} cells and the header {len(header)}")
        names.append((line, row[-1 if column is None else column].strip(), "" if mid is None else row[mid].strip()))
    return names


def _unquoted(name: str) -> str:
    is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return name[1:-1] if is_quoted else name


def _check(path: Path, numbered: list[tuple[int, str, str]]) -> None:
    def where(line: int) -> str:
        return f"labels {path}, line {line}" if line else f"labels {path}"

    if not numbered:
        raise ConfigError(f"labels {path}: it has no labels")
    if len(numbered) > MOST_LABELS:
        raise ConfigError(f"labels {path}: it has {len(numbered)} labels; at most {MOST_LABELS}")
    lines: dict[str, int] = {}
    for line, name, mid in numbered:
        if not name:
            raise ConfigError(f"{where(line)}: a label is empty")
        if not is_printable(name) or not is_printable(mid):
            raise ConfigError(f"{where(line)}: a label has control characters in it")
        if name in lines:
            first = f", first on line {lines[name]}" if line else ""
            raise ConfigError(f"{where(line)}: the label {name} is there twice{first}: rename one")
        lines[name] = line
