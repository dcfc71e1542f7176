import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from streamtag.audio import log_mel
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.runtimes import open_runtime
from tests.bundles import LABELS, make_bundle
from tests.sounds import noise, tone


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(make_bundle(tmp_path_factory.mktemp("bundles") / "tiny"))


def put_model(folder: Path, content: bytes) -> Bundle:
    """Make another file the bundle's model, as its manifest says."""
    (folder / "model.onnx").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.onnx"]["sha256"] = hashlib.sha256(content).hexdigest()
    manifest["files"]["model.onnx"]["bytes"] = len(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Bundle.open(folder)


def test_scores_are_probabilities_and_tell_sounds_apart(bundle: Bundle) -> None:
    runtime = open_runtime(bundle, "onnxruntime")
    low, high = runtime.run(np.concatenate([log_mel(tone(0.975, 200)), log_mel(tone(0.975, 3000))]))
    assert low.dtype == np.float32
    assert low.shape == (len(LABELS),)
    for scores in (low, high):
        assert (scores >= 0).all()
        assert (scores <= 1).all()
    assert LABELS[low.argmax()] in ("Rumble", "Low hum")
    assert LABELS[high.argmax()] in ("Whistle", "Hiss")


@pytest.mark.parametrize("count", [0, 1, 2, 7, 33])
def test_a_batch_of_any_size_scores_as_its_patches_do_alone(bundle: Bundle, count: int) -> None:
    runtime = open_runtime(bundle, "onnxruntime")
    patches = log_mel(noise(33.0))[:count]
    alone = [runtime.run(patch[np.newaxis])[0] for patch in patches]
    together = runtime.run(patches)
    assert together.shape == (count, len(LABELS))
    np.testing.assert_allclose(together, np.array(alone).reshape(count, len(LABELS)), atol=1e-6)


def test_embeddings_come_from_the_same_model(bundle: Bundle) -> None:
    patches = log_mel(noise(3.0))
    runtime = open_runtime(bundle)
    scores, embeddings = runtime.embed(patches)
    np.testing.assert_allclose(embeddings, patches.mean(axis=1), atol=1e-4)
    np.testing.assert_array_equal(scores, runtime.run(patches))


def test_what_runs_and_how_is_told(bundle: Bundle) -> None:
    runtime = open_runtime(bundle, "onnxruntime")
    assert (runtime.name, runtime.device, runtime.precision) == ("onnxruntime", "CPU", "float32")


def test_a_runtime_that_does_not_exist_is_refused_with_those_that_do(bundle: Bundle) -> None:
    with pytest.raises(RuntimeUnavailableError, match="no runtime 'tensorflow': it may be auto, onnxruntime"):
        open_runtime(bundle, "tensorflow")


def test_a_file_that_is_no_model_is_refused_with_one_line(tmp_path: Path) -> None:
    bundle = put_model(make_bundle(tmp_path / "tiny"), b"no model at all")
    with pytest.raises(BundleError, match=r"tiny: ONNX Runtime cannot load model\.onnx") as refusal:
        open_runtime(bundle, "onnxruntime")
    assert "\n" not in str(refusal.value)


def test_a_model_of_other_labels_is_refused(tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", ["Dog", "Cat"])
    bundle = put_model(make_bundle(tmp_path / "tiny"), (other / "model.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"model\.onnx scores 2 labels and labels\.csv has 8"):
        open_runtime(bundle, "onnxruntime")


def test_a_model_of_something_else_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [value("x", TensorProto.FLOAT, ["N"])],
        [value("y", TensorProto.FLOAT, ["N"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    bundle = put_model(make_bundle(tmp_path / "tiny"), model.SerializeToString())
    with pytest.raises(BundleError, match="does not turn patches into scores and embedding"):
        open_runtime(bundle, "onnxruntime")
