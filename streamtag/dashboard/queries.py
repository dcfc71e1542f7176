"""Reading what a request asks for; what cannot be read is as if it were not there."""

import re
from typing import Final

__all__ = ["number", "whole"]

_NUMBER: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?")
_WHOLE: Final = re.compile(r"[0-9]{1,18}")


def number(text: str | None) -> float | None:
    """Return a plain decimal number."""
    return float(text) if text and _NUMBER.fullmatch(text) else None


def whole(text: str | None) -> int | None:
    """Return a whole number that a database's 64 bits hold."""
    return int(text) if text and _WHOLE.fullmatch(text) else None
