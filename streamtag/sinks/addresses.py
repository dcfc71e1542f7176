"""Apprise's addresses: read, checked and sent to. They hold passwords and tokens: none goes to a log or an error."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from streamtag.errors import ConfigError, StreamtagError
from streamtag.settings import Config, NotifySettings

try:
    import apprise
except ImportError as error:
    raise StreamtagError("[[notify]] needs the extra 'notify': pip install 'streamtag[notify]'") from error

__all__ = ["Address", "read_addresses"]

# Apprise and what it sends with tell of addresses, parts of them and answers.
_TALKATIVE: Final = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "markdown")


class Address:
    """One address; sending waits for as long as its service takes."""

    def __init__(self, url: str) -> None:
        """Read it.

        Raises:
            ValueError: Apprise does not understand it.
        """
        asset = apprise.AppriseAsset(app_id="Streamtag", app_desc="Streamtag", app_url="", async_mode=False)
        # The service itself, and not Apprise around it: that sends in threads for which a process that ends would wait.
        self._service: Any = apprise.Apprise.instantiate(url, asset=asset)
        if self._service is None:
            raise ValueError("Apprise does not understand it")

    def send(self, title: str, body: str, files: Sequence[Path]) -> bool:
        """Send a message with files; tell whether it was taken."""
        attached = [str(file) for file in files if file.is_file()]
        try:
            return bool(self._service.notify(title=title, body=body, body_format="text", attach=attached or None))
        except Exception:  # whatever fails in one of a hundred services: it is tried again
            return False


def read_addresses(config: Config, settings: NotifySettings) -> list[Address]:
    """Return the addresses of a notification.

    Raises:
        ConfigError: Apprise does not understand one, or the file cannot be read or holds none.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    where = f'{config.path}: [[notify]] "{settings.name}"'
    if settings.urls_file is None:
        lines = [(f"urls, address {number}", url) for number, url in enumerate(settings.urls or (), start=1)]
    else:
        lines = _lines(settings.urls_file, f"{where} urls_file {settings.urls_file}")
    addresses = []
    for which, url in lines:
        try:
            addresses.append(Address(url.strip()))
        except ValueError as error:
            raise ConfigError(f"{where} {which}: {error}") from None
    return addresses


def _lines(file: str, where: str) -> list[tuple[str, str]]:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: not a text in UTF-8") from error
    found = [
        (f"urls_file {file}, line {number}", line)
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not found:
        raise ConfigError(f"{where}: holds no address")
    return found
