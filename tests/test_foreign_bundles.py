"""Bundles that somebody means harm with: nothing is read that is too large or elsewhere, nothing odd is a traceback."""

import copy
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from streamtag.bundle import Bundle
from streamtag.cli import main
from streamtag.errors import BundleError
from tests.bundles import make_bundle

BIG = 64 << 20
ODD: list[Any] = [
    None,
    True,
    -1,
    10**30,
    0.5,
    "",
    "text",
    "\x1b[2J",
    "\u202etxt",
    [],
    [[]],
    {},
    {"a": {"b": 1}},
    ["x"] * 9,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "tiny")


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def rewrite(folder: Path, manifest: object) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def zipped(folder: Path, method: int = zipfile.ZIP_DEFLATED, other: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    """The folder as an archive, with other content for some files."""
    target = folder.with_suffix(".streamtag")
    with zipfile.ZipFile(target, "w", method) as archive:
        for file in folder.iterdir():
            archive.writestr(file.name, other.get(file.name, file.read_bytes()))
    return target


def refusal(path: Path, file: str = "model.onnx") -> str:
    with pytest.raises(BundleError) as refused:
        Bundle.open(path).read(file)
    text = str(refused.value)
    assert text.isprintable()
    assert len(text) < 1000
    return text


@pytest.mark.parametrize("file", ["manifest.json", "labels.csv", "model.onnx"])
def test_an_archive_does_not_grow_beyond_what_weights_do(folder: Path, file: str) -> None:
    manifest = manifest_of(folder)
    manifest["files"]["model.onnx"]["bytes"] = BIG
    rewrite(folder, manifest)
    text = refusal(zipped(folder, other={file: bytes(BIG)}))
    assert "would grow from" in text or "at most" in text


@pytest.mark.parametrize("file", ["manifest.json", "labels.csv", "model.onnx"])
def test_a_file_that_is_larger_than_the_archive_says_is_not_read_on(folder: Path, file: str) -> None:
    packed = bytearray(zipped(folder, other={file: bytes(BIG)}).read_bytes())
    true, told = BIG.to_bytes(4, "little"), (1000).to_bytes(4, "little")
    path = folder.with_suffix(".streamtag")
    path.write_bytes(bytes(packed).replace(true, told))
    refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_is_packed_as_bundles_are_or_refused(folder: Path, method: int) -> None:
    assert "packed in a way that bundles are not" in refusal(zipped(folder, method))


def test_an_archive_of_endlessly_many_files_is_refused(folder: Path) -> None:
    path = zipped(folder, zipfile.ZIP_STORED)
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    assert "at most 10000" in refusal(path)


@pytest.mark.parametrize("file", ["manifest.json", "labels.csv", "model.onnx"])
@pytest.mark.parametrize("what", ["a device", "a pipe", "a folder", "a large file"])
def test_what_is_no_file_of_the_right_size_is_not_read(folder: Path, file: str, what: str) -> None:
    path = folder / file
    path.unlink()
    match what:
        case "a device":
            path.symlink_to("/dev/zero")
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case _:
            with path.open("wb") as sparse:
                sparse.truncate(100 << 30)
    with pytest.raises(BundleError) as refused:
        Bundle(folder).read("model.onnx")
    assert file in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "../../dev/zero",
        "/dev/zero",
        "a/../b",
        "..",
        "a/./b",
        "a\\..\\b",
        "",
        "a b",
        "\x1b[31m",
        "x" * 200,
        "a/" * 9 + "b",
        "é",
    ],
)
def test_a_file_beyond_the_bundle_is_refused_when_it_is_opened(folder: Path, name: str) -> None:
    manifest = manifest_of(folder)
    manifest["files"][name] = manifest["files"]["model.onnx"]
    rewrite(folder, manifest)
    assert "manifest" in refusal(folder, name)


def ways(value: object, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in nested dictionaries and lists."""
    yield way
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from ways(value[key], (*way, key))


def replaced(manifest: dict[str, Any], way: tuple[Any, ...], value: object) -> Any:
    if not way:
        return value
    changed = copy.deepcopy(manifest)
    place: Any = changed
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    return changed


def test_an_odd_manifest_is_shown_or_refused_in_one_clean_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = manifest_of(folder) | {"metrics": {"eval": {"map": 0.5}}, "parity": {"int8_map_points_lost": 0.1}}
    said, shown = [], 0
    for way in ways(manifest):
        for value in ODD:
            rewrite(folder, replaced(manifest, way, value))
            try:
                Bundle.open(folder).read("model.onnx")
            except BundleError as error:
                said.append(str(error))
                continue
            assert main(["models", "info", str(folder)]) == 0, (way, value)
            shown += 1
            try:
                said += Bundle.open(folder).label_set.thresholds
            except BundleError as error:
                said.append(str(error))
    assert len(said) > 200
    assert shown > 50
    assert not [text for text in (*said, *capsys.readouterr().out.splitlines()) if not text.isprintable()]


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"format": 1, "a": ' + b'{"a": ' * 500, b'{"format": NaN}', b'"\\ud800"']
)
def test_json_that_is_made_to_trouble_its_reader_is_refused(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    assert "BUNDLE" in refusal(folder).replace(str(folder), "BUNDLE")


@pytest.mark.parametrize("deep", [{"metrics": "x"}, {"data": "x"}])
def test_a_manifest_that_is_nested_without_end_is_refused(folder: Path, deep: dict[str, str]) -> None:
    (name,) = deep
    value: object = 1
    for _ in range(100):
        value = {"a": value}
    rewrite(folder, manifest_of(folder) | {name: value})
    assert "nested too deeply" in refusal(folder)


@pytest.mark.parametrize("label", ["\x1b]0;owned\x07", "two\nlines", "\u202egod", "\x9b31m"])
def test_a_label_that_a_terminal_would_obey_is_refused(folder: Path, label: str) -> None:
    made = make_bundle(folder.parent / "labels", [label, "Dog"])
    assert "labels.csv has control characters" in refusal(made)


def test_a_table_of_labels_with_an_endless_field_is_refused(folder: Path) -> None:
    (folder / "labels.csv").write_bytes(b"index,name,mid\n0," + b"x" * 200_000 + b",\n")
    assert "labels.csv is not index,name,mid" in refusal(folder)
