import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import torch

from streamtag.errors import ConfigError
from tests.train.conftest import KINDS, sound_of
from train import checkpoint
from train.fit import fit
from train.labels import LabelTable
from train.loop import LAST, check, trained_network
from train.settings import DataSettings, Settings, TeacherSettings

_FIT = """
import pickle, sys
from train.fit import fit
fit(pickle.loads(sys.stdin.buffer.read()))
"""


@pytest.mark.timeout(240)
def test_a_killed_run_goes_on_and_ends_with_the_weights_of_an_unbroken_one(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    run = settings(steps=6, checkpoint_every=2, report_every=2)
    whole = msgspec.structs.replace(run, output=tmp_path / "whole")
    fit(whole)

    broken = msgspec.structs.replace(run, output=tmp_path / "broken")
    last = broken.output / LAST
    process = subprocess.Popen([sys.executable, "-c", _FIT], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(pickle.dumps(broken))
    while not last.is_file() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert last.is_file()
    fit(broken)

    expected = torch.load(whole.output / LAST, weights_only=True)
    found = torch.load(last, weights_only=True)
    assert found["step"] == expected["step"] == 6
    for part in ("weights", "average"):
        for name, value in expected[part].items():
            assert torch.equal(found[part][name], value), name


def test_a_tiny_run_learns(settings: Callable[..., Settings]) -> None:
    run = settings(steps=24, checkpoint_every=24, average=0.8)
    fit(run)
    rows = (run.output / "progress.csv").read_text().splitlines()
    losses = [float(row.split(",")[2]) for row in rows if row.split(",")[1] == "loss"]
    assert losses[-1] < losses[0] / 1.5


def test_a_checkpoint_of_another_network_is_refused_in_one_line(settings: Callable[..., Settings]) -> None:
    run = settings(steps=1, checkpoint_every=1)
    fit(run)
    other = msgspec.structs.replace(run, fit=msgspec.structs.replace(run.fit, network="fully_connected"))
    with pytest.raises(ConfigError, match="is of network 'tagnet', not 'fully_connected'"):
        fit(other)


def test_a_checkpoint_that_cannot_be_written_leaves_the_previous_one(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"network": "tagnet", "labels": ["Dog"], "step": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ConfigError, match=r"cannot be written .*the previous one is kept"):
            checkpoint.save(path, {"network": "tagnet", "labels": ["Dog"], "weights": torch.zeros(1_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.load(path, "tagnet", ("Dog",))["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize(("key", "value"), [("mix_up", 0.5), ("loss", "softmax")])
def test_a_teacher_with_settings_that_it_cannot_go_with_is_refused(
    settings: Callable[..., Settings], key: str, value: object
) -> None:
    run = msgspec.structs.replace(
        settings(**{key: value}), teacher=TeacherSettings(yamnet=Path("yamnet.tflite"), mn04=Path("mn04.safetensors"))
    )
    with pytest.raises(ConfigError, match=rf"\[fit\] {key}"):
        check(run)


@pytest.mark.parametrize("fit_settings", [{"mix_up": 0.5}, {"loss": "softmax"}, {"bf16": True}, {"optimiser": "adam"}])
def test_a_run_learns_with_every_switch(settings: Callable[..., Settings], fit_settings: dict[str, object]) -> None:
    run = settings(steps=2, checkpoint_every=2, report_every=1, **fit_settings)
    fit(run)
    network, step = trained_network(run, LabelTable.of([*KINDS, "Silence"]).names)
    assert step == 2
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


@pytest.mark.timeout(240)
def test_a_folder_with_one_clip_a_label_a_silent_one_and_one_at_8_khz_is_learnt_from(
    settings: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, rate in zip(KINDS, (16000, 8000, 44100, 16000), strict=True):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        soundfile.write(tmp_path / "mine" / kind / "one.wav", sound_of(kind, 1), rate)
    soundfile.write(tmp_path / "mine" / "Rain" / "silent.wav", np.zeros(8000), 16000)
    data = DataSettings(root=tmp_path, sets=("mine",), others_share=0.2, calibration_share=0.1)
    run = msgspec.structs.replace(settings(steps=2, checkpoint_every=2, report_every=2), data=data, cache=None)
    fit(run)
    assert "skipped: clip mine/Rain/silent.wav: is silent" in capsys.readouterr().err
    assert trained_network(run, LabelTable.of([*KINDS, "Silence"]).names)[1] == 2


def test_a_folder_of_silence_alone_has_nothing_to_learn_from(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "mine" / "Rain").mkdir(parents=True)
    soundfile.write(tmp_path / "mine" / "Rain" / "one.wav", np.zeros(8000), 16000)
    run = msgspec.structs.replace(settings(), data=DataSettings(root=tmp_path, sets=("mine",)), cache=None)
    with pytest.raises(ConfigError, match="no labelled clip is left to train on"):
        fit(run)
