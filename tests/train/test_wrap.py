from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from streamtag.bundle import Bundle
from streamtag.runtimes import open_runtime
from streamtag.runtimes.onnx_session import open_session
from streamtag.runtimes.scorer import Scorer
from tests.train.conftest import shared_models
from train.cli import main
from train.front_ends import FRONT_ENDS
from train.published.efficientat import Mn04

LABELS = [f"Label {index}" for index in range(527)]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("index,mid,display_name\n" + "".join(f'{i},/m/{i},"{name}"\n' for i, name in enumerate(LABELS)))
    return path


def features_graph(path: Path, name: str, axes: list[int | str], *, lengths: bool = False, opset: int = 13) -> Path:
    """Write a tagger that takes features: the mean of each band, times made weights, as logits."""
    bands = next(axis for axis in axes[1:] if axis in (64, 80, 128))
    over = [place for place, axis in enumerate(axes) if place and axis != bands]
    weights = np.random.default_rng(0).normal(0, 0.01, (bands, 527)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", [name], ["means"], axes=over, keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["product"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)]
    if lengths:
        inputs.append(helper.make_tensor_value_info("x_lens", TensorProto.INT64, [axes[0]]))
        nodes.append(helper.make_node("Cast", ["x_lens"], ["count"], to=1))
        nodes.append(helper.make_node("Unsqueeze", ["count", "one"], ["column"]))
        nodes.append(helper.make_node("Mul", ["column", "tiny"], ["shift"]))
        nodes.append(helper.make_node("Add", ["product", "shift"], ["logits"]))
    else:
        nodes.append(helper.make_node("Identity", ["product"], ["logits"]))
    constants = {"weights": weights, "one": np.array([1], np.int64), "tiny": np.float32(1e-3)}
    graph = helper.make_graph(
        nodes, "features", inputs,
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [axes[0], 527]),
         helper.make_tensor_value_info("means", TensorProto.FLOAT, [axes[0], bands])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("front_end", "name", "axes", "opset"),
    [
        ("ced", "feats", ["b", 64, "t"], 13),
        ("ast", "input_values", ["b", 1024, 128], 17),
        ("kaldi80", "x", ["n", "t", 80], 13),
        ("efficientat", "mel", [1, 1, 128, "t"], 14),
    ],
)
def test_a_wrapped_tagger_scores_sound_as_it_scores_its_features(
    tmp_path: Path, labels: Path, front_end: str, name: str, axes: list[int | str], opset: int
) -> None:
    source = features_graph(tmp_path / "tagger.onnx", name, axes, lengths=front_end == "kaldi80", opset=opset)
    command = ["wrap", front_end, str(source), str(labels), str(tmp_path / "out"), "--seconds", "1.5", "--hop", "0.5"]
    assert main([*command, "--activation", "sigmoid", "--embedding", "means"]) == 0
    bundle = Bundle(tmp_path / "out")
    rate = FRONT_ENDS[front_end].rate
    assert (bundle.geometry.rate, bundle.geometry.samples, bundle.geometry.hop) == (rate, 3 * rate // 2, rate // 2)
    sound = np.random.default_rng(1).normal(0, 0.1, (3, 3 * rate // 2)).astype(np.float32)
    found = Scorer(open_runtime(bundle), 3, bundle.geometry).run(list(sound))

    made = FRONT_ENDS[front_end].make()(torch.from_numpy(sound))
    features, *lengths = made if isinstance(made, tuple) else (made,)
    session = open_session(source)
    rows = []
    for row in range(3):
        given = {name: features[row : row + 1].numpy()}
        if lengths:
            given["x_lens"] = lengths[0][row : row + 1].numpy()
        rows.append(session.run(["logits"], given)[0][0])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.stack(rows))), atol=1e-4)


def test_mn04_becomes_a_bundle_of_probabilities_and_embeddings(
    tmp_path: Path, labels: Path, mn04_file: tuple[Path, Mn04]
) -> None:
    path, published = mn04_file
    assert main(["wrap", "efficientat", str(path), str(labels), str(tmp_path / "mn04")]) == 0
    bundle = Bundle(tmp_path / "mn04")
    assert (bundle.labels, bundle.geometry.rate, bundle.geometry.seconds) == (LABELS, 32000, 1.0)
    session = open_session(bundle.read("model.onnx"))
    for seconds in (1, 3):  # the graph takes any
        sound = np.random.default_rng(2).normal(0, 0.1, (1, 32000 * seconds)).astype(np.float32)
        scores, embedding, logits = session.run(["scores", "embedding", "logits"], {"waveform": sound})
        with torch.no_grad():
            expected = published(torch.from_numpy(sound))
        np.testing.assert_allclose(logits, expected.logits.numpy(), atol=1e-3)
        np.testing.assert_allclose(np.log(scores / (1 - scores)), expected.logits.numpy(), atol=1e-3)
        np.testing.assert_allclose(embedding, expected.features.numpy(), atol=1e-3)


@pytest.mark.parametrize("folder", shared_models("efficientat/reference.npz"))
def test_the_published_mn04_scores_as_its_authors_code(tmp_path: Path, folder: Path | None) -> None:
    if folder is None:  # the published file is not part of this repository
        assert FRONT_ENDS["efficientat"].seconds == 10.0
        return
    files = [str(folder / name) for name in ("mn04_as.safetensors", "class_labels_indices.csv")]
    assert main(["wrap", "efficientat", *files, str(tmp_path / "mn04")]) == 0
    reference = np.load(folder / "reference.npz")
    session = open_session(Bundle(tmp_path / "mn04").read("model.onnx"))
    (scores,) = session.run(["scores"], {"waveform": reference["waveform"][None]})
    np.testing.assert_allclose(np.log(scores / (1 - scores))[0], reference["logits"], atol=1e-3)


@pytest.mark.parametrize(
    ("front_end", "axes", "reason"),
    [
        ("ced", ["b", 128, "t"], "its input feats is ['b', 128, 't'], and front end ced gives [batch, bands, frames]"),
        ("ast", ["b", 512, 128], "of this window [1, 1024, 128]: another front end, or --seconds"),
        ("kaldi80", ["b", "t", 80], "which front end kaldi80 does not give"),
    ],
)
def test_a_tagger_that_a_front_end_does_not_fit_is_one_line(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str], front_end: str, axes: list[int | str], reason: str
) -> None:
    source = features_graph(tmp_path / "tagger.onnx", "feats", axes)
    assert main(["wrap", front_end, str(source), str(labels), str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert not (tmp_path / "out").exists()


def test_what_is_no_graph_and_a_target_that_is_there_are_one_line(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tagger.onnx").write_bytes(b"no graph")
    for out, reason in (("out", "not an ONNX graph that can be read"), (".", "it is there already")):
        assert main(["wrap", "ced", str(tmp_path / "tagger.onnx"), str(labels), str(tmp_path / out)]) == 2
        assert reason in capsys.readouterr().err
