import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources.playlists import choose_variant, entries, is_hls, is_playlist_address, variants

MASTER = "#EXTM3U\n#EXT-X-VERSION:6\n"
PICTURE = MASTER + (
    '#EXT-X-STREAM-INF:BANDWIDTH=6000000,RESOLUTION=1920x1080,CODECS="avc1.64,mp4a.40.2"\nhigh.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=320x180,CODECS="avc1.42"\nsilent.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.42,mp4a.40.2"\nlow.m3u8\n'
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("http://host/a\nhttp://host/b\n", ["http://host/a", "http://host/b"]),
        ("\ufeff#EXTM3U\r\n#EXTINF:-1,Radio\r\nlive/a\r\n", ["live/a"]),
        ("[playlist]\nNumberOfEntries=2\nFile2=http://host/b\nTitle1=x\nFile1 = http://host/a \n", ["http://host/a", "http://host/b"]),
        ("[Reference]\nRef1=http://host/a?x=1\n", ["http://host/a?x=1"]),
        ('<ASX version="3.0"><Entry><Ref HREF = "http://host/a?x=1&amp;y=2" /></Entry></ASX>', ["http://host/a?x=1&y=2"]),
        ("<?xml version='1.0'?><playlist><location>http://host/a</location></playlist>", ["http://host/a"]),
        ("<html><body>no stream here</body></html>", []),
        ("some text\nof a page", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_playlist_names_its_addresses_in_order(text: str, named: list[str]) -> None:
    assert entries(text) == named
    assert not is_hls(text)


def test_of_variants_with_a_picture_the_cheapest_with_sound_is_read() -> None:
    assert is_hls(PICTURE)
    assert [variant.address for variant in variants(PICTURE)] == ["high.m3u8", "silent.m3u8", "low.m3u8"]
    assert choose_variant(PICTURE) == "low.m3u8"


def test_sound_alone_is_read_where_it_is_offered_the_default_language_first() -> None:
    text = MASTER + (
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",DEFAULT=NO,AUTOSELECT=YES,URI="en.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="de",DEFAULT=YES,AUTOSELECT=YES,URI="de, x.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="de",URI="words.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.42,mp4a.40.2",AUDIO="a"\nlow.m3u8\n'
    )
    assert choose_variant(text) == "de, x.m3u8"


def test_a_rendition_without_an_address_is_in_the_variant_itself() -> None:
    text = MASTER + (
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="de",DEFAULT=YES\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.42,mp4a.40.2",AUDIO="a"\nlow.m3u8\n'
    )
    assert choose_variant(text) == "low.m3u8"


def test_of_variants_without_a_picture_the_best_that_does_not_waste_is_read() -> None:
    text = MASTER + "".join(
        f'#EXT-X-STREAM-INF:BANDWIDTH={bits},CODECS="mp4a.40.2"\n{bits}.m3u8\n' for bits in (48_000, 320_000, 128_000)
    )
    assert choose_variant(text) == "128000.m3u8"
    assert choose_variant(PICTURE + text.removeprefix(MASTER)) == "128000.m3u8"


def test_a_list_of_pieces_has_no_variants() -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na0.ts\n"
    assert is_hls(text)
    assert choose_variant(text) is None


@pytest.mark.parametrize(
    ("address", "is_playlist"),
    [
        ("http://host/a.m3u", True),
        ("http://host/a.M3U8?token=x.mp3", True),
        ("http://host/listen.pls", True),
        ("http://host/a.mp3?x=a.m3u", False),
        ("http://host.pls/a", False),
        ("http://host", False),
    ],
)
def test_a_playlist_is_known_by_the_end_of_its_path(address: str, is_playlist: bool) -> None:
    assert is_playlist_address(address) is is_playlist


@given(st.text(max_size=200), st.sampled_from(["", "#EXTM3U\n#EXT-X-STREAM-INF:", "[playlist]\nFile1=", "<asx "]))
def test_any_text_can_be_read(text: str, head: str) -> None:
    entries(head + text)
    choose_variant(head + text)
