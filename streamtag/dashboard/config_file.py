"""Changing the configuration's file from the page: whole or not at all, and never into one that cannot be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import tomlkit

from streamtag.config import load_config
from streamtag.dashboard.rewriting import rewrite
from streamtag.errors import ConfigError
from streamtag.settings import Config

__all__ = ["change_config", "why_not"]

_BYTE_ORDER_MARK: Final = "\ufeff"


def why_not(config: Config, *, may_write: bool) -> str:
    """Return why the page cannot save, empty where it can."""
    if not may_write:
        return "Saving is switched off: start the page with --allow-write, or with --auth and log in."
    if config.path is None:
        return "There is nowhere to save to: start the page with --config and the service's configuration."
    return ""


def change_config(path: Path, change: Callable[[tomlkit.TOMLDocument], None], what: str) -> None:
    """Change a configuration; comments and layout stay.

    Args:
        path: The file.
        change: Changes the document.
        what: What is changed, for the error: "the thresholds were".

    Raises:
        ConfigError: The file cannot be read or written, somebody else writes it, or it would not be a configuration
            afterwards; it is as it was before.
    """
    draft_name = ""

    def check(draft: Path) -> None:
        nonlocal draft_name
        draft_name = str(draft)
        load_config(draft)

    def changed(text: str) -> str:
        mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
        document = tomlkit.parse(text.removeprefix(mark))
        change(document)
        return mark + tomlkit.dumps(document).rstrip("\n") + "\n"

    try:
        rewrite(path, changed, check)
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.TOMLKitError) as error:
        raise ConfigError(f"{path}: {what} not saved: {error}") from error
    except ConfigError as error:
        raise ConfigError(str(error).replace(draft_name, str(path))) from error
