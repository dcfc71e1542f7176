"""Adding a model: what somebody has, of whichever kind, becomes a bundle beside the packaged ones."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from streamtag.bundle import SUFFIX, Bundle
from streamtag.errors import ConfigError
from streamtag.foreign.bundle_copy import copy_bundle
from streamtag.foreign.bundle_folder import MANIFEST, file_entry
from streamtag.foreign.description import description_name, read_description
from streamtag.foreign.download import Progress, check_sha256, download, is_url
from streamtag.foreign.onnx_file import write_onnx_bundle
from streamtag.foreign.store import check_name, fitting_name, install
from streamtag.foreign.yamnet_bundle import write_yamnet_bundle
from streamtag.paths import user_path
from streamtag.redaction import redact

__all__ = ["Added", "add_model"]

_DESCRIPTION: Final = "model.toml"
_KINDS: Final = f"a bundle (a folder, or {SUFFIX}), a model.toml beside an ONNX file, or yamnet.tflite"

Note = Callable[[str], None]


class Added(NamedTuple):
    """A model that was added.

    Attributes:
        name: by which it is known from now on.
        path: of its bundle.
    """

    name: str
    path: Path


def add_model(
    file: str,
    name: str | None,
    note: Note,
    *,
    force: bool = False,
    sha256: str | None = None,
    progress: Progress = lambda have, total: None,
) -> Added:
    """Check a model and put it among the added ones.

    Args:
        file: a bundle's folder or archive, a `model.toml` or the ONNX file beside it, or the published `yamnet.tflite`;
            or an archive's or `yamnet.tflite`'s address.
        name: by which it will be known; None: its own.
        note: takes what the user should know.
        force: whether one of this name is replaced.
        sha256: what the file is to be, in hexadecimal.
        progress: told how far a fetch is.

    Raises:
        ConfigError: there is no such file, its description cannot be used, or the name is taken.
        BundleError: it is damaged, or nothing that can be run here.
        SourceError: it cannot be fetched, or is another file.
        RuntimeUnavailableError: a package that reads it is missing.
    """
    if is_url(file):
        return _fetched(file, name, note, sha256, progress, force=force)
    path = user_path(file)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file")
    if sha256 is not None:
        if path.is_dir():
            raise ConfigError(f"{path}: a folder has no SHA-256: give it without --sha256")
        check_sha256(path, sha256, str(path))
    return _add(path, name, note, force=force)


def _fetched(url: str, name: str | None, note: Note, sha256: str | None, progress: Progress, *, force: bool) -> Added:
    """Fetch a file of one of the kinds that need nothing beside them."""
    part = download(url, sha256, progress)
    try:
        with part.open("rb") as file:
            begin = file.read(8)
        suffix = SUFFIX if begin.startswith(b"PK") else ".tflite" if begin[4:] == b"TFL3" else None
        if suffix is None:
            text = f"{redact(url)}: it is neither a {SUFFIX} file nor yamnet.tflite"
            raise ConfigError(f"{text}: fetch it, and give the file")
        if sha256 is None:
            note(f"its SHA-256 is {file_entry(part)['sha256']}: whoever gives it with --sha256 gets this very file")
        stem = PurePosixPath(urlsplit(url).path).stem
        path = part.with_name((fitting_name(stem) or "model") + suffix)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    try:
        return _add(path, name, note, force=force)
    finally:
        path.unlink()


def _add(path: Path, name: str | None, note: Note, *, force: bool) -> Added:
    if path.is_dir():
        inside = [path / MANIFEST, path / _DESCRIPTION]
        found = next((each for each in inside if each.is_file()), None)
        if found is None:
            raise ConfigError(f"{path}: this folder has neither {MANIFEST} nor {_DESCRIPTION}; give {_KINDS}")
        path = path if found.name == MANIFEST else found
    if path.is_dir() or path.suffix == SUFFIX:
        known = name or fitting_name(Bundle(path).name)
        return _added(known, lambda folder: copy_bundle(path, known, folder), force=force)
    if path.suffix == ".onnx":
        path = _description_of(path)
    if path.suffix == ".toml":
        said, tables = read_description(path)
        known = name or fitting_name(description_name(said, path))
        return _added(known, lambda folder: write_onnx_bundle(said, tables, known, folder, note), force=force)
    if path.suffix == ".tflite":
        known = name or fitting_name(path.stem)
        return _added(known, lambda folder: write_yamnet_bundle(path, known, folder, note), force=force)
    raise ConfigError(f"{path}: not a model that can be added: give {_KINDS}")


def _added(name: str, make: Callable[[Path], None], *, force: bool) -> Added:
    check_name(name)
    return Added(name, install(name, make, force=force))


def _description_of(path: Path) -> Path:
    """Return the description beside an ONNX file: of its name, or `model.toml` where that means this file."""
    for description in (path.with_suffix(".toml"), path.parent / _DESCRIPTION):
        if description.is_file():
            said, tables = read_description(description)
            if Path(tables.absolute(said.file)).absolute() == path.absolute():
                return description
    raise ConfigError(
        f"{path}: write a {_DESCRIPTION} beside it that says how it is run: file, labels, rate and samples at least"
    )
