from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from streamtag.errors import ConfigError
from tests.train.conftest import sound_of
from train.clipset import ClipSet
from train.data.clips import Clip
from train.data.split import Split
from train.disagreements import as_markdown, as_rows, disagreements
from train.judges import Judge
from train.labels import known_mids
from train.labels.corrections import corrected, corrections

NAMES = ("Rain", "Dog", "Siren", *(f"Other {number}" for number in range(60)))


def _clips(folder: Path) -> list[Clip]:
    clips = []
    for number, label in enumerate(("Dog", "Rain", "Siren")):
        path = folder / f"{label}.wav"
        soundfile.write(path, sound_of("Siren", number), 16000)
        clips.append(Clip(f"made/{label}", path, "", (label,), label, "made", repository="somebody/sounds"))
    return clips


def _judge(name: str, siren: float, asked: list[str]) -> Judge:
    """A tagger that hears a siren in everything, and rain where it is called rain."""

    def score(clips: ClipSet) -> NDArray[np.float32]:
        asked.extend(clip.name for clip in clips.clips)
        scores = np.full((len(clips.clips), len(NAMES)), 0.1, np.float32)
        scores[:, NAMES.index("Dog")] = 0.0
        scores[:, NAMES.index("Siren")] = siren
        scores[:, NAMES.index("Rain")] = [float("Rain" in clip.labels) for clip in clips.clips]
        return scores

    return Judge(name, NAMES, score)


def test_a_recording_that_both_taggers_hear_as_something_else_is_listed_and_others_are_asked_once(
    tmp_path: Path,
) -> None:
    first: list[str] = []
    second: list[str] = []
    taggers = [_judge("one", 0.9, first), _judge("two", 0.2, second)]
    found = disagreements(_clips(tmp_path), taggers)
    assert [(each.clip.name, each.label, each.heard) for each in found] == [("made/Dog", "Dog", ("Siren",))]
    assert min(found[0].ranks) > 40
    assert first == ["made/Dog", "made/Rain", "made/Siren"]
    assert second == ["made/Dog"], "what the first tagger does not doubt costs the second one nothing"
    assert "| made/Dog | somebody/sounds | Dog | " in as_markdown(found, taggers)
    assert as_rows(found)[0]["heard"] == ["Siren"]
    with pytest.raises(ConfigError, match="name two taggers"):
        disagreements([], taggers[:1])


def test_every_correction_names_known_labels_and_says_why() -> None:
    table = Path(__file__).parents[2] / "train" / "labels" / "corrections.csv"
    lines = table.read_text(encoding="utf-8").splitlines()[1:]
    assert len(corrections()) == len(lines) > 0
    assert all(set(labels) <= set(known_mids()) for labels in corrections().values())
    assert not [line for line in lines if line.endswith(",")]


def test_a_wrong_label_is_mended_and_a_recording_without_a_right_one_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.labels.corrections.corrections", lambda: {"made/Dog": ("Siren",), "made/Rain": ()})
    clips = tuple(_clips(tmp_path))
    parts = corrected(Split(clips, (), (), (), clips[1:]))
    assert [(clip.name, clip.labels) for clip in parts.train] == [("made/Dog", ("Siren",)), ("made/Siren", ("Siren",))]
    assert [clip.name for clip in parts.held] == ["made/Siren"]
