"""Who may come in: accounts, sessions, and passwords that are tried."""

import base64
import hmac
import logging
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from streamtag.dashboard.failures import FailureBudget
from streamtag.errors import ConfigError

__all__ = ["API", "SESSION_SECONDS", "Account", "Logins", "WaitError", "read_account", "read_token"]

API: Final = "/api/v1/"
SESSION_SECONDS: Final = 7 * 86400.0
_MOST_SESSIONS: Final = 1000
_MOST_FIELDS: Final = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Who may come in."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Account(user={self.user!r})"

    def fits(self, user: str, password: str) -> bool:
        """Tell whether these are the ones, in a time that does not depend on how much of them is right."""
        same_user = _same(user, self.user)
        return _same(password, self.password) and same_user


class WaitError(Exception):
    """Too many passwords were wrong; none is looked at for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def read_token(file: str) -> str:
    """Read a token for programs, the first line of a file.

    Raises:
        ConfigError: It cannot be read, or holds none that nobody could guess.
    """
    token = _first_line(file, "--token-file: it")
    if not re.fullmatch(r"[!-~]{16,}", token):
        raise ConfigError("--token-file: it holds no token: at least 16 letters, digits or signs, without spaces")
    return token


def _first_line(file: str, option: str) -> str:
    """Return a file's first line; no error names the file: somebody may have written the secret in its place."""
    try:
        lines = Path(file).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text in UTF-8"
        raise ConfigError(f"{option} cannot be read: {reason}") from error
    return lines[0] if lines else ""


def read_account(text: str) -> Account:
    """Read `user:password-file`.

    Raises:
        ConfigError: It has not that form, or the file cannot be read or is empty.
    """
    user, colon, file = text.partition(":")
    if not user or not colon or not file:
        raise ConfigError("--auth takes user:password-file, such as anna:/etc/streamtag/password")
    password = _first_line(file, "--auth: the password file")
    if not password:
        raise ConfigError("--auth: the password file is empty; its first line is the password")
    return Account(user, password)


class Logins:
    """Judges passwords given by form or by header, with one budget for the wrong ones, and remembers who came in."""

    def __init__(self, account: Account | None, cookie: str, token: str | None = None) -> None:
        """Let somebody in.

        Args:
            account: Who may come in; None for everybody, where there is no token either.
            cookie: The name of the session's cookie.
            token: Lets programs into the read API; whoever has neither account nor token stays outside of it.
        """
        self.account = account
        self.cookie = cookie
        self._token = token
        self._failures = FailureBudget()
        self._sessions: dict[str, float] = {}

    def is_known(self, headers: Headers, visitor: str, path: str) -> bool:
        """Tell whether a request comes from somebody who may come in.

        Raises:
            WaitError: It gives a password, and too many of this visitor's were wrong.
        """
        is_open = self.account is None and not (self._token and path.startswith(API))
        if is_open or self._has_session(headers):
            return True
        kind, _, encoded = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._token and path.startswith(API):
            return self._check(_same(encoded.strip(), self._token), visitor, "token")
        if kind.lower() != "basic" or self.account is None:
            return False
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except ValueError:  # no Base64, or no UTF-8
            user = password = ""
        return self._check(self.account.fits(user, password), visitor, "name or password in a header")

    def open_session(self, form: bytes, visitor: str) -> str | None:
        """Return a new session's token for a form that was filled in rightly, None for another.

        Raises:
            WaitError: Too many of this visitor's passwords were wrong.
        """
        try:
            fields = dict(parse_qsl(form.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        except ValueError:
            fields = {}
        user, password = fields.get("user", ""), fields.get("password", "")
        fits = self.account is not None and self.account.fits(user, password)
        if not self._check(fits, visitor, "name or password in the form"):
            return None
        now = time.monotonic()
        self._sessions = {token: end for token, end in self._sessions.items() if end > now}
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = now + SESSION_SECONDS
        logger.info("%s logged in", visitor)
        return token

    def close_session(self, headers: Headers) -> None:
        """Forget the session of a request, if it has one."""
        self._sessions.pop(self._session_of(headers), None)

    def _check(self, fits: bool, visitor: str, what: str) -> bool:
        wait = self._failures.wait_seconds(visitor)
        if wait > 0:
            raise WaitError(wait)
        if fits:
            return True
        is_last = self._failures.fail(visitor)
        logger.warning("%s gave a wrong %s", visitor, what)
        if is_last:
            logger.warning("too many passwords from %s were wrong: more are looked at one at a time, later", visitor)
        return False

    def _has_session(self, headers: Headers) -> bool:
        return self._sessions.get(self._session_of(headers), 0.0) > time.monotonic()

    def _session_of(self, headers: Headers) -> str:
        return cookie_parser(headers.get("cookie", "")).get(self.cookie, "")


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())
