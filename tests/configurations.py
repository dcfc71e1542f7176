"""Configurations as tests write them."""

from pathlib import Path

import pytest

from streamtag.config import Config, load_config
from streamtag.errors import ConfigError


def load(folder: Path, text: str) -> Config:
    path = folder / "live.toml"
    path.write_text(text)
    return load_config(path)


def refusal(folder: Path, text: str) -> str:
    """Return the error's text without the path before the file's name."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")
