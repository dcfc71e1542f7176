import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamtag.bundle import Bundle, installed
from streamtag.errors import BundleError
from streamtag.labels import labels_sha256
from tests.bundles import LABELS, make_bundle

Manifest = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "tiny")


def change_manifest(folder: Path, change: Callable[[Manifest], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def zipped(folder: Path) -> Path:
    target = folder.with_suffix(".streamtag")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return target


def refusal(path: Path) -> str:
    """The one line with which a bundle is refused, without its path."""
    with pytest.raises(BundleError) as refused:
        Bundle.open(path).read("model.onnx")
    text = str(refused.value)
    assert "\n" not in text
    assert str(path) in text
    return text.replace(str(path), "BUNDLE")


@pytest.mark.parametrize("form", [Path, zipped], ids=["folder", "zipped"])
def test_a_bundle_is_read_from_a_folder_or_zipped(folder: Path, form: Callable[[Path], Path]) -> None:
    bundle = Bundle.open(form(folder))
    assert (bundle.name, bundle.version) == ("tiny", "1")
    assert bundle.labels == LABELS
    assert bundle.mids == [""] * len(LABELS)
    assert bundle.labels_hash == labels_sha256(LABELS) == bundle.manifest["labels"]["sha256"]
    assert bundle.label_set.thresholds == {label: {"on": 0.5, "off": 0.3} for label in LABELS}
    assert bundle.read("model.onnx") == (folder / "model.onnx").read_bytes()


def test_a_path_may_be_text(folder: Path) -> None:
    assert Bundle.open(str(folder)).name == "tiny"


def test_the_hash_of_labels_is_that_of_their_names_one_a_line() -> None:
    assert labels_sha256(["Dog", "Fußball"]) == hashlib.sha256("Dog\nFußball".encode()).hexdigest()


def test_every_packaged_bundle_opens_by_its_name_and_every_file_is_sound() -> None:
    for name in installed():
        bundle = Bundle.open(name)
        assert bundle.labels
        for file in bundle.files:
            assert len(bundle.read(file)) == bundle.files[file]["bytes"]


def test_the_manifests_thresholds_are_those_of_all_labels_but_for_the_ones_it_names(folder: Path) -> None:
    own = {"Beep": {"on": 0.8, "off": 0.6}}
    change_manifest(folder, lambda manifest: manifest.update(thresholds={"on": 0.4, "off": 0.2, "labels": own}))
    thresholds = Bundle.open(folder).label_set.thresholds
    assert thresholds.keys() == set(LABELS)
    assert thresholds["Beep"] == {"on": 0.8, "off": 0.6}
    assert thresholds["Hiss"] == {"on": 0.4, "off": 0.2}
    change_manifest(folder, lambda manifest: manifest.pop("thresholds"))
    assert Bundle.open(folder).label_set.thresholds == {}


@pytest.mark.parametrize(
    "thresholds",
    [[], {"on": 0.5}, {"on": "high", "off": 0.3}, {"on": 0.3, "off": 0.5}, {"labels": {"Hum": {"on": 7, "off": 0}}}],
)
def test_thresholds_that_are_none_are_refused_with_one_line(folder: Path, thresholds: object) -> None:
    change_manifest(folder, lambda manifest: manifest.update(thresholds=thresholds))
    with pytest.raises(BundleError, match="its manifest's thresholds are not"):
        Bundle.open(folder).label_set.thresholds  # noqa: B018


@pytest.mark.parametrize("form", [Path, zipped], ids=["folder", "zipped"])
def test_a_copy_without_what_only_gpus_need_is_whole_and_says_where_that_is(
    folder: Path, form: Callable[[Path], Path]
) -> None:
    graph = {"sha256": "0" * 64, "bytes": 1, "precision": "float16"}
    change_manifest(folder, lambda manifest: manifest["files"].update({"tensorrt/patches.float16.onnx": graph}))
    bundle = Bundle.open(form(folder))
    assert list(bundle.files) == ["model.onnx"]
    assert bundle.left_out == ["tensorrt/patches.float16.onnx"]
    assert "so has no graph for TensorRT: run from a clone" in str(bundle.lacks("graph for TensorRT"))


def test_a_changed_file_is_refused(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[100] ^= 1
    (folder / "model.onnx").write_bytes(content)
    assert "model.onnx is damaged" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest["labels"].update(count=9), "has 8 labels and the manifest says 9"),
        (lambda manifest: manifest["labels"].update(sha256="0" * 64), "other labels than the manifest says"),
        (lambda manifest: manifest["frontend"].update(log_offset=1.5), "log_offset is 1.5 there and 0.01 here"),
        (lambda manifest: manifest["frontend"].pop("log"), "log is None there and natural here"),
        (lambda manifest: manifest.update(format=2), "its format is 2 and this version of streamtag reads 1"),
        (lambda manifest: manifest.pop("format"), "its format is None"),
        (lambda manifest: manifest.pop("frontend"), "must say either the front end that makes patches"),
        (lambda manifest: manifest.pop("labels"), "missing required field `labels`"),
        (lambda manifest: manifest.pop("files"), "missing required field `files`"),
        (lambda manifest: manifest.pop("name"), "missing required field `name`"),
        (lambda manifest: manifest.update(files=["model.onnx"]), "Expected `object`, got `array` - at `$.files`"),
        (
            lambda manifest: manifest.update(files={"model.onnx": "x"}),
            "Expected `object`, got `str` - at `$.files[...]`",
        ),
        (lambda manifest: manifest.update(frontend="log-mel"), "Expected `object`, got `str` - at `$.frontend`"),
        (lambda manifest: manifest.update(labels=8), "Expected `object`, got `int` - at `$.labels`"),
        (lambda manifest: manifest["files"].clear(), "it has no model.onnx"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder: Path, change: Callable[[Manifest], object], said: str) -> None:
    change_manifest(folder, change)
    assert said in refusal(folder)
    assert said in refusal(zipped(folder))


def test_what_a_later_version_adds_to_a_manifest_is_left_out_and_a_front_ends_key_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def add(manifest: Manifest) -> None:
        for table in (manifest, manifest["labels"], manifest["files"]["model.onnx"]):
            table["licence"] = {"name": "CC0-1.0"}
        manifest["files"]["model.onnx"]["precision"] = "float8"
        manifest["frontend"]["padding"] = "none"

    before = Bundle.open(folder).labels_hash
    change_manifest(folder, add)
    bundle = Bundle.open(folder)
    assert (bundle.labels_hash, bundle.read("model.onnx")) == (before, (folder / "model.onnx").read_bytes())
    (told,) = caplog.messages
    assert told == f"bundle {folder}: this version does not know its front end's padding, and leaves it out"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"text"'])
def test_a_manifest_that_is_no_object_is_refused(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    assert "manifest.json is not JSON" in refusal(folder) or "its format is None" in refusal(folder)


@pytest.mark.parametrize("file", ["labels.csv", "model.onnx"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert f"BUNDLE: {file} cannot be read" in refusal(folder)
    assert f"BUNDLE: {file} cannot be read" in refusal(zipped(folder))


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"index,name\n0,Dog\n",
        b"index,name,mid\n0\n",
        b"index,name,mid\nzero,Dog,\n",
        b"\xff\xfe\n",
        b"index,name,mid\n1,Dog,\n0,Cat,\n",
    ],
    ids=["empty", "no-mid", "short-row", "no-number", "no-text", "wrong-order"],
)
def test_labels_that_are_no_table_of_labels_are_refused(folder: Path, table: bytes) -> None:
    (folder / "labels.csv").write_bytes(table)
    assert "labels.csv" in refusal(folder)


def test_a_folder_without_a_manifest_is_not_a_bundle(tmp_path: Path) -> None:
    assert "not a bundle, it has no manifest.json" in refusal(tmp_path)


def test_a_bundle_that_is_nowhere_is_named_with_those_that_are_packaged(tmp_path: Path) -> None:
    text = refusal(tmp_path / "absent")
    assert "no such bundle" in text
    assert all(name in text for name in installed())


def test_a_file_that_is_no_archive_is_not_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "song.streamtag"
    path.write_bytes(b"not a zip archive at all")
    assert "neither a folder nor a zipped one" in refusal(path)


def test_an_archive_of_something_else_is_not_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "other.streamtag"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "manifest.json cannot be read" in refusal(path)


def test_a_damaged_archive_is_refused_whichever_byte_it_is(folder: Path) -> None:
    path = zipped(folder)
    whole = path.read_bytes()
    for place in range(0, len(whole), 61):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert Bundle.open(path).read("model.onnx") == (folder / "model.onnx").read_bytes()
        except BundleError as error:
            assert "\n" not in str(error)  # noqa: PT017 (bytes that nobody reads may be damaged)


def test_a_cut_archive_is_refused(folder: Path) -> None:
    path = zipped(folder)
    path.write_bytes(path.read_bytes()[:-30])
    assert "neither a folder nor a zipped one" in refusal(path)
