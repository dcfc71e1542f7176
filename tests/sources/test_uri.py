from pathlib import Path

import pytest

from streamtag.sources.uri import split


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
