import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from streamtag.audio.frontend import log_mel_windows, parameters
from streamtag.bundle import Bundle
from tests.train.conftest import KINDS, sound_of
from train.data.sets import collect
from train.export import graphs
from train.export.alarms import onsets, onsets_a_minute, raised_thresholds
from train.export.calibrate import calibrate
from train.export.export import export, made_windows
from train.export.modules import FromWaveform, LogMel, Scores
from train.fit import fit
from train.networks import make_network
from train.networks.blocks import compete
from train.settings import Settings


@pytest.fixture(scope="module")
def bundle(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    from train.data.render import RenderSettings
    from train.settings import DataSettings, FitSettings

    folder = tmp_path_factory.mktemp("export")
    settings = Settings(
        name="tiny",
        data=DataSettings(root=recordings, sets=("made",), test_fold=1, others_share=0.2, calibration_share=0.15),
        output=folder / "run",
        render=RenderSettings(windows=96, seed=3),
        fit=FitSettings(steps=16, batch=16, warmup_steps=4, threads=1, average=0.8, checkpoint_every=16),
        processes=1,
    )
    fit(settings)
    return export(settings, folder / "bundle", "7", windows=100)


def test_the_bundle_opens_and_says_what_it_is(bundle: Bundle) -> None:
    assert (bundle.name, bundle.version) == ("tiny", "7")
    assert bundle.labels == sorted([*KINDS, "Silence"])
    assert bundle.manifest["frontend"] == parameters()
    assert bundle.manifest["network"]["name"] == "tagnet"


def test_every_graph_takes_and_gives_what_the_manifest_says(bundle: Bundle) -> None:
    for name, entry in bundle.files.items():
        assert len(bundle.read(name)) == entry["bytes"]
        if name.endswith(".onnx"):
            (shape,) = entry["inputs"].values()
            assert shape in (["N", 1, 96, 64], ["N", 15600], ["N", 7800])
            assert entry["outputs"] == {"scores": ["N", 5], "embedding": ["N", 512]}
    assert bundle.files["model.int8.onnx"]["precision"] == "int8"
    assert {"model.onnx", "waveform.onnx", "tensorrt/patches.float16.onnx"} <= set(bundle.files)


def test_the_float_graph_is_the_trained_network_to_the_fifth_digit(bundle: Bundle) -> None:
    assert bundle.manifest["parity"]["float32_max_difference"] <= 1e-4


def test_the_waveform_graph_scores_as_the_front_end_and_the_network_do(bundle: Bundle) -> None:
    windows = np.stack([sound_of(kind, 50)[:15600] for kind in KINDS])
    patches = log_mel_windows(windows)[:, None]
    one = graphs.run_graph(bundle.path / "model.onnx", patches)
    other = graphs.run_graph(bundle.path / "waveform.onnx", windows)
    np.testing.assert_allclose(other, one, atol=1e-4)


def test_the_graphs_for_tensorrt_hold_no_unsigned_int8_and_no_quantised_bias(bundle: Bundle) -> None:
    import onnx

    model = onnx.load(str(bundle.path / "tensorrt" / "patches.int8.onnx"))
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    quantisers = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert quantisers
    assert {kinds[node.input[2]] for node in quantisers if len(node.input) > 2} == {onnx.TensorProto.INT8}
    assert onnx.TensorProto.INT32 not in {kinds.get(node.input[0]) for node in quantisers}


def test_the_metrics_and_the_credits_are_in_the_card(bundle: Bundle) -> None:
    card = bundle.read("card.md").decode()
    assert "| made | made | CC0 |" in card
    assert "K. J. Piczak" in card
    metrics = bundle.manifest["metrics"]
    assert set(metrics) >= {"calibration", "fold", "made_windows", "false_alarms"}
    assert json.dumps(bundle.manifest, allow_nan=False)


def test_calibration_undoes_a_wrong_scale_and_offset() -> None:
    rng = np.random.default_rng(0)
    true_logits = rng.normal(-1, 2, (4000, 3)).astype(np.float32)
    truth = rng.random(true_logits.shape) < 1 / (1 + np.exp(-true_logits))
    found = calibrate(2 * true_logits + 1, truth, np.ones_like(truth))
    assert found.scale == pytest.approx(0.5, abs=0.05)
    assert found.bias == pytest.approx(-0.5, abs=0.12)
    assert found.error_after < found.error_before


def test_calibration_of_labels_that_compete_undoes_a_wrong_scale_too() -> None:
    rng = np.random.default_rng(0)
    true_logits = rng.normal(-1, 2, (4000, 3)).astype(np.float32)
    odds = compete(torch.from_numpy(true_logits), 0.5).numpy()
    truth = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    found = calibrate(2 * true_logits, truth, np.ones_like(truth), 0.5)
    assert found.scale == pytest.approx(0.5, abs=0.05)
    assert found.bias == pytest.approx(0.0, abs=0.12)
    assert found.error_after < found.error_before


def test_labels_compete_no_more_than_lets_scores_be_right() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(-3, 4, (4000, 6)).astype(np.float32)
    odds = compete(torch.from_numpy(logits), 0.2).numpy()
    truth = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    found = calibrate(logits, truth, np.ones_like(truth), 0.8)
    assert 0.2 < found.competition < 0.75
    assert found.error_after <= 0.03 < found.error_before


def test_scores_fold_scale_and_bias_into_the_last_layer() -> None:
    network = make_network("tagnet", 3).eval()
    patches = torch.randn(2, 1, 96, 64)
    with torch.no_grad():
        expected = torch.sigmoid(0.5 * network(patches)[0] - 1)
        torch.testing.assert_close(Scores(network, 0.5, -1.0)(patches)[0], expected)


def test_the_front_end_as_layers_is_the_front_end() -> None:
    windows = np.stack([sound_of(kind, 9)[:15600] for kind in KINDS])
    found = LogMel()(torch.from_numpy(windows)).numpy()[:, 0]
    np.testing.assert_allclose(found, log_mel_windows(windows), atol=1e-3)


def test_pairs_of_int16_samples_score_as_the_samples_do() -> None:
    body = Scores(make_network("tagnet", 2))
    wave = sound_of("Siren", 3)[None, :15600]
    pairs = torch.from_numpy(np.round(wave * 32768).astype("<i2").view(np.int32))
    with torch.no_grad():
        one = FromWaveform(body)(torch.from_numpy(wave))[0]
        other = FromWaveform(body, int16=True)(pairs)[0]
    torch.testing.assert_close(one, other, atol=1e-3, rtol=0)


def test_a_score_that_stays_up_is_one_onset_and_a_pause_makes_another() -> None:
    scores = np.array([0.1, 0.9, 0.4, 0.9, 0.0, 0.0, 0.9], np.float32)
    on, off = np.full(1, 0.5, np.float32), np.full(1, 0.3, np.float32)
    assert onsets(scores[:, None], on, off).tolist() == [2]


def test_a_label_that_cries_wolf_gets_a_higher_threshold_until_it_does_not() -> None:
    loud = np.tile(np.array([[0.72, 0.1], [0.0, 0.1], [0.0, 0.1]], np.float32), (40, 1))
    absent, half = np.array([True, True]), np.full(2, 0.5, np.float32)
    assert onsets_a_minute([loud], [absent], half)[0] > 1
    assert raised_thresholds([loud], [absent], half, 1.0).tolist() == pytest.approx([0.75, 0.5], abs=0.01)
    assert half.tolist() == [0.5, 0.5]


def test_the_settings_that_made_it_are_in_the_manifest(bundle: Bundle, settings: Callable[..., Settings]) -> None:
    assert set(bundle.manifest["data"]["settings"]["fit"]) == set(msgspec.to_builtins(settings().fit))


def test_the_scores_are_calibrated_on_the_patches_that_the_labels_tell_of(settings: Callable[..., Settings]) -> None:
    run = settings()
    patches, truth, counts = made_windows(collect(run.data), run, 5)
    assert patches.shape == (5, 96, 64)
    assert truth.shape == counts.shape == (5, len(KINDS) + 1)
