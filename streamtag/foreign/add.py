"""Adding a model: what somebody has, of whichever kind, becomes a bundle beside the packaged ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from streamtag.bundle import SUFFIX, Bundle
from streamtag.errors import ConfigError
from streamtag.foreign.bundle_copy import copy_bundle
from streamtag.foreign.bundle_folder import MANIFEST
from streamtag.foreign.description import description_name, read_description
from streamtag.foreign.onnx_file import write_onnx_bundle
from streamtag.foreign.store import check_name, fitting_name, place
from streamtag.foreign.yamnet_bundle import write_yamnet_bundle
from streamtag.paths import user_path

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


def add_model(file: str, name: str | None, note: Note, *, force: bool = False) -> Added:
    """Check a model and put it among the added ones.

    Args:
        file: a bundle's folder or archive, a `model.toml` or the ONNX file beside it, or the published `yamnet.tflite`.
        name: by which it will be known; None: its own.
        note: takes what the user should know.
        force: whether one of this name is replaced.

    Raises:
        ConfigError: there is no such file, its description cannot be used, or the name is taken.
        BundleError: it is damaged, or nothing that can be run here.
        RuntimeUnavailableError: a package that reads it is missing.
    """
    path = user_path(file)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file")
    if path.is_dir():
        inside = [path / MANIFEST, path / _DESCRIPTION]
        found = next((each for each in inside if each.is_file()), None)
        if found is None:
            raise ConfigError(f"{path}: this folder has neither {MANIFEST} nor {_DESCRIPTION}; give {_KINDS}")
        path = path if found.name == MANIFEST else found
    if path.is_dir() or path.suffix == SUFFIX:
        return _added(name or fitting_name(Bundle(path).name), lambda folder: copy_bundle(path, folder), force=force)
    if path.suffix == ".onnx":
        path = _beside(path)
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
    return Added(name, place(name, make, force=force))


def _beside(path: Path) -> Path:
    """Return the description beside an ONNX file: of its name, or `model.toml` where that means this file."""
    for beside in (path.with_suffix(".toml"), path.parent / _DESCRIPTION):
        if beside.is_file():
            said, tables = read_description(beside)
            if Path(tables.absolute(said.file)).absolute() == path.absolute():
                return beside
    raise ConfigError(
        f"{path}: write a {_DESCRIPTION} beside it that says how it is run: file, labels, rate and samples at least"
    )
