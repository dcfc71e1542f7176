"""Fetching a model's file: over TLS or with its hash known, resumed where it broke off, never larger than it may be."""

import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from streamtag.bundle_files import MOST_BYTES
from streamtag.errors import ConfigError, SourceError
from streamtag.folders import cache_folder
from streamtag.redaction import redact
from streamtag.sources.trust import trusting

__all__ = ["check_sha256", "download", "is_url"]

_BLOCK: Final = 1 << 18
_SECONDS: Final = 30.0
_FOLDER: Final = "downloads"

Progress = Callable[[int, int], None]
"""Takes the bytes that are there and those that are wanted (0 where unknown)."""


def is_url(file: str) -> bool:
    """Tell whether a file is to be fetched."""
    return file.lower().startswith(("https://", "http://"))


def download(url: str, sha256: str | None, progress: Progress, most: int = MOST_BYTES) -> Path:
    """Fetch a file into the user's cache, from which whoever asked takes it away; return where it is.

    What an interrupted fetch left is gone on with, where the server still has the same file.

    Args:
        url: `https://`, or `http://` where `sha256` is given.
        sha256: what the file is, in hexadecimal; None where nobody said.
        progress: told how far it is.
        most: how many bytes the file may have.

    Raises:
        ConfigError: the address cannot be used.
        SourceError: there is no network, the server refuses, or the file is another or too large.
    """
    shown = redact(url)
    if urlsplit(url).scheme.lower() == "http" and sha256 is None:
        raise ConfigError(f"{shown}: over http anybody on the way may change it: use https, or give --sha256")
    folder = cache_folder() / _FOLDER
    part = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(url, shown, part, progress, most)
    except urllib.error.HTTPError as error:
        raise SourceError(f"{shown}: the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        again = "" if isinstance(reason, ssl.SSLCertVerificationError) else "; run it again to go on"
        raise SourceError(f"{shown}: cannot be fetched: {' '.join(str(reason).split())}{again}") from error
    _note_of(part).unlink(missing_ok=True)
    try:
        check_sha256(part, sha256, shown)
    except SourceError:
        part.unlink()
        raise
    return part


def check_sha256(path: Path, sha256: str | None, shown: str) -> None:
    """Let pass a file that has this SHA-256, or any where none is given.

    Raises:
        SourceError: it is another.
    """
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise SourceError(f"{shown}: its SHA-256 is {found} and not {sha256.lower()}: nothing was added")


def _fetch(url: str, shown: str, part: Path, progress: Progress, most: int) -> None:
    have = part.stat().st_size if part.is_file() else 0
    version = _version(part)
    if not version:
        have = 0  # nobody knows whether the rest would fit
    headers = {"Accept-Encoding": "identity", "User-Agent": "streamtag"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http and https alone come here
    opener = urllib.request.build_opener(_Redirects(), urllib.request.HTTPSHandler(context=trusting(None)))
    try:
        answer: Any = opener.open(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # all of it was there already
        raise
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        rest = int(answer.headers.get("Content-Length") or 0)
        total = have + rest if rest else 0
        if max(have, total) > most:
            raise SourceError(f"{shown}: it has {total / 1e9:.2f} GB; at most {most / 1e9:.2f} GB are taken")
        _note_of(part).write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(_BLOCK):
                have += len(block)
                if have > most:
                    file.truncate(0)
                    raise SourceError(f"{shown}: it has more than {most / 1e9:.2f} GB, the most that is taken")
                file.write(block)
                progress(have, total)
            file.flush()
            os.fsync(file.fileno())
    if total and have < total:
        raise SourceError(f"{shown}: the connection ended at {have} of {total} bytes: run it again to go on")


def _note_of(part: Path) -> Path:
    return part.with_suffix(".version")


def _version(part: Path) -> str:
    """Return what the server called the file when its fetch began, "" where it said nothing that may be asked by."""
    try:
        found = _note_of(part).read_text()
    except OSError:
        return ""
    return "" if found.startswith("W/") else found


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError("it leads from https to an address that is not")
        if not is_url(newurl):
            raise urllib.error.URLError("it leads to an address that is not on the web")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
