"""Recordings whose time stamps do not fit their samples."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamtag.audio.block import Block
from tests.media import AudioPacket, begin_of, encode
from tests.sources.test_lengths import read
from tests.sources.test_recording import remux

Change = Callable[[AudioPacket, int], AudioPacket | None]
KINDS = {
    "a.mkv": "pcm_s16le",
    "b.mkv": "aac",
    "a.nut": "pcm_s16le",
    "a.ts": "aac",
    "a.mka": "libmp3lame",
    "a.flv": "aac",
}


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 s of sound, which nobody changes."""
    name: str = request.param
    return encode(tmp_path_factory.mktemp("whole") / name, "-c:a", KINDS[name], seconds=10.0)


@pytest.fixture
def made(whole: Path, tmp_path: Path) -> Callable[[Change], tuple[list[Block], str]]:
    """Reads it with packets that were changed: what is heard, and what is said of it."""

    def make(change: Change) -> tuple[list[Block], str]:
        return read(remux(whole, tmp_path / whole.name, change))

    return make


def heard(blocks: list[Block]) -> float:
    return sum(len(block.samples) / block.rate for block in blocks)


def lasts(blocks: list[Block]) -> float:
    return (blocks[-1].start + len(blocks[-1].samples)) / blocks[-1].rate


def moved(packet: AudioPacket, seconds: float) -> AudioPacket:
    assert packet.time_base is not None
    assert packet.pts is not None
    packet.pts += round(seconds / packet.time_base)
    packet.dts = packet.pts
    return packet


@pytest.mark.parametrize("speed", [1.05, 1.4, 2.5])
def test_stamps_that_run_fast_make_no_hole(made: Callable[[Change], tuple[list[Block], str]], speed: float) -> None:
    blocks, remark = made(lambda packet, _: moved(packet, (speed - 1) * begin_of(packet)))
    assert heard(blocks) == pytest.approx(10.0, abs=0.1)
    assert lasts(blocks) == pytest.approx(heard(blocks))
    assert "missing" not in remark


def test_recordings_whose_clocks_differ_are_joined(made: Callable[[Change], tuple[list[Block], str]]) -> None:
    def change(packet: AudioPacket, number: int) -> AudioPacket:
        return moved(packet, 36_000.0 if number > 120 else 0.0)

    blocks, remark = made(change)
    assert heard(blocks) == pytest.approx(10.0, abs=0.1)
    assert lasts(blocks) == pytest.approx(heard(blocks))
    assert "missing" not in remark


def test_missing_packets_are_a_hole(made: Callable[[Change], tuple[list[Block], str]]) -> None:
    blocks, remark = made(lambda packet, number: None if 3.0 < begin_of(packet) < 6.0 else packet)
    assert lasts(blocks) == pytest.approx(10.0, abs=0.1)
    assert heard(blocks) == pytest.approx(7.0, abs=0.2)
    assert "s are missing" in remark
