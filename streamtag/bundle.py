"""The bundle: a model's folder, or the same zipped, read and checked before anything uses it."""

import csv
import hashlib
import io
import logging
from pathlib import Path
from typing import Any, Final

import msgspec

from streamtag import manifest as manifests
from streamtag.audio import Geometry
from streamtag.audio.frontend import HIGH_HZ, LOG_OFFSET, LOW_HZ, parameters
from streamtag.bundle_files import holds, read_file
from streamtag.bundle_paths import added, find, installed
from streamtag.errors import BundleError
from streamtag.graph_contract import GraphContract
from streamtag.labels import LabelSet, labels_sha256
from streamtag.manifest import FORMAT, MOST_LABELS

__all__ = ["FORMAT", "SUFFIX", "Bundle", "installed"]

SUFFIX = ".streamtag"
"""How the name of a zipped bundle ends."""

_MOST_MANIFEST_BYTES: Final = 4 << 20
_MOST_LABEL_BYTES: Final = 16 << 20
_MAY_LACK = ("tensorrt/", "waveform.onnx")
"""What a wheel goes without for its size: see `pyproject.toml`."""

logger = logging.getLogger(__name__)


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
        geometry: how it wants its sound.
        log_offset: what its front end adds before the logarithm, where log-mel goes in.
        hears_sound: whether sound goes into it as it is, or else log-mel patches, made here.
        graph: how its graph of waveforms is run; None where log-mel goes in.
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
        self.name: str = self.manifest["name"]
        self.version: str = self.manifest["version"]
        named: dict[str, dict[str, Any]] = self.manifest["files"]
        self.left_out = [file for file in named if file.startswith(_MAY_LACK) and not holds(path, file)]
        self.files = {file: entry for file, entry in named.items() if file not in self.left_out}
        window: dict[str, int] | None = self.manifest.get("window")
        self.hears_sound = window is not None
        self.log_offset = LOG_OFFSET
        contract = self.manifest.get("graph") or {}
        self.graph = msgspec.convert(contract, GraphContract) if self.hears_sound else None
        if window is None:
            self._check_frontend()
            self.geometry = Geometry(hop=self.manifest["frontend"]["patch_hop_samples"])
        else:
            self.geometry = Geometry(window["rate"], window["samples"], window["hop"])
        self.labels, self.mids = self._read_labels()
        self.labels_hash = labels_sha256(self.labels)
        expected = self.manifest["labels"]
        if expected.get("count") != len(self.labels):
            raise self._error(f"labels.csv has {len(self.labels)} labels and the manifest says {expected.get('count')}")
        if expected.get("sha256") != self.labels_hash:
            raise self._error("labels.csv has other labels than the manifest says")

    @classmethod
    def open(cls, name_or_path: str | Path = "default") -> "Bundle":
        """Open a packaged or added bundle by name, or any by the path of its folder or zipped file.

        Raises:
            BundleError: there is none, or it is damaged or made for another front end.
        """
        for path in (find(str(name_or_path)), Path(name_or_path)):
            if path is not None and (path.is_file() or (path / "manifest.json").is_file()):
                return cls(path)
        if Path(name_or_path).is_dir():
            raise BundleError(f"{name_or_path}: not a bundle, it has no manifest.json")
        known = ", ".join(installed()) or "none"
        others = f"; added are: {', '.join(added())}" if added() else ""
        raise BundleError(f"{name_or_path}: no such bundle; packaged are: {known}{others}; or give a bundle's path")

    def read(self, file: str) -> bytes:
        """Return the content of one of the manifest's files.

        Raises:
            BundleError: the bundle has no such file, or its content is not what the manifest says.
        """
        if file not in self.files:
            raise self._error(f"it has no {file}")
        entry = self.files[file]
        content = read_file(self.path, file, entry["bytes"])
        if len(content) != entry["bytes"] or hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise self._error(f"{file} is damaged: its hash is not the manifest's; get the bundle again")
        return content

    @property
    def embedder(self) -> str:
        """What names the embeddings that it makes: the SHA-256 of its float32 network, in hexadecimal.

        The files of other precisions are made of that one, and their embeddings are nearly the same.
        """
        name = "model.onnx" if "model.onnx" in self.files else min(self.files, default="")
        return str(self.files[name]["sha256"]) if name else self.labels_hash

    @property
    def band_hz(self) -> tuple[float, float]:
        """Between which frequencies it hears."""
        return (0.0, self.geometry.rate / 2) if self.hears_sound else (LOW_HZ, HIGH_HZ)

    @property
    def has_embedding(self) -> bool:
        """Whether it gives what its scores are made of: a graph of others may lack it."""
        return self.graph is None or self.graph.embedding is not None

    @property
    def label_set(self) -> LabelSet:
        """The labels, with the `on` and the `off` by which the model asks to judge their events, where it does.

        Raises:
            BundleError: the manifest's thresholds are not such.
        """
        return LabelSet(self.labels, self._thresholds())

    def _thresholds(self) -> dict[str, dict[str, float]]:
        try:
            asked = self.manifest.get("thresholds", {})
            of_all = {"on": asked["on"], "off": asked["off"]} if "on" in asked else None
            pairs = {label: of_all for label in self.labels if of_all} | asked.get("labels", {})
            pairs = {label: {"on": float(pair["on"]), "off": float(pair["off"])} for label, pair in pairs.items()}
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise self._error("its manifest's thresholds are not an on and an off for each label") from error
        if not all(0 <= pair["off"] <= pair["on"] <= 1 for pair in pairs.values()):
            raise self._error("its manifest's thresholds are not from 0 to 1, each off at most its on")
        return pairs

    def lacks(self, what: str) -> BundleError:
        """Return the error for what only the files for GPUs hold, such as "a graph for TensorRT"."""
        if not self.left_out:
            return self._error(f"it has no {what}; take another runtime, or export it with `python -m train export`")
        path = f"streamtag/bundles/{self.path.name}"
        return self._error(
            f"this copy goes without what only GPUs need, and so has no {what}: run from a clone of the repository "
            f'(pip install --editable), or name that one\'s bundle: [model] bundle = "CLONE/{path}"'
        )

    def _error(self, what: str) -> BundleError:
        return BundleError(f"bundle {self.path}: {what}")

    def _read_manifest(self) -> dict[str, Any]:
        try:
            return manifests.parse(read_file(self.path, "manifest.json", _MOST_MANIFEST_BYTES))
        except ValueError as error:
            raise self._error(str(error)) from error

    def _check_frontend(self) -> None:
        """A parameter that this version does not know changes no score: what does asks for another format."""
        theirs = self.manifest["frontend"]
        ours = parameters()
        offset = theirs.get("log_offset")
        if isinstance(offset, float) and 0 < offset <= 1:
            self.log_offset = ours["log_offset"] = offset  # of others' models, which may add less to it
        for name in sorted(ours):
            if ours[name] != theirs.get(name):
                difference = f"{name:.60} is {theirs.get(name)!s:.60} there and {ours[name]} here"
                raise self._error(f"made for another front end: {difference}; export it again with this version")
        if unknown := sorted(theirs.keys() - ours.keys()):
            shown = ", ".join(f"{name:.60}" for name in unknown[:5])
            told = "bundle %s: this version does not know its front end's %s, and leaves it out"
            logger.warning(told, self.path, shown)

    def _read_labels(self) -> tuple[list[str], list[str]]:
        try:
            table = io.StringIO(read_file(self.path, "labels.csv", _MOST_LABEL_BYTES).decode())
            rows = list(csv.DictReader(table))
            if [int(row["index"]) for row in rows] != list(range(len(rows))):
                raise self._error("labels.csv is not in the order of its index, from 0 by 1")
            names, mids = [str(row["name"] or "") for row in rows], [row["mid"] or "" for row in rows]
        except (UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as error:
            raise self._error(f"labels.csv is not index,name,mid: {type(error).__name__}") from error
        if len(names) > MOST_LABELS or not all(map(manifests.is_printable, (*names, *mids))):
            raise self._error(f"labels.csv has control characters in it, or more than {MOST_LABELS} labels")
        return names, mids
