import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from streamtag.tagger import Tagger
from tests.bundles import LABELS
from tests.cli.commands import error_of, run, running
from tests.forking import TAGGING, forked_for
from tests.media import encode
from tests.real.servers import is_running, wait_until
from tests.sounds import tone, write
from tests.tagging.odd_workers import odd_workers

Call = Callable[..., CompletedProcess[str]]


def test_jsonl_gives_one_object_a_file_in_the_order_given(call: Call, bundle: Path, recordings: Path) -> None:
    files = [recordings / "deeper" / "short.wav", recordings / "beeps.wav", recordings / "beeps.flac"]
    done = call("tag", "--bundle", bundle, "--format", "jsonl", "--jobs", "3", "--top", "2", *files)
    assert done.returncode == 0, done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["file"] for each in objects] == [str(file) for file in files]
    expected = Tagger(bundle).tag(files[1])
    assert objects[1] == {
        "file": str(files[1]),
        "seconds": 5.76,
        "patches": 6,
        "top": [{"label": label, "score": pytest.approx(score)} for label, score in expected.top(2)],
        "events": [
            {"label": event.label, "onset": event.onset, "offset": event.offset, "peak": pytest.approx(event.peak)}
            for event in expected.events
        ],
    }
    assert expected.events


def test_json_adds_labels_and_the_scores_of_each_patch(call: Call, bundle: Path, recordings: Path) -> None:
    done = call("tag", "--bundle", bundle, "--format", "json", recordings / "beeps.wav")
    tagged = json.loads(done.stdout)
    assert list(tagged) == ["file", "seconds", "patches", "top", "events", "labels", "scores"]
    assert tagged["labels"] == LABELS
    expected = Tagger(bundle).tag(recordings / "beeps.wav")
    assert np.array_equal(np.array(tagged["scores"], np.float32), expected.patches)


def test_a_file_that_fails_stands_in_its_place_and_the_others_go_on(call: Call, bundle: Path, tmp_path: Path) -> None:
    bad = {
        "missing.wav": "there is no such file",
        "empty.wav": "the file is empty",
        "text.wav": "it is not audio that FFmpeg can read",
        "header.wav": "holds no audio",
    }
    good = write(tmp_path / "good.wav", tone(1.0))
    write(tmp_path / "header.wav", tone(0.0))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound in here, only words " * 50)
    files = [tmp_path / name for name in bad]
    done = call("tag", "--bundle", bundle, "--format", "jsonl", *files, good)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    *failed, tagged = [json.loads(line) for line in done.stdout.splitlines()]
    for each, (name, reason) in zip(failed, bad.items(), strict=True):
        assert each.keys() == {"file", "error"}
        assert each["file"] == str(tmp_path / name)
        assert reason in each["error"]
    assert tagged["patches"] == 1


def test_a_format_that_cannot_tell_of_failures_tells_on_standard_error(
    call: Call, bundle: Path, recordings: Path
) -> None:
    done = call("tag", "--bundle", bundle, "--format", "csv", "missing.wav", recordings / "beeps.wav")
    assert done.returncode == 1
    assert done.stderr == "streamtag: missing.wav: there is no such file\n"
    title, *rows = done.stdout.splitlines()
    assert title == "file,onset,offset,label,peak"
    assert rows
    assert all(row.startswith(str(recordings / "beeps.wav")) for row in rows)


def test_samples_that_are_not_finite_are_told_and_tagged(call: Call, bundle: Path, tmp_path: Path) -> None:
    sound = tone(1.0)
    sound[100:200] = np.nan
    sound[300] = np.inf
    write(tmp_path / "nan.wav", sound, subtype="FLOAT")
    done = call("tag", "--bundle", bundle, "--format", "json", tmp_path / "nan.wav")
    assert done.returncode == 0
    assert "not finite" in done.stderr
    assert np.isfinite(json.loads(done.stdout)["scores"]).all()


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (192000, 2), (48000, 8)])
def test_any_rate_and_number_of_channels_can_be_tagged(
    call: Call, bundle: Path, tmp_path: Path, rate: int, channels: int
) -> None:
    sound = np.repeat(tone(1.92, 1000, rate)[:, np.newaxis], channels, axis=1)
    write(tmp_path / "sound.wav", sound, rate)
    done = call("tag", "--bundle", bundle, "--format", "jsonl", tmp_path / "sound.wav")
    assert json.loads(done.stdout)["patches"] == 2


def test_each_recording_gets_a_file_of_its_own_below_the_output_folder(
    call: Call, bundle: Path, recordings: Path
) -> None:
    output = recordings.parent / "results"
    done = call("tag", "--bundle", bundle, "--format", "json", "--output", output, recordings)
    assert done.returncode == 0
    assert done.stdout == ""
    written = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())
    assert written == [
        "recordings/beeps.flac.json",
        "recordings/beeps.wav.json",
        "recordings/deeper/short.wav.json",
    ]
    assert json.loads((output / "recordings" / "deeper" / "short.wav.json").read_text())["patches"] == 1


def test_an_output_folder_that_cannot_be_written_is_one_line(call: Call, bundle: Path, recordings: Path) -> None:
    taken = recordings / "notes.txt"
    done = call("tag", "--bundle", bundle, "--output", taken, recordings / "beeps.wav")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "cannot be written" in line


def test_a_folder_without_recordings_is_one_line(call: Call, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    line = error_of("tag", tmp_path / "notes", "--bundle", bundle, status=1)
    assert line == f"{tmp_path / 'notes'}: there are no recordings in this folder"


def test_label_tracks_of_several_recordings_need_a_folder(call: Call, bundle: Path, recordings: Path) -> None:
    done = call("tag", "--bundle", bundle, "--format", "audacity", recordings)
    assert done.returncode == 2
    assert "--output DIR" in done.stderr


def test_thresholds_come_from_the_configuration(call: Call, bundle: Path, recordings: Path, tmp_path: Path) -> None:
    config = tmp_path / "strict.toml"
    config.write_text("[events]\non = 1.0\noff = 1.0\n")
    quiet = call("--config", config, "tag", "--bundle", bundle, "--format", "csv", recordings / "beeps.wav")
    assert quiet.stdout.splitlines() == ["file,onset,offset,label,peak"]
    config.write_text('[events.labels."Bark"]\non = 0.6\n')
    done = call("--config", config, "tag", "--bundle", bundle, recordings / "beeps.wav")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "line 1" in line
    assert "no such label" in line


def test_a_name_that_is_no_text_is_tagged_too(call: Call, bundle: Path, recordings: Path) -> None:
    strange = os.fsdecode(os.fsencode(recordings) + b"/\xff\xfe.wav")
    (recordings / "beeps.wav").rename(strange)
    done = call("tag", "--bundle", bundle, "--format", "jsonl", strange)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["file"] == os.fsencode(strange).decode(errors="replace")


def test_odd_names_and_files_do_not_keep_the_others_from_being_tagged(
    call: Call, bundle: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sound = write(tmp_path / "sound.wav", tone(1.0))
    for name in ("~backup.wav", "~root.wav", "take 2:3.wav", "-.wav", "a\nb.wav", "\udcff.wav"):
        (recordings / name).write_bytes(sound.read_bytes())
    (tmp_path / "~backup.wav").write_bytes(sound.read_bytes())
    (recordings / "outside.wav").symlink_to(sound)
    (recordings / "self.wav").symlink_to("self.wav")
    (recordings / "nothing.wav").symlink_to("not there")
    os.mkfifo(recordings / "pipe.wav")
    files = ["~backup.wav", "", "x" * 5000, recordings, sound]
    done = call("tag", "--bundle", bundle, "--format", "jsonl", *files)
    assert done.returncode == 1
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    failed = {Path(each["file"]).name: each["error"] for each in objects if "error" in each}
    assert failed.pop("x" * 5000).endswith("file name too long")
    assert {name: error.rpartition(": ")[2] for name, error in failed.items()} == {
        "": "an empty name is no recording; name a file or a folder",
        "self.wav": "too many levels of symbolic links",
        "nothing.wav": "it is a link to a file that is not there",
        "pipe.wav": "it is not a file",
    }
    assert len([each for each in objects if "error" not in each]) == 12


def test_a_recording_that_brings_its_decoder_down_does_not_keep_the_others_from_being_tagged(
    call: Call, bundle: Path, tmp_path: Path
) -> None:
    names = ["a", "crash", "b", "crash.2", "c", "nonsense", "d"]
    paths = [write(tmp_path / f"{name}.wav", tone(1.0)) for name in names]
    with odd_workers():
        done = call("tag", "--bundle", bundle, "--format", "jsonl", "--jobs", "2", *paths)
    assert done.returncode == 1
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["file"] for each in objects] == [str(path) for path in paths]
    assert [each["error"] for each in objects if "error" in each] == [
        f"{paths[1]}: its decoder crashed (SIGSEGV)",
        f"{paths[3]}: its decoder crashed (SIGSEGV)",
        f"{paths[5]}: its decoder sent what nobody understands (it is too long)",
    ]


def test_an_interrupt_in_the_middle_of_recordings_is_one_line_and_leaves_nothing_behind(
    bundle: Path, tmp_path: Path
) -> None:
    long = encode(tmp_path / "long.flac", seconds=3600.0, rate=8000)
    for number in range(400):  # more than any machine tags while it is looked at
        (tmp_path / f"{number}.flac").hardlink_to(long)
    with running("tag", "--bundle", bundle, "--jobs", "2", tmp_path) as command:
        tagging: set[int] = set()

        def are_there() -> bool:
            tagging.update(forked_for(command.process.pid, TAGGING))
            return len(tagging) >= 2

        wait_until(are_there, 60, "the processes that tag")
        assert command.end(signal.SIGINT) == 1
        assert command.wait_error("") == "streamtag: interrupted"
    wait_until(lambda: not any(is_running(pid) for pid in tagging), 60, "the end of the processes that tag")


def test_without_a_terminal_there_are_no_colours_and_no_bars(bundle: Path, recordings: Path) -> None:
    done = run("tag", "--bundle", bundle, recordings, environment={"FORCE_COLOR": "1"})
    assert "\x1b" not in done.stdout + done.stderr
    assert "beeps.wav  (5.76 s, 6 patches)" in done.stdout
