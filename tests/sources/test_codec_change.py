"""Streams whose codec or rate changes in the middle."""

import subprocess
from itertools import groupby
from pathlib import Path

import pytest
from av.packet import Packet

from streamtag.sources.decoder import Parcel, codec_of
from streamtag.sources.ffmpeg import AudioReader

SECONDS = 2.0


def segment(folder: Path, codec: str, rate: int) -> Path:
    """Write a transport stream of one codec."""
    path = folder / f"{codec}-{rate}.ts"
    tone = f"sine=frequency=440:sample_rate={rate}:duration={SECONDS}"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", tone, "-c:a", codec, path], check=True)
    return path


def heard(path: Path, *, stamped: bool = False) -> tuple[list[int], float, int]:
    """The rates that follow each other, the seconds in all, and how many packets could not be decoded."""
    with AudioReader(str(path)) as reader:
        if not stamped:
            reader.decoder.stamps = None  # as of what is live
        chunks = list(reader.chunks(0.25))
        rates = [rate for rate, _ in groupby(chunk.rate for chunk in chunks)]
        return rates, sum(len(chunk.samples) / chunk.rate for chunk in chunks), reader.decoder.damaged


@pytest.mark.parametrize(
    "kinds",
    [
        [("aac", 48000), ("mp2", 48000), ("aac", 48000)],
        [("mp2", 44100), ("libmp3lame", 48000), ("ac3", 48000), ("aac", 22050), ("eac3", 48000)],
        [("aac", 48000), ("aac", 22050), ("aac", 48000), ("aac", 22050)],
    ],
    ids=["there and back", "all", "rates"],
)
@pytest.mark.parametrize("joined", [False, True], ids=["playlist", "joined"])
def test_all_of_a_stream_whose_codec_changes_is_heard(
    tmp_path: Path, kinds: list[tuple[str, int]], joined: bool
) -> None:
    paths = [segment(tmp_path, codec, rate) for codec, rate in kinds]
    if joined:
        target = tmp_path / "joined.ts"
        target.write_bytes(b"".join(path.read_bytes() for path in paths))
    else:
        target = tmp_path / "list.m3u8"
        parts = "#EXT-X-DISCONTINUITY\n".join(f"#EXTINF:{SECONDS},\n{path.name}\n" for path in paths)
        target.write_text(f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n{parts}#EXT-X-ENDLIST\n")
    rates, seconds, damaged = heard(target)
    assert rates == [rate for rate, _ in groupby(rate for _, rate in kinds)]
    assert seconds == pytest.approx(SECONDS * len(kinds), abs=0.15 * len(kinds))
    assert damaged <= len(kinds)


def test_eight_channels_may_stand_elsewhere_behind_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "7.1.wv"
    tone = "sine=frequency=440:sample_rate=48000:duration=2"
    layout = ["-af", "aformat=channel_layouts=7.1"]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", tone, *layout, path], check=True)
    blocks = [b"wvpk" + rest for rest in path.read_bytes().split(b"wvpk")[1:]]
    assert len(blocks) == 8 * 4  # a quarter of a second, two channels each
    other = [block.replace(b"\x3f\x06", b"\xff\x00") for block in blocks[20:]]  # the channels' mask: 7.1(wide)
    path.write_bytes(b"".join(blocks[:12] + other))
    rates, seconds, damaged = heard(path, stamped=True)
    assert (rates, damaged) == ([48000], 0)
    assert seconds == pytest.approx(1.5)


def test_what_cannot_be_decoded_any_more_is_known(tmp_path: Path) -> None:
    with AudioReader(str(segment(tmp_path, "mp2", 48000))) as reader:
        parcels = list(reader.parcels(0.25))
    decoder = reader.decoder
    junk = Parcel([Packet(bytes(300)) for _ in range(150)], 0.0, 0)
    assert sum(1 for _ in decoder.decode(junk)) == 0
    assert not decoder.is_stuck  # it may be sound to come
    assert sum(1 for parcel in parcels for _ in decoder.decode(parcel)) > 3
    for is_stuck in (False, True):
        assert list(decoder.decode(junk)) == []
        assert decoder.is_stuck is is_stuck


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ("fff1508004fc", "aac"),
        ("fff95c4003fc", "aac"),
        ("fffb9064000f", "mp3"),
        ("fffda4000000", "mp2"),
        ("ffff94000000", "mp1"),
        ("0b77ab121c40", "ac3"),
        ("0b7701ff8680", "eac3"),
        ("000000000000", None),
        ("ffffffffffff", None),
        ("fff1", None),
        ("", None),
    ],
)
def test_a_packet_tells_its_codec_by_its_head(head: str, codec: str | None) -> None:
    assert codec_of(bytes.fromhex(head)) == codec
