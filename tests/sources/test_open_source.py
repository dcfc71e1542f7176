"""The table of sources in `sources/__init__.py`: from a URI to the file that opens it."""

import subprocess
import sys
from pathlib import Path

import pytest

from streamtag.errors import SourceError
from streamtag.sources import open_source


def test_an_unknown_scheme_is_one_line_that_names_the_known_ones() -> None:
    with pytest.raises(SourceError) as caught:
        open_source("ftp://user:secret@host/x?token=abcdef")
    text = str(caught.value)
    assert "ftp" in text
    assert "rtsp:" in text
    assert "secret" not in text
    assert "abcdef" not in text
    assert "\n" not in text


def test_pushed_pcm_is_not_opened() -> None:
    with pytest.raises(SourceError, match="input"):
        open_source("zmq:")


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("mic:", {"loop": True}),
        ("mic:", {"sample_format": "s16le"}),
        ("http://host/x", {"realtime": True}),
        ("rtsp://host/x", {"rate": 16000}),
        ("file:x.wav", {"channels": 2}),
        ("-", {"rate": 16000, "channels": 1, "sample_format": "s16le", "loop": True}),
    ],
)
def test_an_option_that_means_nothing_to_a_source_is_refused(uri: str, options: dict[str, object]) -> None:
    with pytest.raises(SourceError, match="takes no option"):
        open_source(uri, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "uri", ["sdp:nowhere.sdp", "nowhere.wav", "file:nowhere.wav", "nowhere.pls", f"sdp:{300 * 'a'}"]
)
def test_a_missing_file_is_told_at_once(uri: str) -> None:
    with pytest.raises(SourceError, match="no such file"):
        open_source(uri)


def test_a_url_without_server_is_refused() -> None:
    with pytest.raises(SourceError, match="server"):
        open_source("http://")


def test_opening_a_url_connects_to_nothing_yet() -> None:
    source = open_source("rtsp://user:secret@host.invalid/x")
    assert source.name == "rtsp://host.invalid/x"
    assert (source.rate, source.channels) == (0, 0)
    source.close()
    assert list(source) == []


def test_without_portaudio_the_package_to_install_is_named(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from streamtag.errors import SourceError\n"
        "from streamtag.sources import open_source\n"
        "try: open_source('mic:')\n"
        "except SourceError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "apt install libportaudio2" in told.stdout
    assert told.stdout.count("\n") == 1


def test_the_heavy_libraries_wait_until_a_source_needs_them() -> None:
    program = "import sys, streamtag.sources; print({'av', 'sounddevice'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"
