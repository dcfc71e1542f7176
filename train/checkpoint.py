"""Checkpoints: written whole or not at all, and checked for fit when read."""

from pathlib import Path
from typing import Any

import torch

from streamtag.atomic_file import Draft
from streamtag.errors import ConfigError


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill or a full disk leaves the previous one.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with Draft(path) as draft:
            torch.save(content, draft.file)
            draft.sync()
            draft.publish()
    except (OSError, RuntimeError) as error:
        kept = "the previous one is kept" if path.exists() else "none was there before"
        raise ConfigError(f"checkpoint {path}: cannot be written ({error}); {kept}: free some space") from error


def load(path: Path, network: str | None = None, labels: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return a checkpoint.

    Raises:
        ConfigError: it is missing, damaged, or of other labels or of another network than these, where they are given.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise ConfigError(f"checkpoint {path}: cannot be read ({error}): delete it to start again") from error
    if network is not None and content["network"] != network:
        raise ConfigError(
            f"checkpoint {path} is of network {content['network']!r}, not {network!r}: name another output"
        )
    if labels is not None and tuple(content["labels"]) != labels:
        raise ConfigError(f"checkpoint {path} has other labels than this run: name another output")
    return content
