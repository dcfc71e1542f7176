import csv
import tarfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile

from streamtag.errors import ConfigError, InputError
from tests.train.conftest import KINDS, sound_of
from train.data.clips import Clip, load, load_all
from train.data.esc50 import read_esc50
from train.data.manifest import read_manifest
from train.data.sets import collect
from train.data.split import allowed, is_free, is_share_alike, origin, split
from train.settings import DataSettings


def _clip(path: Path, **more: Any) -> Clip:
    return Clip(name=path.name, path=path, member="", labels=("Rain",), source=path.name, dataset="made", **more)


def test_a_clip_is_read_as_mono_at_16_khz(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([sound_of("Whistle", 0), np.zeros(32000)], axis=1), 32000)
    assert load(_clip(path)).shape == (16000,)


def test_corrupt_empty_and_silent_clips_are_named_and_left_out(tmp_path: Path) -> None:
    corrupt, empty, silent, good = (tmp_path / f"{name}.wav" for name in ("corrupt", "empty", "silent", "good"))
    corrupt.write_bytes(b"not audio at all")
    soundfile.write(empty, np.zeros(0), 16000)
    soundfile.write(silent, np.zeros(1000), 16000)
    soundfile.write(good, sound_of("Rain", 1), 16000)
    clips, sounds, skipped = load_all(_clip(path) for path in (corrupt, empty, silent, good))
    assert [clip.name for clip in clips] == ["good.wav"]
    assert len(sounds) == 1
    assert [line.split(":")[0] for line in skipped] == ["clip corrupt.wav", "clip empty.wav", "clip silent.wav"]


def test_a_corrupt_clip_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"clip x\.wav: cannot be read"):
        load(_clip(path))


def test_a_manifest_reads_files_from_a_tar_of_their_folders_name(tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    soundfile.write(sound, sound_of("Rain", 1), 16000)
    with tarfile.open(tmp_path / "sounds.tar", "w") as tar:
        tar.add(sound, "sounds/a.wav")
    (tmp_path / "set.csv").write_text("file,label,speaker_or_piece\nsounds/a.wav,Rain; Wind,roof\n")
    (clip,) = read_manifest(tmp_path / "set.csv", "set")
    assert (clip.labels, clip.source) == (("Rain", "Wind"), "roof")
    assert len(load(clip)) == 32000


def test_a_manifest_without_a_label_column_says_so(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_text("file,name\na.wav,Rain\n")
    with pytest.raises(ConfigError, match="has no column 'label'"):
        read_manifest(tmp_path / "set.csv", "set")


def test_esc50_is_read_as_published(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    with (tmp_path / "meta" / "esc50.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
        table.writerow(["1-2-A-0.wav", 1, 0, "dog", True, 2, "A"])
    (clip,) = read_esc50(tmp_path)
    assert (clip.labels, clip.source, clip.fold) == (("Dog",), "freesound 2", 1)
    assert clip.path == tmp_path / "audio" / "1-2-A-0.wav"


@pytest.mark.parametrize("licence", [
    "CC0", "CC0-1.0", "CC-BY", "CC BY 3.0 (licenses.md)", "MIT", "Apache-2.0", "public domain", "BSD-3-Clause",
    "http://creativecommons.org/licenses/by/3.0/", "http://creativecommons.org/publicdomain/zero/1.0/",
])  # fmt: skip
def test_permissive_licences_are_free_and_ask_for_nothing_alike(licence: str) -> None:
    assert is_free(licence)
    assert not is_share_alike(licence)
    assert all(allowed(licence, which) for which in ("all", "free", "permissive"))


@pytest.mark.parametrize(
    "licence",
    ["GPL-2.0+", "GPLv3", "LGPL 2.1", "AGPL-3", "CC BY-SA 4.0", "CC-BY-SA-3.0", "Free Art License 1.3", "Artistic-2.0",
     "GPL-2 / CC-BY-SA", "GNU General Public License, version 2",
     "http://creativecommons.org/licenses/by-sa/3.0/"],
)  # fmt: skip
def test_share_alike_licences_are_free_and_may_be_left_out(licence: str) -> None:
    assert is_free(licence)
    assert is_share_alike(licence)
    assert allowed(licence, "free")
    assert not allowed(licence, "permissive")


@pytest.mark.parametrize(
    "licence",
    [
        "CC-BY-NC",
        "CC BY-NC 3.0",
        "CC BY-ND 4.0",
        "CC BY-NC-SA",
        "CC BY-NC-ND",
        "CC-Sampling+",
        "",
        "unknown",
        "the video's own",
        "http://creativecommons.org/licenses/by-nc/3.0/",
        "Creative Commons Attribution-NonCommercial",
        "admitted",
    ],
)
def test_other_licences_are_not(licence: str) -> None:
    assert not is_free(licence)
    assert allowed(licence, "all")
    assert not allowed(licence, "free")


def test_no_source_stands_on_two_sides_of_a_split(recordings: Path) -> None:
    parts = collect(
        DataSettings(root=recordings, sets=("made",), test_fold=1, others_share=0.5, calibration_share=0.2)
    ).split
    sources = [{clip.source for clip in part} for part in (parts.train, parts.calibration, parts.fold, parts.others)]
    assert all(sources[:3])
    assert sum(len(part) for part in sources) == len(set().union(*sources))


def test_a_source_with_a_clip_in_the_test_fold_trains_nothing(tmp_path: Path) -> None:
    clips = [
        Clip("a", tmp_path, "", ("Dog",), "freesound 7", "esc50", fold=1),
        Clip("b", tmp_path, "", ("Dog",), "freesound 7", "esc50", fold=2),
        Clip("c", tmp_path, "", ("Dog",), "freesound 8", "esc50", fold=2),
    ]
    parts = split(clips, test_fold=1, licences="all", others_share=0, calibration_share=0, seed=1)
    assert [clip.name for clip in parts.train] == ["c"]


def test_files_of_one_freesound_recording_stand_on_one_side(tmp_path: Path) -> None:
    def clip(name: str, source: str, credit: str, fold: int = 0) -> Clip:
        return Clip(name, tmp_path, "", ("Dog",), source, "made", fold=fold, credit=credit)

    clips = [
        clip("tested", "freesound 7", "", fold=1),
        clip("twin", "dog.ogg", "somebody, https://freesound.org/s/7/, CC0"),
        *(clip(f"{number}", f"dog {number}", f"freesound.org/s/{10 + number // 2}") for number in range(16)),
    ]
    parts = split(clips, test_fold=1, licences="all", others_share=0.4, calibration_share=0.4, seed=1)
    origins = [{origin(clip) for clip in part} for part in (parts.train, parts.calibration, parts.others)]
    assert "twin" not in {clip.name for part in (parts.train, parts.calibration, parts.others) for clip in part}
    assert origins[0]
    assert not origins[0] & (origins[1] | origins[2])


def test_a_fold_that_does_not_exist_is_one_line(recordings: Path) -> None:
    with pytest.raises(ConfigError, match=r"test_fold = 9: no clip is of that fold; folds here: 1, 2"):
        collect(DataSettings(root=recordings, sets=("made",), test_fold=9))


def test_a_set_that_is_not_there_is_one_line(recordings: Path) -> None:
    with pytest.raises(ConfigError, match=r"manifest .*absent\.csv: No such file"):
        collect(DataSettings(root=recordings, sets=("absent",)))


def test_the_labels_are_those_of_all_recordings_and_the_extra_ones(recordings: Path) -> None:
    labels = collect(DataSettings(root=recordings, sets=("made",), test_fold=1)).labels
    assert labels.names == tuple(sorted([*KINDS, "Silence"]))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_a_clip_of_any_rate_comes_out_at_16_khz_with_its_pitch(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate), rate)
    sound = load(_clip(path))
    assert abs(len(sound) - 16000) <= 1
    spectrum = np.abs(np.fft.rfft(sound))
    assert int(spectrum.argmax()) * 16000 / len(sound) == pytest.approx(1000, abs=2)


def test_a_manifests_files_may_lie_in_several_numbered_tars(tmp_path: Path) -> None:
    for number, name in ((1, "a"), (2, "b")):
        sound = tmp_path / f"{name}.wav"
        soundfile.write(sound, sound_of("Rain", number)[: 1000 * number], 16000)
        with tarfile.open(tmp_path / f"sounds{number}.tar", "w") as tar:
            tar.add(sound, f"sounds/{name}.wav")
    (tmp_path / "set.csv").write_text("file,label,repo\nsounds/a.wav,Rain,one\nsounds/b.wav,Rain,two\n")
    clips = read_manifest(tmp_path / "set.csv", "set")
    assert [len(load(clip)) for clip in clips] == [1000, 2000]
    assert [clip.repository for clip in clips] == ["one", "two"]


def test_a_table_beside_its_folder_is_a_set_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    soundfile.write(folder / "a.wav", sound_of("Rain", 1), 16000)
    (folder / "deep.csv").write_text("file,label\na.wav,Rain\n")
    (folder / "unlabelled.csv").write_text("file,label,kind\na.wav,,unlabelled\n")
    found = collect(DataSettings(root=tmp_path, sets=("deep", "deep/unlabelled"))).split.train
    assert [(clip.name, clip.labels, clip.kind) for clip in found] == [
        ("deep/a.wav", ("Rain",), "sound"),
        ("deep/unlabelled/a.wav", (), "unlabelled"),
    ]


def test_a_held_repository_is_judged_on_and_trains_nothing(tmp_path: Path) -> None:
    def clip(name: str, source: str, repository: str, credit: str = "", labels: tuple[str, ...] = ("Dog",)) -> Clip:
        return Clip(name, tmp_path, "", labels, source, "made", licence="CC0", credit=credit, repository=repository)

    clips = [
        clip("held", "bark", "game", "freesound.org/s/7"),
        clip("unlabelled", "hum", "game", labels=()),
        clip("twin", "dog.ogg", "another", "from freesound 7"),
        *(clip(f"{number}", f"dog {number}", "another") for number in range(10)),
    ]
    parts = split(
        clips, test_fold=0, licences="free", others_share=0.2, calibration_share=0.2, seed=1, held_repositories=["game"]
    )
    assert [clip.name for clip in parts.held] == ["held"]
    learnt = {clip.name for part in (parts.train, parts.calibration, parts.others) for clip in part}
    assert learnt == {str(number) for number in range(10)}
    with pytest.raises(ConfigError, match=r"\[data\] held: no clip is of repository 'gmae'"):
        split(
            clips, test_fold=0, licences="all", others_share=0, calibration_share=0, seed=1, held_repositories=["gmae"]
        )


def test_only_what_the_licences_allow_trains(recordings: Path, tmp_path: Path) -> None:
    def names(licences: Literal["all", "free", "permissive"]) -> set[str]:
        parts = split(
            [Clip(kind, tmp_path, "", ("Dog",), kind, "made", licence=kind) for kind in ("CC0", "GPL-3", "CC-BY-NC")],
            test_fold=0, licences=licences, others_share=0, calibration_share=0, seed=1,
        )  # fmt: skip
        return {clip.name for clip in parts.train}

    assert names("all") == {"CC0", "GPL-3", "CC-BY-NC"}
    assert names("free") == {"CC0", "GPL-3"}
    assert names("permissive") == {"CC0"}


def test_folders_of_one_label_in_two_spellings_are_one_line(tmp_path: Path) -> None:
    for label in ("Coffee machine", "coffee machine"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        soundfile.write(tmp_path / "mine" / label / "one.wav", sound_of("Rain", 1), 16000)
    with pytest.raises(ConfigError, match="labels 'Coffee machine' and 'coffee machine' differ in case or blanks"):
        collect(DataSettings(root=tmp_path, sets=("mine",), own_labels={"Coffee machine": ""}))
