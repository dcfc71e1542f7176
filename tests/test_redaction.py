import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.redaction import ScrubbingFormatter, redact, scrub
from tests.sources.secret_ways import PASSWORD, WAYS

secrets = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=20).map("S3".__add__)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://user:secret@camera/audio", "rtsp://camera/audio"),
        ("rtsp://user@camera:8554/audio", "rtsp://camera:8554/audio"),
        ("RTSP://user:secret@camera/audio", "rtsp://camera/audio"),
        ("http://user:p@ss@host/x", "http://host/x"),
        ("http://user:pa/ss@host/x", "http://host/x"),
        ("http://host/@studio/live", "http://host/@studio/live"),
        ("http://[::1]:8000/@studio", "http://[::1]:8000/@studio"),
        ("http://host:8000/;stream.mp3", "http://host:8000/;stream.mp3"),
        ("rtsp://camera:554/Streaming/Channels/101", "rtsp://camera:554/Streaming/Channels/101"),
        ("https://host/x.m3u8?token=abc&channel=2", "https://host/x.m3u8?token=***&channel=2"),
        ("https://host/x?abc", "https://host/x?***"),
        ("https://host/x#abc", "https://host/x#***"),
        ("https://host/7f0c2b41aa90d3e5f1b2/x", "https://host/***/x"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("mic:USB Audio", "mic:USB Audio"),
        ("file:/tmp/nowhere/a b.wav", "file:/tmp/nowhere/a b.wav"),
        ("file:/tmp/nowhere/a@b.wav", "file:***@b.wav"),
        ("kitchen 05:30.wav", "kitchen 05:30.wav"),
        ("-", "-"),
        ("", ""),
    ],
)
def test_what_is_known_to_be_harmless_is_shown(source: str, shown: str) -> None:
    assert redact(source) == shown


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_writing_a_password_shows_it(way: str) -> None:
    assert PASSWORD not in redact(WAYS[way])
    assert redact(WAYS[way]) == redact(redact(WAYS[way]))
    assert PASSWORD not in scrub(f"opening {WAYS[way]}: it broke off ('{WAYS[way]}')")


def test_a_file_that_is_there_is_shown_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "user:secret@kitchen.wav"
    path.touch()
    assert redact(str(path)) == str(path)
    assert redact(f"file:{path}") == f"file:{path}"


@given(
    scheme=st.sampled_from(["rtsp", "http", "https", "ftp"]),
    secret=secrets,
    before=st.sampled_from(["user:", "", "a:b/", "a:b?", "a:b#", "a:b@", "a:1/", "a:1?", "a:1#", "a:1/2/"]),
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
    scrub(text)


@pytest.mark.parametrize(
    "line",
    [
        "publishing on tcp://127.0.0.1:5556",
        "cannot publish on tcp://[::1]:5556: the port is in use; choose another port",
        "stream porch: http://host:8000/tone.mp3: the server knows no such stream (404)",
        "ipc:///tmp/streamtag.sock: permission denied",
        'service.toml, line 9: [model] max_batch = "many": must be a whole number from 1 to 4096',
        "the server refuses user or password",
        "anna@example.org",
        "[[stream]] ca_file: only for https:// and rtsps://",
        "write tcp://HOST:PORT or ipc://PATH",
    ],
)
def test_a_line_without_a_secret_stays_as_it_is(line: str) -> None:
    assert scrub(line) == line


def test_a_log_holds_no_secret_of_a_message_its_arguments_or_its_traceback() -> None:
    source = WAYS["as it should be"]
    try:
        raise ValueError(f"bad source {source}")
    except ValueError as error:
        record = logging.LogRecord(
            "x",
            logging.DEBUG,
            __file__,
            1,
            "reading %s: %s",
            (source, "password=" + PASSWORD),
            (ValueError, error, None),
        )
    text = ScrubbingFormatter("%(message)s").format(record)
    assert PASSWORD not in text
    assert "camera.invalid/audio" in text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", [":", "a:/", "http://", "http://a@ ", "%3A", "%25", "password=", "a", "x:y@", "@/", "a.b+"]
)
def test_a_long_text_of_a_strangers_costs_little(piece: str) -> None:
    text = piece * (30_000 // len(piece))
    scrub(text)
    redact(text)
    redact(f"http://{text}")


@given(
    st.sampled_from([way for way in WAYS.values() if f"/{PASSWORD}/" not in way]),
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(["", *":/@?#&=; %\"'\\.,-_0aZ\t"]), st.booleans()),
        min_size=1,
        max_size=1,
    ),
)
def test_a_slip_of_the_pen_shows_a_password_only_where_it_becomes_the_host_or_a_plain_word_of_the_path(
    source: str, slips: list[tuple[float, str, bool]]
) -> None:
    before, _, after = source.partition(PASSWORD)
    for where, new, replaces in slips:
        if where < 0.7:
            at = int(where / 0.7 * len(before))
            before = before[:at] + new + before[at + replaces :]
        else:
            at = int((where - 0.7) / 0.3 * len(after))
            after = after[:at] + new + after[at + replaces :]
    shown = redact(before + PASSWORD + after)
    assert PASSWORD not in shown or re.match(rf"[^:/]*(://|@)[\w.]*(:\d+)?[\w./ ,;*-]*{PASSWORD}", shown), shown
