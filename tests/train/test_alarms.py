import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from streamtag.bundle import Bundle
from streamtag.errors import ConfigError
from tests.train.conftest import sound_of
from train.alarms import Stream, as_text, count, streams_of
from train.cli import main
from train.data.render import RenderSettings
from train.export.card import write_card
from train.export.export import export
from train.export.thresholds import OUT_OF_REACH, as_manifest, asked
from train.fit import fit
from train.labels import LabelTable, known_mids
from train.labels.kinds import kinds, may_be_in
from train.settings import DataSettings, FitSettings, Settings

LABELS = ("Dog", "Silence", "Speech")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten seconds that are called speech, six of noise that end in silence, and a file that is no recording."""
    for kind in ("speech", "noise"):
        (tmp_path / "heard" / kind).mkdir(parents=True)
    soundfile.write(tmp_path / "heard" / "speech" / "one.ogg", sound_of("Siren", 1, 10.0), 16000)
    silent_end = np.concatenate([sound_of("Rain", 1, 4.0), np.zeros(32000, np.float32)])
    soundfile.write(tmp_path / "heard" / "noise" / "two.wav", silent_end, 16000)
    (tmp_path / "heard" / "noise" / "broken.wav").write_bytes(b"nothing")
    return tmp_path / "heard"


def test_every_label_that_may_be_in_a_kind_of_sound_is_a_known_one() -> None:
    assert {"speech", "music", "rain", "street"} <= set(kinds())
    assert all(may_be_in(kind) <= set(known_mids()) for kind in kinds())
    assert "Speech" in may_be_in("speech")
    assert "Dog" not in may_be_in("speech")


def test_what_a_recording_may_hold_is_no_false_alarm(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    streams = streams_of(folder, lambda patches: np.ones((len(patches), 3), np.float32), LABELS)
    assert [(stream.kind, stream.absent.tolist()) for stream in streams] == [
        ("noise", [True, False, True]),
        ("speech", [True, True, False]),
    ]
    assert "skipped: clip heard/noise/broken.wav: cannot be read" in capsys.readouterr().err
    half = np.full(3, 0.5, np.float32)
    found = count(streams, LABELS, half, half)
    assert found.onsets == 4  # of Dog twice, of Silence and Speech once
    assert found.kinds["noise"] == pytest.approx((6 * 0.016, 2), abs=0.01)
    assert found.labels["Speech"] == pytest.approx((6 * 0.016, 1), abs=0.01)
    assert set(found.over()) == set(LABELS)
    assert "| Speech | 0.1 | 1 |" in as_text("mine 1", found)


def test_a_label_that_begins_where_it_is_not_gets_a_higher_threshold_and_a_weak_one_begins_nothing() -> None:
    scores = np.tile(np.array([[0.72, 0.2, 0.9], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], np.float32), (40, 1))
    stream = Stream("speech", scores, np.array([True, True, False]))
    labels = LabelTable(LABELS)
    on = asked(labels, None, [stream], ["Silence"])
    assert on.tolist() == pytest.approx([0.75, OUT_OF_REACH, 0.5])
    assert as_manifest(labels, on)["labels"] == {"Dog": {"on": 0.75, "off": 0.45}, "Silence": {"on": 1.0, "off": 1.0}}
    assert count([stream], LABELS, on, on).onsets == 0


def test_a_packaged_bundles_false_alarms_are_counted_by_its_own_thresholds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["alarms", "--folder", str(folder), "--bundle", "fast", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bundle"].startswith("fast ")
    assert (found["recordings"], found["minutes"]) == (2, pytest.approx(0.3, abs=0.05))
    assert not set(found["labels"]) & {*Bundle.open("fast").manifest["weak_labels"], "Silence"}
    assert main(["alarms", "--folder", str(folder), "--bundle", "fast"]) == 0
    assert capsys.readouterr().out.startswith(f"{found['bundle']}: 2 recordings, 0.3 minutes;")


def test_a_folder_that_cannot_be_counted_on_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "noises").mkdir()
    soundfile.write(folder / "noises" / "one.wav", sound_of("Rain", 1), 16000)
    assert main(["alarms", "--folder", str(folder)]) == 2
    assert "no kind of sound is called 'noises': kinds are speech, meeting, music" in capsys.readouterr().err
    assert main(["alarms", "--folder", str(folder / "absent")]) == 2
    assert "absent: no recordings in folders" in capsys.readouterr().err
    for path in folder.glob("[ns]*/*"):
        path.unlink()
    (folder / "noise" / "broken.wav").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="heard: no recording in it can be read"):
        streams_of(folder, lambda patches: patches[:, 0, :3], LABELS)


def test_export_counts_false_alarms_in_the_folder_that_the_settings_name(
    folder: Path, recordings: Path, tmp_path: Path
) -> None:
    settings = Settings(
        name="tiny",
        data=DataSettings(root=recordings, sets=("made",), test_fold=1, calibration_share=0.15, alarms=folder),
        output=tmp_path / "run",
        render=RenderSettings(windows=64, seed=3),
        fit=FitSettings(steps=4, batch=16, warmup_steps=2, threads=1, checkpoint_every=4),
        processes=1,
    )
    fit(settings)
    bundle = export(settings, tmp_path / "bundle", "1", tensorrt=False, windows=40)
    alarms = bundle.manifest["alarms"]
    assert (alarms["recordings"], set(alarms["kinds"])) == (2, {"speech", "noise"})
    card = bundle.read("card.md").decode()
    assert "## False alarms" in card
    assert bundle.manifest["reliability"]["windows"] > 10
    assert "## How often a score is right" in card
    assert "| speech | 0.2 |" in card
    without = msgspec.json.decode(msgspec.json.encode(bundle.manifest)) | {"alarms": {}}
    assert "## False alarms" not in write_card(without, [{"set": "made"}], [])
