"""The readers of published sets of recordings, `train/data/sets.py` and those beside it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamtag.errors import ConfigError
from train.data.audioset import read_audioset
from train.data.folders import read_folders
from train.data.fsd50k import read_fsd50k
from train.data.sets import collect
from train.data.urbansound8k import read_urbansound8k
from train.labels import category_names, known_mids
from train.settings import DataSettings


def _write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_urbansound8ks_ten_classes_have_known_labels() -> None:
    names = category_names("urbansound8k")
    assert len(names) == 10
    assert set(names.values()) <= set(known_mids())


def test_urbansound8k_is_read_as_published(tmp_path: Path) -> None:
    _write(
        tmp_path / "metadata" / "UrbanSound8K.csv",
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n100032-3-0-0.wav,100032,0.0,0.3,1,5,3,dog_bark\n",
    )
    (clip,) = read_urbansound8k(tmp_path)
    assert (clip.labels, clip.fold, clip.source) == (("Dog",), 5, "freesound 100032")
    assert clip.path == tmp_path / "audio" / "fold5" / "100032-3-0-0.wav"


def test_audioset_gives_the_segments_whose_sound_is_there(tmp_path: Path) -> None:
    _write(
        tmp_path / "eval_segments.csv",
        "# Segments csv\n# num_ytids=2\n# YTID, start_seconds, end_seconds, positive_labels\n"
        '--4gqARaEJE, 0.000, 10.000, "/m/0bt9lr,/m/09x0r"\n'
        '--BfvyPmVMo, 20.000, 30.000, "/m/03l9g"\n',
    )
    _write(tmp_path / "audio" / "--4gqARaEJE_0.flac")
    (clip,) = read_audioset(tmp_path)
    assert (clip.labels, clip.fold, clip.source) == (("Dog", "Speech"), 1, "video --4gqARaEJE")


def test_audioset_with_a_mid_that_nobody_knows_is_one_line(tmp_path: Path) -> None:
    _write(tmp_path / "eval_segments.csv", 'abc, 0.000, 10.000, "/m/nothing"\n')
    _write(tmp_path / "audio" / "abc.wav")
    with pytest.raises(ConfigError, match=r"eval_segments\.csv: MID '/m/nothing' is not in AudioSet's class list"):
        read_audioset(tmp_path)


def test_fsd50k_is_read_with_uploaders_and_licences(tmp_path: Path) -> None:
    truth = tmp_path / "FSD50K.ground_truth"
    _write(truth / "eval.csv", "fname,labels,mids\n7,Rain,/m/06mb1\n")
    _write(truth / "dev.csv", 'fname,labels,mids,split\n64760,"Dog,Bark","/m/0bt9lr,/m/05tny_",train\n')
    _write(
        tmp_path / "FSD50K.metadata" / "dev_clips_info_FSD50K.json",
        '{"64760": {"license": "http://creativecommons.org/licenses/by-nc/3.0/", "uploader": "ann"}}',
    )
    judged, trained = read_fsd50k(tmp_path)
    assert (judged.labels, judged.fold, judged.path.parent.name) == (("Rain",), 1, "FSD50K.eval_audio")
    assert (trained.labels, trained.fold, trained.licence) == (("Dog", "Bark"), 2, "CC BY-NC")
    assert trained.source == "freesound user ann"


def test_a_folder_a_label_needs_no_table(tmp_path: Path) -> None:
    for label in ("Dog", "Rain"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        soundfile.write(tmp_path / "mine" / label / "one.wav", np.ones(100), 16000)
    assert [clip.labels for clip in read_folders(tmp_path / "mine", "mine")] == [("Dog",), ("Rain",)]
    assert collect(DataSettings(root=tmp_path, sets=("mine",))).labels.names == ("Dog", "Rain", "Silence")


def test_an_empty_folder_of_labels_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="no recordings in folders named by label"):
        read_folders(tmp_path / "mine", "mine")


@pytest.mark.parametrize("reader", [read_urbansound8k, read_audioset, read_fsd50k])
def test_a_set_that_is_not_there_says_what_to_set(reader: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set \[data\] root"):
        reader(tmp_path)  # type: ignore[operator]
