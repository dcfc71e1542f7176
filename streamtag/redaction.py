"""What may be shown of a source: the one place that takes out what may be secret.

It goes by what may be a secret, not by what parses. Nothing is shown because it is not known to be a secret; a part is
shown because it is known to be harmless: a host, a port, a path's plain words, the few names and values of a query that
say what is heard. Of a source that is not understood nothing is shown but what follows its last `@`.
"""

import logging
import re
from pathlib import Path
from urllib.parse import unquote

from streamtag.source_kinds import FORMS, PLAYLIST

__all__ = ["HIDDEN", "ScrubbingFormatter", "redact", "scrub"]

HIDDEN = "***"
_LAST_PORT = 65_535

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*|\*{3}):/{2}(?!/)(.*)\Z", re.DOTALL)
_PATHS = [scheme for scheme, form in FORMS.items() if form == "path" and scheme != PLAYLIST]
_NAMES = [scheme for scheme, form in FORMS.items() if form == "name" and scheme.isalpha()]
_OWN = re.compile(rf"({'|'.join(_NAMES)}):(.*)\Z", re.DOTALL | re.IGNORECASE)
_FILE = re.compile(rf"({'|'.join(_PATHS)}):", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\w[\w.-]*|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|\*)(?::(?P<port>\d{1,5}|\*|PORT))?\Z")
_SCHEMES = re.compile(
    r"(?:ftps?|https?|icecast|inproc|ipc|mms[ht]?|rtmp[st]?|s?rtp|rtsps?|s3|sftp|smb|srt|tcp|tls|udp|wss?)\Z"
)
_HARMLESS = re.compile(r"(?:audio|bitrate|camera|channel|codec|format|profile|quality|rate|stream|subtype|track)\Z")
# Names that may be shown beside a value that is not.
_KNOWN = re.compile(
    r"(?:(?:access_)?token|api_?key|auth(?:orization)?|key|login|pass(?:wd|word)?|pwd|secret|session|sid|sig(?:nature)?"
    r"|user(?:name)?|usr)\Z"
)
_TELLING = re.compile(
    r"pass(wor[dt]|wd|phrase)?|pwd|secret|token|api_?key|auth|sig(nature)?|session|credential", re.IGNORECASE
)
_ACCOUNT = re.compile(r"(user(name)?|usr|login|key)\Z", re.IGNORECASE)
_HARMLESS_VALUE = re.compile(r"(?:\d{0,6}(?:\.\d{1,3})?|[a-z]{1,8}\d{0,3})\Z")
_PLAIN_SEGMENT = re.compile(r"[@;]?[\w.~+,!() -]*\Z")
# What a program made, not a person: a key in the path.
_MADE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_-]{20,}\Z|[0-9A-Fa-f-]{16,}\Z")
_ACCOUNT_FOLDERS = frozenset({"live", "movie", "series", "timeshift"})
# In a path that leads to no file. (A colon may stand in a time of day.)
_MAY_BE_SECRET = re.compile(r"[@=?#\"<>]|//|\A[\s']|(?<!\d):|:(?!\d)")
# All that follows takes time in proportion to a text's length, whatever strangers write into it.
_END_OF_URL = re.compile(r"[\s<>]")
_BETWEEN = re.compile(r"([\s\"'<>(]+)")
_URL_IN_TEXT = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,19}):/{1,3}(?=[^\s/])")
_ENCODED = re.compile(r"%(?:25)*(?:3[Aa]|40)")
_PAIR_IN_TEXT = re.compile(
    r"(?i)\b(pass(?:wor[dt]|wd|phrase)?|pwd|secret|token|api_?key|authorization|cookie)"
    r"(\"?\s{0,4}[=:]\s{0,4}(?:basic |bearer )?)([^\s&;,\"']{1,200})"
)
_AFTER = ":;,.)]\"'"
"""What may follow a word in a sentence and does not belong to it."""


def redact(source: str) -> str:
    """The source without user, password and whatever else may be secret, for logs, status and errors.

    A path of a file that is there is shown as it is: it was understood. Any text can be given; nothing is raised.
    """
    if source in ("", "-"):
        return source
    if (own := _OWN.match(source)) is not None:
        return source if not re.search(r"@|//|:.*[/\\]", own[2], re.DOTALL) else f"{own[1].lower()}:{HIDDEN}"
    if (url := _URL.match(source)) is not None and url[1].lower() not in _PATHS:
        return _url(url[1].lower(), url[2])
    kind = _FILE.match(source)
    scheme, path = (kind[0].lower(), source[kind.end() :]) if kind else ("", source)
    if _is_there(path) or not _MAY_BE_SECRET.search(_decoded(path)):
        return source
    return scheme + HIDDEN + _behind_the_last_at(path)


def scrub(text: str) -> str:
    """A text of any origin (an error, a log line, a library's message) without the secrets of sources in it."""
    lines = "\n".join(_without_urls(line) for line in text.split("\n"))
    words = "".join(_word(word) for word in _BETWEEN.split(lines))
    return _PAIR_IN_TEXT.sub(lambda found: f"{found[1]}{found[2]}{_hidden(found[3])}", words)


class ScrubbingFormatter(logging.Formatter):
    """A log's formatter that lets no secret of a source out, whoever wrote the record, traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, without secrets."""
        return scrub(super().format(record))


def _url(scheme: str, rest: str) -> str:
    shown = scheme if _SCHEMES.match(scheme) else HIDDEN
    address = _shown_address(rest)
    return f"{shown}://{HIDDEN if address is None else address}"


def _shown_address(rest: str) -> str | None:
    """What is shown of host, path, query and fragment; None where they are not understood."""
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    behind = rest[len(authority) :]
    _, at, host = authority.rpartition("@")
    match = _AUTHORITY.match(host)
    if "@" in behind and not (match is not None and not at and _is_no_account(match, behind)):
        return _shown_address(rest.rpartition("@")[2])
    if match is None or _is_no_port(match["port"]) or (behind.startswith("\\") and not at):
        return None
    return host + (f"/{HIDDEN}" if behind.startswith("\\") else _behind(behind))


def _is_no_port(port: str | None) -> bool:
    return port is not None and port.isdigit() and int(port) > _LAST_PORT


def _is_no_account(host: re.Match[str], behind: str) -> bool:
    """Whether an "@" behind the host belongs to a path or a query.

    Where there is a port it may not: "rtsp://user:12/34?5@host" has its password where a port and a path seem to be.
    """
    if host["port"] and not host[0].startswith("["):
        return False
    is_handle = behind.count("@") == 1 and re.match(r"/@[\w.-]+(?:/|\Z)", behind) is not None  # "/@studio/live"
    return is_handle or ("@" not in re.split(r"[?#]", behind, maxsplit=1)[0] and behind[1:2] != "@")


def _behind(rest: str) -> str:
    """Path, query and fragment."""
    rest, _, fragment = rest.partition("#")
    path, question, query = rest.partition("?")
    if question and query:
        shown = _pairs(query)
        query = shown if shown else HIDDEN
    return _path(path) + question + query + (f"#{HIDDEN}" if fragment else "")


def _path(path: str) -> str:
    segments = path.split("/")
    shown = [_segment(segment) for segment in segments]
    words = [unquote(segment) for segment in segments]
    for number, word in enumerate(words[:-1]):
        if _ACCOUNT.match(word) or _TELLING.fullmatch(word) or ("=" in _decoded(word) and HIDDEN in shown[number]):
            return "/".join([*shown[: number + 1], HIDDEN])  # a secret may hold slashes
        # An account's name and password as folders, as some television servers have them.
        if word.lower() in _ACCOUNT_FOLDERS and len(words) - number == 4 and words[-1].partition(".")[0].isdigit():
            shown[number + 1] = shown[number + 2] = HIDDEN
    return "/".join(shown)


def _segment(segment: str) -> str:
    word = _decoded(segment)
    if "=" in word or "&" in word:
        return _pairs(word)
    if not _PLAIN_SEGMENT.match(word) or _MADE.match(word.partition(".")[0]):
        return HIDDEN
    if _TELLING.search(word) and not _TELLING.fullmatch(word):
        return HIDDEN
    return segment


def _pairs(text: str) -> str:
    """The pairs of a query: keys are named in too many ways to list them, so the harmless ones are listed."""
    shown: list[str] = []
    for part in re.split(r"[&;,]", text):
        name, equals, value = part.partition("=")
        name = unquote(name).lower()
        if equals and _HARMLESS.match(name) and _HARMLESS_VALUE.match(value):
            shown.append(part)
        else:
            shown.append(f"{name}={HIDDEN}" if equals and _KNOWN.match(name) else HIDDEN)
    # What follows a secret may be a part of it.
    return "&".join(part for number, part in enumerate(shown) if part != HIDDEN or HIDDEN not in shown[:number])


def _behind_the_last_at(text: str) -> str:
    """The host, or the file's name, behind what may be a user and password."""
    _, at, rest = text.rpartition("@")
    address = _shown_address(rest) if at else None
    return f"@{address}" if address and address != HIDDEN else ""


def _decoded(text: str) -> str:
    """Decode what may be percent-encoded more than once."""
    for _ in range(3):
        text = unquote(text)
    return text


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _without_urls(line: str) -> str:
    """A line with its URLs redacted; a password may hold blanks and quotes, so an account goes up to the last "@"."""
    shown, position = [], 0
    while (found := _URL_IN_TEXT.search(line, position)) is not None:
        shown.append(line[position : found.start()])
        at = line.rfind("@", found.end())
        gap = _END_OF_URL.search(line, max(at, found.end()))
        position = gap.start() if gap else len(line)
        url = line[found.start() : position]
        after = url[len(url.rstrip(_AFTER)) :]
        shown.append(_url_in_text(found[1].lower(), url.removesuffix(after)) + after)
    return "".join(shown) + line[position:]


def _url_in_text(scheme: str, url: str) -> str:
    if "@" in url and (any(map(str.isspace, url)) or redact(url) != url):
        shown = scheme if _SCHEMES.match(scheme) else HIDDEN
        return f"{shown}://{_shown_address(url.rpartition('@')[2]) or HIDDEN}"
    if _URL.match(url):
        return redact(url)
    return f"{scheme}://{HIDDEN}" if _SCHEMES.match(scheme) and scheme not in ("ipc", "inproc") else url


def _word(word: str) -> str:
    account, at, rest = word.rpartition("@")
    if at and rest and (":" in account or "//" in account) and account != HIDDEN:
        return f"{HIDDEN}@{rest}"
    return redact(word) if _ENCODED.search(word) else word


def _hidden(secret: str) -> str:
    return HIDDEN + secret[len(secret.rstrip(_AFTER)) :]
