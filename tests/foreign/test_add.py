import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from streamtag.bundle import Bundle
from streamtag.errors import BundleError, ConfigError, StreamtagError
from streamtag.foreign.add import add_model
from tests.bundles import make_bundle
from tests.foreign.networks import Shape, describe, network

SHAPE = Shape("sound", ["b", 1600], 4, "scores", "Sigmoid", ("embedding", 8))
LINES = "rate = 8000\nsamples = 1600\n"
LABELS = ["Low", "Middle", "High", "Highest"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return describe(tmp_path / "model", LINES, network(SHAPE), LABELS)


def add(path: Path, name: str | None = "theirs", *, force: bool = False) -> list[str]:
    """Add it and return what was told."""
    notes: list[str] = []
    add_model(str(path), name, notes.append, force=force)
    return notes


def refused(path: Path, kind: type[StreamtagError] = ConfigError) -> str:
    """Return why it is not added, and see that nothing is left of it."""
    with pytest.raises(kind) as error:
        add(path)
    folder = Path(os.environ["XDG_DATA_HOME"], "streamtag", "bundles")
    assert not folder.exists() or list(folder.iterdir()) == []
    text = str(error.value)
    assert text.isprintable()
    return text


def test_a_model_is_called_what_its_description_says_or_what_its_folder_is_called(path: Path, data: Path) -> None:
    add(path, None)
    assert Bundle.open("model").path == data / "model"
    path.write_text('name = "Rain & thunder"\n' + path.read_text())
    add(path, None)
    assert Bundle.open("Rain-thunder").labels == LABELS


def test_the_onnx_file_and_the_folder_stand_for_the_description(path: Path) -> None:
    add(path.parent, "folder")
    add(path.parent / "pitches.onnx", "file")
    assert Bundle.open("folder").labels_hash == Bundle.open("file").labels_hash
    path.unlink()
    assert "write a model.toml beside it" in refused_again(path.parent / "pitches.onnx")


def refused_again(path: Path, name: str = "another") -> str:
    with pytest.raises(StreamtagError) as error:
        add(path, name)
    return str(error.value)


def test_one_of_the_same_name_is_replaced_when_that_is_asked_for(path: Path) -> None:
    add(path)
    assert "replace it with --force" in refused_again(path, "theirs")
    (path.parent / "labels.txt").write_text("A\nB\nC\nD\n")
    add(path, force=True)
    assert Bundle.open("theirs").labels == ["A", "B", "C", "D"]


@pytest.mark.parametrize("name", ["default", "fast", "../up", "a/b", ".hidden", "", "x" * 65])
def test_a_name_that_cannot_be_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--name"):
        add_model(str(path), name or " ", lambda _: None)


def test_a_graph_of_one_window_at_a_time_works_and_is_told(tmp_path: Path) -> None:
    fixed = Shape("sound", [1, 1600], 4, "scores", "Sigmoid")
    notes = add(describe(tmp_path / "model", LINES, network(fixed), LABELS))
    assert notes == ["pitches.onnx takes one window at once: many streams cost more than they could"]


def apart(folder: Path) -> None:
    """Write the graph with its weights in a file of their own."""
    graph = onnx.load_from_string(network(SHAPE))
    onnx.save(graph, folder / "pitches.onnx", save_as_external_data=True, location="weights.bin", size_threshold=1024)


def test_weights_in_a_file_beside_the_graph_come_along(tmp_path: Path, path: Path) -> None:
    graph = onnx.load_from_string(network(SHAPE))
    onnx.save(
        graph, path.parent / "pitches.onnx", save_as_external_data=True, location="weights.bin", size_threshold=1024
    )
    add(path)
    (path.parent / "weights.bin").unlink()
    assert len(Bundle.open("theirs").read("model.onnx")) > 1000
    add(Bundle.open("theirs").path, "again")


def test_weights_that_are_missing_beside_the_graph_are_one_line(path: Path) -> None:
    graph = onnx.load_from_string(network(SHAPE))
    onnx.save(
        graph, path.parent / "pitches.onnx", save_as_external_data=True, location="weights.bin", size_threshold=1024
    )
    (path.parent / "weights.bin").unlink()
    assert "its weights are in another file, which belongs beside it" in refused(path, BundleError)


WRONG: dict[str, tuple[str, Shape, str]] = {
    "a misspelt key": (LINES + "sampels = 3\n", SHAPE, 'sampels: unknown key; did you mean "samples"?'),
    "no rate": ("samples = 1600\n", SHAPE, "rate is missing, which must be a whole number from 8000 to 96000"),
    "a wrong scale": (LINES + 'scale = "peak:2"\n', SHAPE, "scale"),
    "another input": (
        LINES + 'input = "audio"\n',
        SHAPE,
        "line 5: the graph has no input audio; it has sound",
    ),
    "another layout": (LINES + 'layout = "n"\n', SHAPE, 'has the shape [b, 1600] and layout "n" says 1 axes'),
    "another window": (
        "rate = 8000\nsamples = 1500\n",
        SHAPE,
        "line 4: the graph's input sound has the shape",
    ),
    "another output": (
        LINES + 'scores = "probs"\n',
        SHAPE,
        "has no output probs; it has scores [1, 4], ",
    ),
    "no embedding": (LINES + 'embedding = "emb"\n', SHAPE, "the graph has no output emb"),
    "two outputs": (LINES, Shape("sound", ["b", 1600], 4, "a", "Sigmoid", ("b_", 4)), "say which are the scores"),
    "logits": (LINES, Shape("sound", ["b", 1600], 4, "scores"), 'looks like logits: set activation = "sigmoid"'),
    "features": (LINES, Shape("mel", ["b", 128, 1600], 4, "scores", "Sigmoid"), "takes features and not samples"),
    "fewer labels": (LINES, Shape("sound", ["b", 1600], 5, "scores", "Sigmoid"), "has 4 labels and the graph scores 5"),
    "a header": (
        LINES,
        Shape("sound", ["b", 1600], 3, "scores", "Sigmoid"),
        "line 2: labels.txt has 4 labels and the graph scores 3: is its first line a header? set skip_labels = 1",
    ),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_a_description_that_does_not_fit_is_one_line_that_says_where(what: str, tmp_path: Path) -> None:
    lines, shape, reason = WRONG[what]
    graph = network(SHAPE if shape.axes[1:] == [128, 1600] else shape)
    if shape.axes[1:] == [128, 1600]:
        graph = features()
    path = describe(tmp_path / "model", lines, graph, LABELS)
    text = refused(path)
    assert text.startswith(str(path))
    assert reason in text


def features() -> bytes:
    """A graph that takes a spectrogram."""
    return _graph([helper.make_node("ReduceMean", ["mel"], ["scores"], axes=[1, 2], keepdims=0)], ["b", 64, 100, 4])


def _graph(nodes: list[onnx.NodeProto], axes: list[int | str], opset: int = 17, domain: str = "") -> bytes:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


UNLOADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no graph": (lambda: b"no graph at all", "ONNX Runtime cannot load it"),
    "an unknown operator": (
        lambda: _graph([helper.make_node("Listen", ["mel"], ["scores"])], ["b", 1600]),
        "has an operator that ONNX Runtime does not know",
    ),
    "an opset of the future": (
        lambda: _graph([helper.make_node("Sigmoid", ["mel"], ["scores"])], ["b", 1600], opset=99),
        "export it for an older opset",
    ),
}


@pytest.mark.parametrize("what", list(UNLOADABLE))
def test_a_graph_that_cannot_be_loaded_is_one_line(what: str, path: Path) -> None:
    make, reason = UNLOADABLE[what]
    (path.parent / "pitches.onnx").write_bytes(make())
    assert reason in refused(path, BundleError)


def test_a_graph_of_5_gb_is_not_read(path: Path) -> None:
    with (path.parent / "pitches.onnx").open("wb") as sparse:
        sparse.truncate(5 << 30)
    assert "it has 5.4 GB, and a graph at most 2.1 GB" in refused(path, BundleError)


def test_scores_that_are_no_numbers_are_one_line(path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["mel"], ["peak"], axes=[1], keepdims=1),
        helper.make_node("Div", ["mel", "peak"], ["whole"]),
        helper.make_node("Abs", ["whole"], ["loud"]),
        helper.make_node("ReduceMean", ["loud"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean"] * 4, ["scores"], axis=1),
    ]
    (path.parent / "pitches.onnx").write_bytes(_graph(nodes, ["b", 1600]))
    assert "gives scores that are not finite for silence" in refused(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_bundle_is_copied_whole_from_its_folder_or_archive(tmp_path: Path, packed: bool) -> None:
    folder = make_bundle(tmp_path / "tiny")
    source = folder
    if packed:
        source = tmp_path / "tiny.streamtag"
        with zipfile.ZipFile(source, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, file.name)
    add(source, None)
    assert Bundle.open("tiny").read("model.onnx") == (folder / "model.onnx").read_bytes()


@pytest.mark.parametrize("outside", ["../evil.txt", "/etc/evil", "a/../../evil"])
def test_an_archive_with_paths_outside_of_it_is_refused(tmp_path: Path, outside: str) -> None:
    folder = make_bundle(tmp_path / "tiny")
    source = tmp_path / "tiny.streamtag"
    with zipfile.ZipFile(source, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
        archive.writestr(zipfile.ZipInfo(outside), b"evil")
    assert "which cannot name a file of a bundle" in refused(source, BundleError)
    assert not list(tmp_path.rglob("evil*"))


def test_a_damaged_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "tiny")
    (folder / "model.onnx").write_bytes(b"other")
    assert "model.onnx is damaged" in refused(folder, BundleError)


@pytest.mark.parametrize("file", ["absent.onnx", "sound.wav", "."])
def test_what_is_no_model_is_one_line(tmp_path: Path, file: str) -> None:
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    assert str(tmp_path) in refused(tmp_path / file)


def test_a_sigmoid_after_the_graphs_own_is_told(tmp_path: Path) -> None:
    path = describe(tmp_path / "model", LINES + 'activation = "sigmoid"\n', network(SHAPE), LABELS)
    assert 'set activation = "none"' in add(path)[0]
