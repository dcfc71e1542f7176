import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from streamtag.tagging import pool
from tests.archive.reading import rows, shown
from tests.cli.commands import error_of, run, running
from tests.forking import TAGGING, forked_for
from tests.media import encode
from tests.real.servers import is_running, wait_until
from tests.sounds import noise, write
from tests.tagging.odd_workers import odd_workers

Call = Callable[..., CompletedProcess[str]]

MANY = 60


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of recordings that take a while."""
    folder = tmp_path / "many"
    folder.mkdir()
    first = encode(folder / "0.flac", seconds=120.0, rate=16000)
    for number in range(1, MANY):
        (folder / f"{number}.flac").hardlink_to(first)
    return folder


def names_of(folder: Path) -> list[str]:
    return [name for names in shown(folder).values() for name in names]


def test_recordings_become_rows_and_the_end_says_how_many(
    call: Call, bundle: Path, recordings: Path, tmp_path: Path
) -> None:
    (recordings / "bad.wav").write_text("no sound")
    out = tmp_path / "out"
    done = call("archive", "--bundle", bundle, "--jobs", "2", recordings, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert {name: told[name] for name in ("recordings", "done_before", "tagged", "failed", "left")} == {
        "recordings": 4,
        "done_before": 0,
        "tagged": 3,
        "failed": 1,
        "left": 0,
    }
    assert told["seconds"] == pytest.approx(2 * 5.76 + 0.3)
    again = json.loads(call("archive", "--bundle", bundle, recordings, "--out", out).stdout)
    assert (again["done_before"], again["tagged"], again["failed"]) == (4, 0, 0)
    assert len(rows(out)) == 4


def test_thresholds_of_the_configuration_hold_and_what_was_found_is_printed(
    call: Call, bundle: Path, recordings: Path, tmp_path: Path
) -> None:
    config, out = tmp_path / "streamtag.toml", tmp_path / "out"
    config.write_text(f'[model]\nbundle = "{bundle}"\n[events]\non = 1.0\noff = 0.9\n')
    call("--config", config, "archive", recordings, "--out", out)
    assert call("archive", "--read", out, "--label", "Hum").stdout == ""
    lines = call("archive", "--read", out, "--label", "Hum", "--min", "0.6").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert {Path(each["file"]).name for each in found} == {"beeps.wav", "beeps.flac"}
    scores = {row["path"]: np.array(row["scores"])[:, 2] for row in rows(out)}
    for each in found:
        assert each["label"] == "Hum"
        assert each["peak"] == pytest.approx(scores[each["file"]].max(), abs=1e-3)
        assert (each["onset"], each["offset"]) == (1.92, 3.84)


def test_without_a_least_score_events_are_printed_as_they_were_judged(
    call: Call, bundle: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call("archive", "--bundle", bundle, recordings / "beeps.wav", "--out", out)
    (row,) = rows(out)
    found = [json.loads(line) for line in call("archive", "--read", out).stdout.splitlines()]
    expected = [(event["label"], event["onset"], event["offset"]) for event in row["events"]]
    assert [(each["label"], each["onset"], each["offset"]) for each in found] == expected
    assert expected


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["a.wav"], 2, "say where to write with --out DIR, or what to read with --read DIR"),
        (["a.wav", "--out", "x", "--read", "x"], 2, "say where to write with --out DIR, or what to read with"),
        (["--out", "x"], 2, "name the recordings: files, folders, or @LIST"),
        (["a.wav", "--out", "x", "--label", "Dog"], 2, "--label and --min belong to --read DIR"),
        (["a.wav", "--read", "x"], 2, "--read DIR reads what was written: it takes no INPUT"),
        (["@nowhere", "--out", "x"], 2, "@nowhere: the list cannot be read: no such file or directory"),
        (["--read", "nowhere"], 1, "nowhere: there is no archive: no such file or directory"),
        (["--read", "."], 1, ".: there is no archive: it has no part-….parquet"),
        (["a.wav", "--out", "/dev/null/x"], 1, "/dev/null/x: no archive can be written there: not a directory"),
        (["a.wav", "--out", "x", "--ray", "ray://a:1"], 2, '--ray may be "local", "auto" or HOST:PORT'),
    ],
)
def test_what_cannot_be_done_is_one_line(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("archive", *arguments)
    assert done.returncode == status
    assert done.stderr.startswith(f"streamtag: {told}")
    assert done.stderr.count("\n") == 1


def test_a_label_that_no_model_has_is_refused(call: Call, bundle: Path, recordings: Path, tmp_path: Path) -> None:
    call("archive", "--bundle", bundle, recordings / "beeps.wav", "--out", tmp_path)
    done = call("archive", "--read", tmp_path, "--label", "Dgo")
    assert (done.returncode, done.stderr) == (
        1,
        "streamtag: --label 'Dgo': no model of this archive has such a label\n",
    )


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "x"])
def test_a_part_that_is_none_is_wrong_usage(shard: str, tmp_path: Path) -> None:
    done = run("archive", tmp_path, "--out", tmp_path, "--shard", shard)
    assert done.returncode == 2
    assert f"{shard!r} is no part of a whole, such as 1/4, 2/4, 3/4 or 4/4" in done.stderr


def test_four_bad_files_of_many_cost_themselves_alone(
    call: Call, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtag.tagging.TaggingPool", partial(pool.TaggingPool, silent_seconds=3.0))
    folder = tmp_path / "in"
    folder.mkdir()
    first = write(folder / "0.wav", noise(2.0))
    for number in range(1, 100):
        (folder / f"{number}.wav").hardlink_to(first)
    for name in ("crash", "hang", "hungry", "nonsense"):
        (folder / f"{name}.wav").hardlink_to(first)
    with odd_workers():
        done = call("archive", "--bundle", bundle, "--jobs", "2", folder, "--out", tmp_path / "out")
    told = json.loads(done.stdout)
    assert (done.returncode, told["tagged"], told["failed"]) == (0, 100, 4)
    assert {Path(row["path"]).stem: row["error"] for row in rows(tmp_path / "out") if row["error"]} == {
        "crash": "its decoder crashed (SIGSEGV)",
        "hang": "its decoder gave no sign of life for 3 s",
        "hungry": "its decoder needs more memory than it may have",
        "nonsense": "its decoder sent what nobody understands (it is too long)",
    }


def test_a_killed_run_leaves_whole_parts_and_the_next_one_does_the_rest_alone(
    bundle: Path, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running("archive", "--bundle", bundle, "--jobs", "1", many, "--out", out) as command:
        wait_until(lambda: shown(out) if out.exists() else None, 60, "a part")
        tagging = forked_for(command.process.pid, TAGGING)
        command.process.kill()
        command.process.wait()
    wait_until(lambda: not any(map(is_running, tagging)), 60, "the end of the processes that tag")
    kept = names_of(out)
    assert 0 < len(kept) < MANY
    done = run("archive", "--bundle", bundle, "--jobs", "2", many, "--out", out)
    told = json.loads(done.stdout)
    assert (told["done_before"], told["tagged"], told["left"]) == (len(kept), MANY - len(kept), 0)
    assert sorted(names_of(out)) == sorted(path.name for path in many.iterdir())
    assert not list(out.glob(".part*"))


def test_a_killed_decoder_costs_no_recording_and_an_interrupt_ends_in_order(
    bundle: Path, many: Path, tmp_path: Path
) -> None:
    out, count = tmp_path / "out", 1000
    for number in range(MANY, count):
        (many / f"{number}.flac").hardlink_to(many / "0.flac")
    with running("archive", "--bundle", bundle, "--jobs", "2", many, "--out", out) as command:
        wait_until(lambda: shown(out) if out.exists() else None, 60, "a part")
        for process in forked_for(command.process.pid, TAGGING):
            os.kill(process, signal.SIGKILL)
        before = len(shown(out))
        wait_until(lambda: len(shown(out)) > before, 60, "another part")
        refused = error_of("archive", "--bundle", bundle, many, "--out", out, status=1)
        assert refused == f"{out}: another run is tagging into this folder (1of1); wait for its end"
        status = command.end(signal.SIGINT)
        told = command.wait_message(done_before=0)
        assert command.wait_error("interrupted") == "streamtag: interrupted: run it again to go on"
    assert status == 1
    assert (told["recordings"], told["failed"]) == (count, 0)
    assert told["left"] == count - told["tagged"] > 0
    assert len(names_of(out)) == told["tagged"]
    assert not [row["error"] for row in rows(out) if row["error"]]
