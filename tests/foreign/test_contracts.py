"""Taggers in the shapes in which they are published: added by a few lines, they score as their own graphs do."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest

import streamtag
from streamtag.bundle import Bundle
from streamtag.foreign.add import add_model
from streamtag.runtimes import open_runtime
from streamtag.runtimes.scorer import Scorer
from tests.foreign.networks import PITCHES, Shape, describe, network
from tests.sounds import tone, write


class Published(NamedTuple):
    shape: Shape
    lines: str
    header: bool = False


PUBLISHED = {
    "yamnet": Published(
        Shape("waveform", ["samples"], 521, "output_0", "Sigmoid", ("output_1", 1024), (("output_2", 64),)),
        'rate = 16000\nsamples = 15600\nhop = 15360\nlayout = "n"\nembedding = "output_1"\n',
    ),
    "panns": Published(
        Shape("waveform", ["b", "n"], 527, "clipwise_output", "Sigmoid", ("embedding", 2048)),
        'rate = 32000\nsamples = 96000\nhop = 32000\nembedding = "embedding"\n',
    ),
    "efficientat": Published(
        Shape("samples", ["w", "n"], 527, "probabilities", "Sigmoid"),
        'rate = 32000\nsamples = 32000\nhop = 16000\ninput = "samples"\nlayout = "bn"\n',
    ),
    "birdnet": Published(
        Shape("input", ["b", 144000], 6522, "output", "", ("emb", 1024), embedding_first=True),
        'rate = 48000\nsamples = 144000\nactivation = "sigmoid"\nembedding = "emb"\n',
    ),
    "perch": Published(
        Shape("inputs", ["b", 160000], 14795, "label", "", ("embedding", 1536), (("spectrogram", 40),)),
        'rate = 32000\nsamples = 160000\nscores = "label"\nactivation = "softmax"\nembedding = "embedding"\n'
        'scale = "peak:0.25"\nskip_labels = 1\n',
        header=True,
    ),
    "one channel": Published(
        Shape("audio", [1, 1, 8000], 5, "scores", "Sigmoid", scale=32768.0),
        'rate = 8000\nsamples = 8000\nlayout = "bcn"\nscale = "int16"\n',
    ),
}


def added(name: str, folder: Path) -> tuple[Bundle, bytes]:
    shape, lines, header = PUBLISHED[name]
    labels = [f"Label {index}" for index in range(shape.labels)]
    graph = network(shape)
    path = describe(folder, lines, graph, ["a_header", *labels] if header else labels)
    add_model(str(path), "theirs", lambda _: None)
    return Bundle.open("theirs"), graph


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_published_contract_scores_windows_as_its_own_graph_does(name: str, tmp_path: Path) -> None:
    bundle, graph = added(name, tmp_path / "model")
    size = bundle.geometry.samples
    rng = np.random.default_rng(3)
    windows = (rng.uniform(-0.4, 0.4, (3, size)) + 0.1).astype(np.float32)
    embedding = PUBLISHED[name].shape.embedding
    runtime = open_runtime(bundle)
    found = Scorer(runtime, 3, bundle.geometry).run(list(windows))

    session = onnxruntime.InferenceSession(graph)
    given = {"perch": _peak(windows), "one channel": np.rint(windows * 32768).astype(np.float32)}.get(name, windows)
    axes = PUBLISHED[name].shape.axes
    source = session.get_inputs()[0].name
    outputs = [PUBLISHED[name].shape.scores, *([embedding[0]] if embedding else [])]
    rows = [session.run(outputs, {source: row.reshape([1] * (len(axes) - 1) + [size])}) for row in given]
    expected = np.concatenate([row[0] for row in rows])
    if name == "birdnet":
        expected = 1 / (1 + np.exp(-expected))
    if name == "perch":
        expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    if embedding:
        embedded = Scorer(runtime, 3, bundle.geometry).embed(list(windows)).embeddings
        np.testing.assert_allclose(embedded, np.concatenate([row[1] for row in rows]), rtol=1e-3, atol=1e-4)


def _peak(windows: np.ndarray) -> np.ndarray:
    centred = windows - windows.mean(axis=1, keepdims=True)
    scaled: np.ndarray = centred * (0.25 / np.abs(centred).max(axis=1, keepdims=True))
    return scaled.astype(np.float32)


@pytest.mark.parametrize("name", ["yamnet", "birdnet", "one channel"])
def test_what_was_added_tags_recordings_by_name_at_its_own_rate_and_hop(name: str, tmp_path: Path) -> None:
    bundle, _ = added(name, tmp_path / "model")
    geometry = bundle.geometry
    sound = tone(4.0, PITCHES[1] * geometry.rate, geometry.rate)
    result = streamtag.Tagger("theirs").tag(write(tmp_path / "tone.wav", sound, geometry.rate))
    assert result.labels[int(result.clip.argmax())] == "Label 1"
    np.testing.assert_allclose(result.starts, geometry.hop / geometry.rate * np.arange(len(result.starts)), atol=1e-9)
    assert ((result.patches >= 0) & (result.patches <= 1)).all()


def test_the_packaged_waveform_graph_is_added_by_a_description_and_scores_as_its_bundle_does(tmp_path: Path) -> None:
    default = Bundle.open("default")
    lines = 'rate = 16000\nsamples = 15600\nhop = 15360\nembedding = "embedding"\n'
    path = describe(tmp_path / "model", lines, default.read("waveform.onnx"), default.labels)
    add_model(str(path), "wave", lambda _: None)
    wave = Bundle.open("wave")
    windows = [tone(0.975, hz) for hz in (200.0, 1000.0)]
    expected = Scorer(load_float32(default), 2).run(windows)
    found = Scorer(open_runtime(wave), 2, wave.geometry).run(windows)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def load_float32(bundle: Bundle) -> streamtag.runtimes.Runtime:
    from streamtag.runtimes.onnx import open_file

    return open_file(bundle, "model.onnx", 1)
