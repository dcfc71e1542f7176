"""The packaged recording, its reference and the packaged model fit each other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import streamtag
from streamtag.audio import PATCH_HOP, SAMPLE_RATE

FOLDER = Path(streamtag.__file__).parent / "bundles" / "default"
REFERENCE = json.loads((FOLDER / "demo.json").read_text())
RECORDING = FOLDER / REFERENCE["recording"]


@pytest.fixture(scope="module")
def result() -> streamtag.Result:
    return streamtag.Tagger().tag(RECORDING)


@pytest.mark.parametrize("sound", REFERENCE["sounds"], ids=lambda sound: sound["label"])
def test_each_sound_of_the_demo_is_recognised(result: streamtag.Result, sound: dict[str, Any]) -> None:
    first, last = (round(sound[edge] * SAMPLE_RATE / PATCH_HOP) for edge in ("onset", "offset"))
    best = np.argsort(result.patches[first:last].mean(axis=0))[::-1][:3]
    assert sound["label"] in [result.labels[index] for index in best]


@pytest.mark.parametrize("sound", REFERENCE["sounds"], ids=lambda sound: sound["label"])
def test_each_sound_of_the_demo_gives_an_event_where_it_begins(result: streamtag.Result, sound: dict[str, Any]) -> None:
    onsets = [event.onset for event in result.events if event.label == sound["label"]]
    assert min(abs(onset - sound["onset"]) for onset in onsets) < PATCH_HOP / SAMPLE_RATE


def test_the_reference_covers_the_recording_without_holes() -> None:
    sounds = REFERENCE["sounds"]
    edges = [0.0] + [sound["offset"] for sound in sounds]
    assert [sound["onset"] for sound in sounds] == edges[:-1]
    assert edges[-1] == REFERENCE["seconds"] == soundfile.info(RECORDING).duration


def test_a_repeat_of_the_recording_begins_with_a_new_patch() -> None:
    assert soundfile.info(RECORDING).frames % PATCH_HOP == 0
