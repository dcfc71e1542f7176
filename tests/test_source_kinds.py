from pathlib import Path

import pytest

from streamtag.source_kinds import SOURCES, kind_of, split_uri, who_takes


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
    assert split_uri(uri) == parts


def test_a_file_whose_name_looks_like_a_scheme_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "take:2.wav").touch()
    monkeypatch.chdir(tmp_path)
    assert split_uri("take:2.wav") == ("file", "take:2.wav")


def test_every_scheme_is_of_one_kind_and_what_is_received_alone_or_together_can_be_opened() -> None:
    schemes = [scheme for kind in SOURCES for scheme in kind.schemes]
    assert len(schemes) == len(set(schemes))
    assert all(kind.module for kind in SOURCES if kind.received != "here")
    assert kind_of("nowhere://host") is None
    assert kind_of("talk.m3u") == kind_of("https://host/a")


def test_options_are_taken_by_what_can_make_use_of_them() -> None:
    assert set(who_takes("loop")) == {"file"}
    assert set(who_takes("rate")) == {"-", "mic"}
    assert set(who_takes("timeout_seconds")) == {"http", "https", "rtsp", "rtsps", "sdp", "udp"}
    assert who_takes("ca_file") == {"https": "https://", "rtsps": "rtsps://"}
    assert set(who_takes("leads_to")) == {"http", "https", "rtsp", "rtsps"}
    assert who_takes("id") == {}
