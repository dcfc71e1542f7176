from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources import redact
from streamtag.sources.uri import split

secrets = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=20).map("S3".__add__)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://user:secret@camera/audio", "rtsp://camera/audio"),
        ("rtsp://user@camera:8554/audio", "rtsp://camera:8554/audio"),
        ("http://user:p@ss@host/x", "http://host/x"),
        ("http://user:pa/ss@host/x", "http://host/x"),
        ("http://host/@studio/live", "http://host/@studio/live"),
        ("http://[::1]:8000/@studio", "http://[::1]:8000/@studio"),
        ("https://host/x.m3u8?token=abc&channel=2", "https://host/x.m3u8?token=***&channel=2"),
        ("https://host/x?abc", "https://host/x?abc=***"),
        ("https://host/x#abc", "https://host/x#***"),
        ("mic:USB Audio", "mic:USB Audio"),
        ("file:/tmp/a@b.wav", "file:/tmp/a@b.wav"),
        ("-", "-"),
    ],
)
def test_what_is_shown_of_a_uri_holds_no_secret(uri: str, shown: str) -> None:
    assert redact(uri) == shown


@given(
    scheme=st.sampled_from(["rtsp", "http", "https", "ftp"]),
    secret=secrets,
    before=st.sampled_from(["user:", "", "a:b/", "a:b?", "a:b#", "a:b@"]),
    after=st.sampled_from(["", "/x", "?token=T0ken", "/x?key=T0ken&sig=T0ken#T0ken"]),
)
def test_a_password_never_shows_wherever_it_has_odd_characters(
    scheme: str, secret: str, before: str, after: str
) -> None:
    shown = redact(f"{scheme}://{before}{secret}@host{after}")
    assert secret not in shown
    assert "T0ken" not in shown
    assert "host" in shown


@given(st.text(max_size=80))
def test_any_text_can_be_shown(text: str) -> None:
    redact(text)
    redact(f"http://{text}")


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("-", ("-", "")),
        ("mic:", ("mic", "")),
        ("mic:#3", ("mic", "#3")),
        ("file:a.wav", ("file", "a.wav")),
        ("/tmp/a b.wav", ("file", "/tmp/a b.wav")),
        ("./12:30.wav", ("file", "./12:30.wav")),
        ("RTSP://host/x", ("rtsp", "//host/x")),
        ("sdp:a.sdp", ("sdp", "a.sdp")),
    ],
)
def test_a_uri_falls_into_scheme_and_place(uri: str, parts: tuple[str, str]) -> None:
    assert split(uri) == parts


def test_a_file_whose_name_looks_like_a_scheme_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "take:2.wav").touch()
    monkeypatch.chdir(tmp_path)
    assert split("take:2.wav") == ("file", "take:2.wav")
