import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.config import Config, LabelThresholds, Stream, check_labels, load_config
from streamtag.errors import ConfigError
from streamtag.events import thresholds_of
from streamtag.toml_lines import key_lines
from tests.configurations import load, refusal

WHOLE = """\
[service]
endpoint = "tcp://127.0.0.1:5556"
input    = "tcp://127.0.0.1:5557"
max_streams = 10000

[model]
bundle  = "default"
runtime = "auto"
max_batch = 256
max_wait_ms = 10

[scores]
rolling = 5

[events]
on = 0.5
off = 0.3
min_seconds = 0.0
hold_seconds = 1.0
cooldown_seconds = 0.0

[events.labels."Dog"]
on = 0.6

[history]
path = "history.sqlite"
keep_days = 1
max_megabytes = 500
clips = false
clip_seconds = 4.0

[[stream]]
id = "porch"
source = "rtsp://user:secret@camera/audio"

[[stream]]
id = "yard"
source = "file:yard.flac"
realtime = true
loop = true
"""


def test_every_documented_key_is_read(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    assert config.service.input == "tcp://127.0.0.1:5557"
    assert config.model.max_batch == 256
    assert config.scores.rolling == 5
    assert config.history.keep_days == 1
    assert [(stream.id, stream.realtime, stream.loop) for stream in config.streams] == [
        ("porch", False, False),
        ("yard", True, True),
    ]
    assert config.path == tmp_path / "live.toml"


def test_an_empty_file_gives_the_defaults_that_the_whole_file_spells_out(tmp_path: Path) -> None:
    whole, empty = load(tmp_path, WHOLE), load(tmp_path, "")
    assert empty.service == msgspec.structs.replace(whole.service, input=None)
    assert empty.model == whole.model
    assert empty.scores == whole.scores
    assert empty.events == msgspec.structs.replace(whole.events, labels={}, on=None, off=None)
    assert thresholds_of("Cat", empty.events, {}) == thresholds_of("Cat", whole.events, {})
    assert empty.history == msgspec.structs.replace(whole.history, path=None)
    assert empty == Config(path=tmp_path / "live.toml")


def test_a_label_takes_from_the_defaults_what_it_does_not_say(tmp_path: Path) -> None:
    config = load(tmp_path, '[events]\noff = 0.1\nhold_seconds = 3\n[events.labels."Dog, wet"]\non = 0.6\n')
    assert config.events.labels == {"Dog, wet": LabelThresholds(on=0.6, off=0.1, hold_seconds=3.0)}


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "live.toml").write_text(
        '[model]\nbundle = "models/mine"\n[history]\npath = "h.sqlite"\n'
        '[[stream]]\nid = "a"\nsource = "a.flac"\n[[stream]]\nid = "b"\nsource = "file:b c.flac"\n'
        '[[stream]]\nid = "c"\nsource = "sdp:c.sdp"\n[[stream]]\nid = "d"\nsource = "/d.flac"\n'
    )
    monkeypatch.chdir(tmp_path)
    config = load_config("etc/live.toml")
    etc = tmp_path / "etc"
    assert config.model.bundle == f"{etc}/models/mine"
    assert config.history.path == f"{etc}/h.sqlite"
    assert [stream.source for stream in config.streams] == [
        f"{etc}/a.flac",
        f"file:{etc}/b c.flac",
        f"sdp:{etc}/c.sdp",
        "/d.flac",
    ]


@pytest.mark.parametrize(
    "source", ["mic:", "mic:USB Audio", "rtsp://a/b", "https://a/b.mp3", "udp://:5004", "zmq:", "-", "file:///a.flac"]
)
def test_what_is_no_path_stays_as_it_is(tmp_path: Path, source: str) -> None:
    assert load(tmp_path, f'[[stream]]\nid = "a"\nsource = "{source}"\n').streams[0].source == source


@pytest.mark.parametrize("name", ["take:2.wav", "~x.wav", "a b.wav"])
def test_a_recording_beside_the_file_is_found_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).touch()
    (tmp_path / "elsewhere").mkdir()
    text = f'[[stream]]\nid = "a"\nsource = "{name}"\n'
    path = tmp_path / "live.toml"
    path.write_text(text)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_config(path).streams[0].source == f"{tmp_path}/{name}"


def test_a_tilde_that_is_nobody_s_home_is_a_name_like_any_other(tmp_path: Path) -> None:
    source = load(tmp_path, '[[stream]]\nid = "a"\nsource = "~nobody-has-this-name.wav"\n').streams[0].source
    assert source == f"{tmp_path}/~nobody-has-this-name.wav"


def test_standard_input_cannot_be_read_twice(tmp_path: Path) -> None:
    pcm = 'source = "-"\nrate = 16000\nchannels = 1\nformat = "s16le"\n'
    with pytest.raises(ConfigError, match=r'line 9: .*source = "-": another stream reads standard input already'):
        load(tmp_path, f'[[stream]]\nid = "a"\n{pcm}[[stream]]\nid = "b"\n{pcm}')


def test_a_bundle_beside_the_file_is_found_by_its_folder_name(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.json").write_text("{}")
    assert load(tmp_path, '[model]\nbundle = "mine"\n').model.bundle == f"{tmp_path}/mine"
    assert load(tmp_path, '[model]\nbundle = "default"\n').model.bundle == "default"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[model]\nmax_batch = "many"\n',
            'live.toml, line 2: [model] max_batch = "many": must be a whole number from 1 to 4096',
        ),
        (
            "[scores]\n\n# why\nrolling = 0\n",
            "live.toml, line 4: [scores] rolling = 0: must be a whole number from 1 to 10000",
        ),
        ("[events]\non = nan\n", "live.toml, line 2: [events] on = nan: must be a number from 0 to 1"),
        ("[events]\noff = -0.1\n", "live.toml, line 2: [events] off = -0.1: must be a number from 0 to 1"),
        (
            "[history]\nclips = 1\n",
            "live.toml, line 2: [history] clips = 1: must be true or false",
        ),
        (
            '[model]\nruntime = "cuda"\n',
            'live.toml, line 2: [model] runtime = "cuda": must be "auto", "onnxruntime", "openvino", "tensorrt", '
            '"triton" or "torch"',
        ),
        (
            '[service]\nendpoint = "5556"\n',
            'live.toml, line 2: [service] endpoint = "5556": must be an address such as "tcp://127.0.0.1:5556" '
            '(port 1 to 65535, or * for a free one) or "ipc:///run/scores"',
        ),
        (
            '[events.labels."Dog"]\non = 2\n',
            'live.toml, line 2: [events.labels."Dog"] on = 2: must be a number from 0 to 1',
        ),
        (
            '[events]\nlabels.Dog = { on = 0.6, off = "low" }\n',
            'live.toml, line 2: [events.labels."Dog"] off = "low": must be a number from 0 to 1',
        ),
        (
            '[[stream]]\nid = "a"\nsource = "mic:"\n\n[[stream]]\nid = "a b"\nsource = "mic:"\n',
            'live.toml, line 6: [[stream]] id = "a b": must be 1 to 64 letters, digits, dots, hyphens or underscores',
        ),
        ("model = 5\n", "live.toml, line 1: [model] is 5: must be a table"),
        ("[events]\nlabels = []\n", "live.toml, line 2: [events.labels] is a list: must be a table"),
        ('[stream]\nid = "a"\n', "live.toml, line 1: [stream]: must be written [[stream]], once for each stream"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_it_may_be(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nmax_bach = 4\n", 'live.toml, line 2: [model] max_bach: unknown key; did you mean "max_batch"?'),
        ("[modle]\n", 'live.toml, line 1: "modle": unknown section; did you mean "model"?'),
        ("[scores]\nx = 1\n", "live.toml, line 2: [scores] x: unknown key; known are rolling"),
        (
            "[events.labels.Dog]\nlabels = 1\n",
            'live.toml, line 2: [events.labels."Dog"] labels: unknown key; known are on, off, min_seconds, '
            "hold_seconds, cooldown_seconds",
        ),
        (
            '[[stream]]\nid = "a"\nsorce = "rtsp://user:secret@camera"\n',
            'live.toml, line 3: [[stream]] sorce: unknown key; did you mean "source"?',
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


def test_a_stream_without_a_source_is_refused_at_its_header(tmp_path: Path) -> None:
    message = refusal(tmp_path, '\n[[stream]]\nid = "a"\n')
    assert message == "live.toml, line 2: [[stream]]: source is missing, which must be a text that is not empty"


def test_two_streams_of_one_name_are_refused_at_the_second(tmp_path: Path) -> None:
    stream = '[[stream]]\nid = "a"\nsource = "mic:"\n'
    assert refusal(tmp_path, stream + stream) == 'live.toml, line 5: [[stream]] id = "a": another stream has this id'


def test_more_streams_than_allowed_are_refused_at_the_first_too_many(tmp_path: Path) -> None:
    streams = "".join(f'[[stream]]\nid = "{name}"\nsource = "mic:"\n' for name in "abc")
    message = refusal(tmp_path, "[service]\nmax_streams = 2\n" + streams)
    assert message == "live.toml, line 9: [[stream]]: 3 streams, but [service] max_streams = 2"


def test_an_off_threshold_above_on_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[events]\non = 0.4\noff = 0.5\n")
    assert message == "live.toml, line 3: [events] off = 0.5: must not be above on = 0.4"


def test_a_label_on_below_the_default_off_is_refused_at_the_label(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[events]\noff = 0.3\n[events.labels.Dog]\non = 0.2\n")
    assert message == 'live.toml, line 3: [events.labels."Dog"] off = 0.3: must not be above on = 0.2'


@pytest.mark.parametrize("key", ["endpoint", "input"])
@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536",
        "tcp://:5556",
        "tcp://127.0.0.1:5556/",
        "inproc://scores",
        "ipc://",
        "udp://127.0.0.1:5556",
    ],
)
def test_an_endpoint_that_cannot_be_bound_anywhere_is_refused_where_it_stands(
    tmp_path: Path, key: str, address: str
) -> None:
    message = refusal(tmp_path, f'[service]\n{key} = "{address}"\n')
    assert message.startswith(f'live.toml, line 2: [service] {key} = "')
    assert '": must be an address such as "tcp://127.0.0.1:5556"' in message


@pytest.mark.parametrize(
    "address", ["tcp://*:5556", "tcp://[::1]:65535", "tcp://eth0:1", "tcp://host:*", "ipc:///run/a"]
)
def test_every_endpoint_that_may_be_bound_is_taken(tmp_path: Path, address: str) -> None:
    assert load(tmp_path, f'[service]\nendpoint = "{address}"\n').service.endpoint == address


@pytest.mark.parametrize("source", ["mic:", "mic:USB Audio", "MIC:#1", "-"])
def test_microphones_and_standard_input_are_told_a_rate_and_channels(tmp_path: Path, source: str) -> None:
    text = f'[[stream]]\nid = "a"\nsource = "{source}"\nrate = 48000\nchannels = 2\n'
    (stream,) = load(tmp_path, text).streams
    assert (stream.rate, stream.channels) == (48000, 2)


def test_other_sources_are_told_neither_and_the_format_is_for_standard_input_alone(tmp_path: Path) -> None:
    text = '[[stream]]\nid = "a"\nsource = "{}"\n{}\n'
    assert load(tmp_path, text.format("-", 'format = "s16le"')).streams[0].format == "s16le"
    assert refusal(tmp_path, text.format("a.wav", "rate = 48000")) == (
        'live.toml, line 4: [[stream]] rate: only for PCM on standard input (source = "-") and microphones'
    )
    assert refusal(tmp_path, text.format("mic:", 'format = "s16le"')) == (
        'live.toml, line 4: [[stream]] format: only for PCM on standard input (source = "-")'
    )


def test_a_mark_before_the_text_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "live.toml").write_bytes(b"\xef\xbb\xbf[scores]\r\nrolling = 7\r\n")
    assert load_config(tmp_path / "live.toml").scores.rolling == 7


def test_names_that_look_like_something_else_are_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "take:2.wav").touch()
    text = '[[stream]]\nid = "a"\nsource = "take:2.wav"\n[[stream]]\nid = "b"\nsource = "~nobody.wav"\n'
    assert [stream.source for stream in load(tmp_path, text).streams] == [
        f"{tmp_path}/take:2.wav",
        f"{tmp_path}/~nobody.wav",
    ]


def test_nesting_without_an_end_and_a_zero_byte_are_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a = " + "[" * 5000) == "live.toml: its tables or arrays are nested too deeply"
    assert refusal(tmp_path, '[history]\npath = "a\\u0000b"\n').startswith("live.toml, line 2: [history] path")


def test_a_file_that_is_not_toml_is_refused_with_line_and_column(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[model]\nbundle : 5\n").startswith("live.toml, line 2, column 8: not TOML: Expected")
    assert refusal(tmp_path, "[model").startswith("live.toml: not TOML: ")


def test_a_missing_file_a_folder_and_a_binary_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: cannot be read: No such file or directory"):
        load_config(tmp_path / "nothing.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"binary\.toml: not a text in UTF-8 \(byte 5\)"):
        load_config(tmp_path / "binary.toml")


def test_no_password_shows_in_an_error_or_a_repr(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    assert "secret" not in repr(config)
    assert "secret" not in repr(config.streams)
    wrong = '[[stream]]\nid = "a"\nsource = ["rtsp://user:secret@camera"]\n'
    assert refusal(tmp_path, wrong) == "live.toml, line 3: [[stream]] source: must be a text that is not empty"


def test_a_label_that_the_model_lacks_is_refused_with_its_line(tmp_path: Path) -> None:
    config = load(tmp_path, "[events.labels.Speech]\non = 0.4\n\n[events.labels.Dogg]\non = 0.4\n")
    with pytest.raises(ConfigError) as caught:
        check_labels(config, ["Speech", "Dog", "Cat"])
    assert str(caught.value) == (
        f'{tmp_path}/live.toml, line 4: [events.labels."Dogg"]: the model has no such label; did you mean "Dog"?'
    )
    check_labels(config, ["Speech", "Dogg"])


def test_settings_can_be_made_without_a_file() -> None:
    config = Config(streams=(Stream(id="demo", source="mic:"),))
    check_labels(config, ["Speech"])
    assert config.path is None


def test_windows_line_ends_count_as_one_line(tmp_path: Path) -> None:
    (tmp_path / "live.toml").write_bytes(b"[scores]\r\n\r\nrolling = 0\r\n")
    with pytest.raises(ConfigError, match="line 3"):
        load_config(tmp_path / "live.toml")


def test_lines_are_found_past_strings_and_arrays_of_several_lines() -> None:
    text = 'a = """\n[no]\nb = 1\n"""\nc = [\n  1, # ]\n  { d = 2 },\n]\n'
    text += '[e."f.g"]\nh.i = 3\n[[j]]\n[[j.k]]\nl = 4\n[[j]]\n'
    assert key_lines(text) == {
        ("a",): 1,
        ("c",): 5,
        ("c", 0): 5,
        ("c", 1): 5,
        ("c", 1, "d"): 5,
        ("e",): 9,
        ("e", "f.g"): 9,
        ("e", "f.g", "h"): 10,
        ("e", "f.g", "h", "i"): 10,
        ("j",): 11,
        ("j", 0): 11,
        ("j", 0, "k"): 12,
        ("j", 0, "k", 0): 12,
        ("j", 0, "k", 0, "l"): 13,
        ("j", 1): 14,
    }


NAMES = st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters='"\\'), min_size=1, max_size=8)


@given(st.lists(st.tuples(NAMES, st.integers(0, 3)), unique_by=lambda pair: pair[0]))
def test_every_table_is_found_on_its_line_whatever_its_name(tables: list[tuple[str, int]]) -> None:
    text, expected = "", {}
    for name, blank in tables:
        text += "\n" * blank
        expected[name,] = text.count("\n") + 1
        text += f'["{name}"]\nkey = 1\n'
    assert tomllib.loads(text).keys() == {name for (name,) in expected}
    lines = key_lines(text)
    assert {path: line for path, line in lines.items() if len(path) == 1} == expected
    assert all(lines[name, "key"] == line + 1 for (name,), line in expected.items())


def test_a_network_stream_may_be_told_its_time_out_and_whom_to_trust(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    text = '[[stream]]\nid = "a"\nsource = "HTTPS://host/x"\ntimeout_seconds = 25\nca_file = "ca.pem"\n'
    path.write_text(text)
    (stream,) = load_config(path).streams
    assert (stream.timeout_seconds, stream.ca_file) == (25, str(tmp_path / "ca.pem"))
    path.write_text(text.replace("HTTPS://host/x", "a.wav"))
    with pytest.raises(ConfigError, match=r"a\.toml, line 4: .*timeout_seconds: only for network streams"):
        load_config(path)
    path.write_text(text.replace("HTTPS", "rtsp"))
    with pytest.raises(ConfigError, match=r"line 5: .*ca_file: only for https:// and rtsps://"):
        load_config(path)


def test_a_stream_from_a_server_may_be_told_where_that_may_lead(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    text = '[[stream]]\nid = "a"\nsource = "http://host/x"\nleads_to = ["127.0.0.1:8080", "[::1]:1", "host"]\n'
    path.write_text(text)
    for scheme in ("http", "HTTPS", "rtsp", "rtsps"):
        path.write_text(text.replace("http:", f"{scheme}:"))
        (stream,) = load_config(path).streams
        assert stream.leads_to == ("127.0.0.1:8080", "[::1]:1", "host")
    path.write_text(text.replace("http:", "udp:"))
    with pytest.raises(
        ConfigError, match=r"line 4: .*leads_to: only for http:// and https:// and rtsp:// and rtsps://"
    ):
        load_config(path)
    path.write_text(text.replace('"host"', '"http://host/"'))
    with pytest.raises(ConfigError, match=r"line 4: .*must be a list of hosts"):
        load_config(path)


def test_a_scheme_of_our_own_may_be_in_capitals(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    streams = zip("abcd", ["MIC:USB Audio", "ZMQ:", "FILE:x.wav", "Sdp:x.sdp"], strict=True)
    path.write_text("".join(f'[[stream]]\nid = "{id_}"\nsource = "{source}"\n' for id_, source in streams))
    sources = [stream.source for stream in load_config(path).streams]
    assert sources == ["mic:USB Audio", "zmq:", f"file:{tmp_path}/x.wav", f"sdp:{tmp_path}/x.sdp"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[service]\nlatitude = 52.5\n", "live.toml, line 2: [service] latitude needs longitude beside it"),
        ("[service]\nlatitude = 91\nlongitude = 0\n", "latitude = 91: must be a number from -90 to 90"),
    ],
)
def test_a_place_is_whole(tmp_path: Path, text: str, wrong: str) -> None:
    assert wrong in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("pause", "wrong"),
    [
        ('["23:00"]', "pause = a list: must be two times of the day"),
        ('["24:00", "06:00"]', "pause = a list: must be two times of the day"),
        ('["06:00", "06:00"]', "pause: begins and ends at the same time"),
        ('["sunset", "06:00"]', "pause: sunrise and sunset need [service] latitude and longitude"),
    ],
)
def test_hours_that_cannot_be_told_are_refused(tmp_path: Path, pause: str, wrong: str) -> None:
    told = refusal(tmp_path, f'[[stream]]\nid = "porch"\nsource = "mic:"\npause = {pause}\n')
    assert told.startswith("live.toml, line 4: [[stream]] ")
    assert wrong in told


def test_hours_may_go_by_the_sun_where_the_place_is_known(tmp_path: Path) -> None:
    place = "[service]\nlatitude = 52.5\nlongitude = 13.4\n"
    config = load(tmp_path, place + '[[stream]]\nid = "porch"\nsource = "mic:"\npause = ["sunset", "06:00"]\n')
    assert config.streams[0].pause == ("sunset", "06:00")
    assert config.service.location == (52.5, 13.4)
