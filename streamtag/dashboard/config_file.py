"""Changing the configuration's file from the page: whole or not at all, and never into one that cannot be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import tomlkit
from starlette.responses import JSONResponse, Response

from streamtag.config import load_config
from streamtag.dashboard.rewriting import rewrite
from streamtag.errors import ConfigError
from streamtag.settings import Config

__all__ = ["EditableConfig", "change_config", "error_response"]

_BYTE_ORDER_MARK: Final = "\ufeff"


class EditableConfig:
    """The configuration that the page reads anew for each question, and may be let to change.

    Attributes:
        why_not: why the page cannot save, empty where it can.
    """

    def __init__(self, config: Config, *, may_write: bool) -> None:
        """Take a configuration.

        Args:
            config: as it was read first.
            may_write: whether the page may save at all.
        """
        self._config = config
        self.why_not = ""
        if not may_write:
            self.why_not = "Saving is switched off: start the page with --allow-write, or with --auth and log in."
        elif config.path is None:
            self.why_not = "There is nowhere to save to: start the page with --config and the service's configuration."

    def read(self) -> Config:
        """Return the configuration as the file has it now, or as it was given where there is no file.

        Raises:
            ConfigError: The file cannot be read, or is not a configuration any more.
        """
        return load_config(self._config.path) if self._config.path else self._config

    def save(self, write: Callable[[Path], None]) -> Response:
        """Answer a request to change the file.

        Args:
            write: Changes the file of this name; a `ConfigError` or a `LookupError` says why it does not.
        """
        path = self._config.path
        if self.why_not or path is None:
            return JSONResponse({"error": self.why_not}, 403)
        try:
            write(path)
        except (ConfigError, LookupError) as error:
            return error_response(error)
        return JSONResponse({"saved": True})


def error_response(error: Exception) -> Response:
    """Answer a request that cannot be met, with the error's one line."""
    return JSONResponse({"error": str(error.args[0])}, 422)


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
