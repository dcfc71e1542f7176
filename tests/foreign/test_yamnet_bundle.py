from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

import streamtag
from streamtag.audio.frontend import LOG_OFFSET, log_mel_windows
from streamtag.bundle import Bundle
from streamtag.errors import BundleError
from streamtag.foreign.add import add_model
from streamtag.foreign.yamnet_bundle import CLASS_MAP
from streamtag.runtimes.onnx import open_file
from streamtag.runtimes.onnx_session import open_session
from tests.foreign.tflite import LABELS, write_yamnet
from train.published.yamnet import read_yamnet

Windows = NDArray[np.float32]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_yamnet(tmp_path_factory.mktemp("published") / "yamnet.tflite")


@pytest.fixture(scope="module")
def bundle(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        return Bundle(add_model(str(published), None, lambda _: None).path)


@pytest.fixture(scope="module")
def windows() -> Windows:
    """Real sound: what is in the demo's recording."""
    from benchmarks.contenders import demo_windows

    return demo_windows(31)


@pytest.fixture(scope="module")
def heard(published: Path, windows: Windows) -> dict[str, NDArray[Any]]:
    """What LiteRT computes of each window: its own log-mel, embedding and scores."""
    with pytest.warns(UserWarning, match="experimental_preserve_all_tensors"):
        interpreter = Interpreter(str(published), num_threads=1, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    log_mel = next(each["index"] for each in details if tuple(each["shape"]) == (1, 96, 64, 1))
    embedding = next(each for each in details if tuple(each["shape"]) == (1, 1, 1, 1024))
    source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for window in windows:
        interpreter.set_tensor(source, window)
        interpreter.invoke()
        rows.append([interpreter.get_tensor(index)[0].copy() for index in (log_mel, embedding["index"], result)])
    patches, embeddings, scores = (np.stack(each) for each in zip(*rows, strict=True))
    scale, zero = embedding["quantization"]
    real = (embeddings.reshape(-1, 1024).astype(np.float32) - zero) * np.float32(scale)
    return {"patches": patches[..., 0], "embedding": real, "scores": scores}


def test_the_network_computes_in_the_published_whole_numbers(bundle: Bundle, heard: dict[str, NDArray[Any]]) -> None:
    found = open_file(bundle, "model.int8.onnx", 1).embed(heard["patches"])
    # Where a processor has no product of 8 bits that cannot overflow, a few of them may be off by one.
    assert np.mean(found.scores == heard["scores"]) > 0.999
    assert np.abs(found.embeddings - heard["embedding"]).mean() < 1e-3


def test_behind_our_front_end_it_hears_what_litert_hears(
    bundle: Bundle, windows: Windows, heard: dict[str, NDArray[Any]]
) -> None:
    patches = log_mel_windows(windows, log_offset=bundle.log_offset)
    assert np.abs(patches - heard["patches"]).max() < 0.01
    scores = open_file(bundle, "model.int8.onnx", 1).run(patches)
    differences = np.abs(scores - heard["scores"]).max(axis=1)
    assert (differences <= 0.02).mean() > 0.8
    assert (scores.argmax(axis=1) == heard["scores"].argmax(axis=1)).mean() > 0.9


def test_in_real_numbers_every_graph_scores_as_our_own_network(
    bundle: Bundle, published: Path, windows: Windows
) -> None:
    patches = log_mel_windows(windows[:8], log_offset=bundle.log_offset)
    with torch.no_grad():
        logits, embedding = read_yamnet(published)(torch.from_numpy(patches)[:, None])
    expected = torch.sigmoid(logits).numpy()
    found = open_file(bundle, "model.onnx", 1).embed(patches)
    np.testing.assert_allclose(found.scores, expected, atol=1e-4)
    np.testing.assert_allclose(found.embeddings, embedding.numpy(), atol=1e-4)
    pcm = np.rint(windows[:8] * 32768).astype(np.int16)
    inputs: dict[str, NDArray[Any]] = {"waveform": pcm.astype(np.float32) / 32768, "pcm": pcm.view(np.int32)}
    inputs["patches"] = log_mel_windows(inputs["waveform"], log_offset=bundle.log_offset)[:, np.newaxis]
    right = open_file(bundle, "model.onnx", 1).run(inputs["patches"][:, 0])
    graphs = [file for file in bundle.files if file.startswith(("tensorrt/", "waveform"))]
    assert len(graphs) == 8
    for file in graphs:
        (taken,) = bundle.files[file]["inputs"]
        scores, embeddings = open_session(bundle.read(file)).run(["scores", "embedding"], {taken: inputs[taken]})
        # Symmetric levels of 8 bits are coarser than the published ones.
        limit = {"float32": 1e-3, "float16": 0.1, "int8": 1.0}[bundle.files[file]["precision"]]
        assert np.abs(scores - right).max() < limit, file
        assert embeddings.shape == (8, 1024)


def test_it_is_a_whole_bundle_that_tags_by_name(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (bundle.labels, bundle.log_offset, bundle.geometry.hop) == (LABELS, 0.001, 15360)
    assert bundle.manifest["network"] == {"name": "yamnet", "weights": 3_729_481, "multiplies": 69_165_056}
    monkeypatch.setenv("XDG_DATA_HOME", str(bundle.path.parents[2]))
    result = streamtag.Tagger("yamnet", "onnxruntime").tag(next(Bundle.open("default").path.glob("demo.[fow]*")))
    assert result.patches.shape == (32, 521)


def test_the_front_end_adds_what_the_manifest_says(windows: Windows) -> None:
    ours, theirs = (log_mel_windows(windows[:2], log_offset=offset) for offset in (LOG_OFFSET, 0.001))
    np.testing.assert_allclose(np.exp(ours) - np.exp(theirs), 0.009, atol=1e-4)


def test_identifiers_come_from_the_class_map_beside_it(tmp_path: Path) -> None:
    path = write_yamnet(tmp_path / "yamnet.tflite")
    rows = "".join(f"{index},/m/{index},{label}\n" for index, label in enumerate(LABELS))
    (tmp_path / CLASS_MAP).write_text(f"index,mid,display_name\n{rows}")
    assert Bundle(add_model(str(path), None, lambda _: None).path).mids[520] == "/m/520"
    (tmp_path / CLASS_MAP).write_text("index,mid,display_name\n0,/m/0,Other\n")
    with pytest.raises(BundleError, match=r"its labels are not those that yamnet\.tflite carries"):
        add_model(str(path), "again", lambda _: None)


@pytest.mark.parametrize("kept", [0, 20, 5000, 0.5])
def test_what_is_cut_short_is_one_line_and_nothing_is_added(
    published: Path, tmp_path: Path, data: Path, kept: float
) -> None:
    path = tmp_path / "yamnet.tflite"
    content = published.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    with pytest.raises(BundleError, match=r"it is not the published yamnet\.tflite") as error:
        add_model(str(path), None, lambda _: None)
    assert str(error.value).isprintable()
    assert not data.exists() or not list(data.iterdir())


@pytest.mark.parametrize("label", [521, 64])
def test_another_network_is_one_line_that_says_what_is_other(tmp_path: Path, label: int) -> None:
    path = write_yamnet(tmp_path / "yamnet.tflite", labels=LABELS[:-1] if label == 521 else None)
    if label == 64:  # as many bands, but others
        path.write_bytes(path.read_bytes().replace(np.float32(0.001).tobytes() * 64, np.float32(3).tobytes() * 64))
    with pytest.raises(BundleError, match=r"has 520 labels|adds no constant before the logarithm"):
        add_model(str(path), None, lambda _: None)
