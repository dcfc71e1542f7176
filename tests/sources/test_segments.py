"""What FFmpeg's HLS is given when it asks for a playlist, or for what says how to decode its segments."""

import base64
import time
from contextlib import closing

import pytest

from streamtag.sources.listing import Listing
from streamtag.sources.reach import Reach
from streamtag.sources.reasons import ReadError
from streamtag.sources.segments import Segments


def data_of(content: bytes) -> str:
    return f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"


def playlist_of(*forms: bytes) -> str:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:3"]
    for number, form in enumerate(forms):
        lines += [f'#EXT-X-MAP:URI="{data_of(form)}"', "#EXTINF:2.0,", data_of(b"sound %d" % number)]
    return data_of("\n".join([*lines, ""]).encode())


def segments(listing: Listing) -> Segments:
    reach = Reach()
    reach.begin("http://127.0.0.1/")
    return Segments({}, (5.0, 5.0), reach, listing)


def content(opened: Segments, url: str) -> bytes:
    with closing(opened(url, 0, {})) as file:
        found = b""
        while more := file.read(4096):
            found += more
        return found


def test_segments_are_opened_and_known_by_the_playlist() -> None:
    listing = Listing(time.monotonic, lambda _: False)
    opened = segments(listing)
    assert b"#EXT-X-TARGETDURATION:0" in content(opened, playlist_of(b"one", b"one"))
    assert content(opened, data_of(b"one")) == b"one"
    assert listing.found is None
    assert content(opened, data_of(b"sound 0")) == b"sound 0"
    assert listing.found is not None
    assert content(opened, data_of(b"one")) == b"one"
    assert content(opened, data_of(b"sound 1")) == b"sound 1"
    assert not listing.has_more


def test_sound_that_takes_another_form_ends_the_connection_instead_of_being_decoded_to_noise() -> None:
    opened = segments(Listing(time.monotonic, lambda _: False))
    content(opened, playlist_of(b"one", b"another"))
    content(opened, data_of(b"one"))
    content(opened, data_of(b"sound 0"))
    with pytest.raises(ReadError, match="another form"):
        opened(data_of(b"another"), 0, {})


def test_nothing_is_looked_for_once_nobody_listens() -> None:
    opened = segments(Listing(time.monotonic, lambda _: True))
    with pytest.raises(ReadError, match="nobody listens"):
        opened(playlist_of(b"one"), 0, {})
