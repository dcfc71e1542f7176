"""Secrets that stand in a file of their own."""

from pathlib import Path

from streamtag.errors import ConfigError
from streamtag.settings import Config

__all__ = ["read_secret"]


def read_secret(config: Config, key: str, path: str) -> str:
    """Return what the file holds, without the space around it.

    Args:
        config: Names its file in the error.
        key: Where the path stands in it.
        path: The file.

    Raises:
        ConfigError: It cannot be read, or holds nothing.
    """
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{config.path}: {key} {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{config.path}: {key} {path}: not a text in UTF-8") from error
    if not secret or "\n" in secret:
        raise ConfigError(f"{config.path}: {key} {path}: must hold one line")
    return secret
