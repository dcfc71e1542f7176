"""What reaches standard output and standard error."""

import sys
from typing import Any

from streamtag.cli.standard_streams import complain

__all__ = ["note", "print_json", "print_json_line", "table", "to_json"]


def print_json_line(value: Any) -> None:
    """Print one JSON object on one line, at once."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """Print a JSON value over several lines."""
    sys.stdout.write(to_json(value))


def to_json(value: Any) -> str:
    """Return a JSON value over several lines."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def note(text: str) -> None:
    """Tell the user something that is no result."""
    complain(f"streamtag: {text}")


def table(rows: list[tuple[str, ...]]) -> str:
    """Lay out rows of text in columns, the first row being the titles."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )
