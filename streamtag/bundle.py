"""The bundle: a model's folder, or the same zipped, read and checked before anything uses it."""

import csv
import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from streamtag.audio.frontend import parameters
from streamtag.errors import BundleError

__all__ = ["FORMAT", "SUFFIX", "Bundle", "installed", "labels_sha256"]

FORMAT = 1
"""The layout of the folder that this version reads."""
SUFFIX = ".streamtag"
"""How the name of a zipped bundle ends."""

_DAMAGED_ZIP = (zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What reading an archive raises, beside its own error, where bytes of it are damaged."""

_MAY_LACK = ("tensorrt/", "model.pt2")
"""What a wheel goes without for its size: see `pyproject.toml`."""

_PACKAGED = Path(str(resources.files("streamtag"))) / "bundles"


def installed() -> list[str]:
    """Return the names of the bundles that come with the package."""
    return sorted(path.parent.name for path in _PACKAGED.glob("*/manifest.json"))


def labels_sha256(names: Sequence[str]) -> str:
    """Return the hash that names a list of labels: SHA-256 of the names in order, one a line, in UTF-8."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


class Bundle:
    """A model with its labels and thresholds; every file is checked against the manifest when it is read.

    Attributes:
        path: the folder, or the zipped file.
        manifest: the manifest as it stands in the bundle.
        name: the model's name.
        version: the model's version.
        labels: the labels' display names, in the order of the scores.
        mids: the labels' AudioSet identifiers; empty where there is none.
        labels_hash: SHA-256 of the labels, in hexadecimal.
        files: by file name, its `sha256`, `bytes`, `precision`, and input and output names and shapes.
        left_out: files for GPUs that the manifest names and this copy of the bundle goes without.
    """

    def __init__(self, path: Path) -> None:
        """Read the manifest and the labels of the bundle at `path`; `Bundle.open` takes names as well.

        Raises:
            BundleError: a file is missing or unreadable, or does not match the manifest, or the manifest asks for
                another format or front end than this version's.
        """
        self.path = path
        self.manifest = self._read_manifest()
        self.name = str(self._field("name"))
        self.version = str(self._field("version"))
        files = self._object("files", self._field("files"))
        named = {file: self._object(file, entry) for file, entry in files.items()}
        self.left_out = [file for file in named if file.startswith(_MAY_LACK) and not self._holds(file)]
        self.files = {file: entry for file, entry in named.items() if file not in self.left_out}
        self._check_frontend()
        self.labels, self.mids = self._read_labels()
        self.labels_hash = labels_sha256(self.labels)
        expected = self._object("labels", self._field("labels"))
        if expected.get("count") != len(self.labels):
            raise self._error(f"labels.csv has {len(self.labels)} labels and the manifest says {expected.get('count')}")
        if expected.get("sha256") != self.labels_hash:
            raise self._error("labels.csv has other labels than the manifest says")

    @classmethod
    def open(cls, name_or_path: str | Path = "default") -> "Bundle":
        """Open a packaged bundle by name, or any by the path of its folder or zipped file.

        Raises:
            BundleError: there is none, or it is damaged or made for another front end.
        """
        for path in (_PACKAGED / name_or_path, Path(name_or_path)):
            if path.is_file() or (path / "manifest.json").is_file():
                return cls(path)
        if Path(name_or_path).is_dir():
            raise BundleError(f"{name_or_path}: not a bundle, it has no manifest.json")
        known = ", ".join(installed()) or "none"
        raise BundleError(f"{name_or_path}: no such bundle; packaged are: {known}; or give a bundle's path")

    def read(self, file: str) -> bytes:
        """Return the content of one of the manifest's files.

        Raises:
            BundleError: the bundle has no such file, or its content is not what the manifest says.
        """
        if file not in self.files:
            raise self._error(f"it has no {file}")
        content = self._content(file)
        if hashlib.sha256(content).hexdigest() != self.files[file].get("sha256"):
            raise self._error(f"{file} is damaged: its hash is not the manifest's; get the bundle again")
        return content

    @property
    def label_thresholds(self) -> dict[str, dict[str, float]]:
        """By label, the `on` and the `off` by which the model asks to judge its events; empty where it asks for none.

        Raises:
            BundleError: the manifest's thresholds are not such.
        """
        try:
            asked = self.manifest.get("thresholds", {})
            of_all = {"on": asked["on"], "off": asked["off"]} if "on" in asked else None
            pairs = {label: of_all for label in self.labels if of_all} | asked.get("labels", {})
            pairs = {label: {"on": float(pair["on"]), "off": float(pair["off"])} for label, pair in pairs.items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._error("its manifest's thresholds are not an on and an off for each label") from error
        if not all(0 <= pair["off"] <= pair["on"] <= 1 for pair in pairs.values()):
            raise self._error("its manifest's thresholds are not from 0 to 1, each off at most its on")
        return pairs

    def lacks(self, what: str) -> BundleError:
        """Return the error for what only the files for GPUs hold, such as "a graph for TensorRT"."""
        if not self.left_out:
            return self._error(f"it has no {what}; take another runtime, or export it with `python -m train export`")
        place = f"streamtag/bundles/{self.path.name}"
        return self._error(
            f"this copy goes without what only GPUs need, and so has no {what}: run from a clone of the repository "
            f'(pip install --editable), or name that one\'s bundle: [model] bundle = "CLONE/{place}"'
        )

    def _holds(self, file: str) -> bool:
        if not self.path.is_file():
            return (self.path / file).is_file()
        with zipfile.ZipFile(self.path) as archive:
            return file in archive.namelist()

    def _error(self, what: str) -> BundleError:
        return BundleError(f"bundle {self.path}: {what}")

    def _content(self, file: str) -> bytes:
        try:
            if not self.path.is_file():
                return (self.path / file).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(file)
        except (zipfile.BadZipFile, *_DAMAGED_ZIP) as error:
            raise self._error(f"not a bundle: neither a folder nor a zipped one that is whole: {error}") from error
        except (OSError, KeyError) as error:
            raise self._error(f"{file} cannot be read: {error}") from error

    def _read_manifest(self) -> dict[str, Any]:
        try:
            manifest = json.loads(self._content("manifest.json"))
        except ValueError as error:
            raise self._error(f"manifest.json is not JSON: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            found = manifest.get("format") if isinstance(manifest, dict) else None
            raise self._error(f"its format is {found} and this version of streamtag reads {FORMAT}")
        return manifest

    def _field(self, name: str) -> Any:
        if name not in self.manifest:
            raise self._error(f"its manifest lacks {name!r}")
        return self.manifest[name]

    def _object(self, name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error(f"{name!r} in its manifest is not an object")
        return value

    def _check_frontend(self) -> None:
        theirs = self._object("frontend", self._field("frontend"))
        ours = parameters()
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                difference = f"{name} is {theirs.get(name)} there and {ours.get(name)} here"
                raise self._error(f"made for another front end: {difference}; export it again with this version")

    def _read_labels(self) -> tuple[list[str], list[str]]:
        try:
            rows = list(csv.DictReader(io.StringIO(self._content("labels.csv").decode())))
            if [int(row["index"]) for row in rows] != list(range(len(rows))):
                raise self._error("labels.csv is not in the order of its index, from 0 by 1")
            return [str(row["name"] or "") for row in rows], [row["mid"] or "" for row in rows]
        except (UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise self._error(f"labels.csv is not index,name,mid: {error}") from error
