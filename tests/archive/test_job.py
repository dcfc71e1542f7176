"""Runs of an archive within this process: what is done, what is done again, and what is told."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from streamtag.archive import writer
from streamtag.archive.here import TaggingHere
from streamtag.archive.inputs import Shard
from streamtag.archive.job import Finished, Outcome, archive
from streamtag.archive.parquet import ModelId, write_part
from streamtag.bundle import Bundle
from streamtag.errors import StreamtagError
from streamtag.tagger import Tagger
from streamtag.tagging import TaggingPool
from tests.archive.reading import rows, shown
from tests.bundles import make_bundle
from tests.sounds import tone, write

Run = Callable[..., Outcome]


class KeptPool(TaggingPool):
    """Goes on after the run, for starting processes is most of what these tests would take."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def pool_of() -> Iterator[Callable[[Path], TaggingPool]]:
    pools: dict[Path, KeptPool] = {}

    def pool(model: Path) -> TaggingPool:
        if model not in pools:
            pools[model] = KeptPool(str(model), "onnxruntime", processes=2)
        return pools[model]

    yield pool
    for each in pools.values():
        TaggingPool.close(each)


@pytest.fixture
def run(bundle: Path, recordings: Path, tmp_path: Path, pool_of: Callable[[Path], TaggingPool]) -> Run:
    """Tag the recordings into a folder; what is told of each recording goes to `told`."""

    def run_one(
        *names: Path | str,
        model: Path = bundle,
        embeds: bool = False,
        shard: Shard | None = None,
        stop: Callable[[], bool] = lambda: False,
        told: list[Finished] | None = None,
    ) -> Outcome:
        opened = Bundle.open(model)
        identity = ModelId.of(opened, opened.labels, embeds=embeds)
        tagging = TaggingHere(pool_of(model), 2)

        def on_step(outcome: Outcome, finished: Finished | None) -> None:
            if told is not None and finished is not None:
                told.append(finished)

        names = names or (recordings,)
        out, shard = tmp_path / "out", shard or Shard()
        return archive(list(map(str, names)), out, identity, tagging, shard=shard, stop=stop, on_step=on_step)

    return run_one


def test_a_row_holds_what_tag_says_and_one_that_fails_says_why(
    run: Run, bundle: Path, recordings: Path, tmp_path: Path
) -> None:
    outcome = run(embeds=True)
    assert (outcome.found, outcome.tagged, outcome.failed, outcome.is_whole) == (4, 3, 1, True)
    *good, bad = rows(tmp_path / "out")
    for number, row in enumerate(good):
        path = recordings / f"{number}.flac"
        expected = Tagger(bundle, "onnxruntime").tag(path)
        assert (row["path"], row["bytes"], row["mtime"]) == (str(path), path.stat().st_size, path.stat().st_mtime)
        assert (row["seconds"], row["patches"]) == (expected.seconds, len(expected.patches))
        assert (row["model"], row["labels_hash"], row["error"]) == ("tiny", Bundle.open(bundle).labels_hash, None)
        assert np.array_equal(np.array(row["scores"], np.float16), expected.patches.astype(np.float16))
        assert [(event["label"], event["onset"], event["offset"]) for event in row["events"]] == [
            (event.label, event.onset, event.offset) for event in expected.events
        ]
        assert row["events"]
        assert len(row["embedding"]) == 64
    assert (bad["path"], bad["error"]) == (str(recordings / "bad.wav"), "it is not audio that FFmpeg can read")
    assert (bad["seconds"], bad["patches"], bad["scores"], bad["embedding"]) == (None, 0, None, None)


def test_the_embedding_is_the_mean_over_all_patches(run: Run, bundle: Path, recordings: Path, tmp_path: Path) -> None:
    path = recordings / "2.flac"
    run(path, embeds=True)
    tagger = Tagger(bundle, "onnxruntime")
    parts = [part.embeddings for part in tagger.parts(path, embeddings=True) if part.embeddings is not None]
    (row,) = rows(tmp_path / "out")
    np.testing.assert_allclose(row["embedding"], np.concatenate(parts).mean(axis=0), rtol=1e-5)


def test_what_is_done_is_not_done_again_and_what_changed_is_and_takes_its_place(
    run: Run, recordings: Path, tmp_path: Path
) -> None:
    run()
    before = shown(tmp_path / "out")
    again = run()
    assert (again.done_before, again.tagged, again.failed, again.is_whole) == (4, 0, 0, True)
    assert shown(tmp_path / "out") == before
    os.utime(recordings / "0.flac", (1000, 1000))
    write(recordings / "1.flac", tone(3.0))
    write(recordings / "new.wav", tone(3.0))
    (recordings / "2.flac").unlink()
    changed = run()
    assert (changed.found, changed.done_before, changed.tagged) == (4, 1, 3)
    found = {Path(row["path"]).name: (row["mtime"], row["seconds"]) for row in rows(tmp_path / "out")}
    assert sorted(found) == ["0.flac", "1.flac", "2.flac", "bad.wav", "new.wav"]  # what is gone has been heard
    assert (found["0.flac"][0], found["1.flac"][1], found["new.wav"][1]) == (1000, 3.0, 3.0)
    assert len(rows(tmp_path / "out")) == 5


def test_what_was_not_there_is_done_once_it_is(run: Run, recordings: Path, tmp_path: Path) -> None:
    late = recordings / "late.wav"
    assert run(late).failed == 1
    (row,) = rows(tmp_path / "out")
    assert (row["bytes"], row["error"]) == (None, "there is no such file")
    assert run(late).done_before == 1
    write(late, tone(2.0))
    assert run(late).tagged == 1
    (row,) = rows(tmp_path / "out")
    assert (row["seconds"], row["error"]) == (2.0, None)


def test_another_model_and_missing_embeddings_are_done_anew(run: Run, recordings: Path, tmp_path: Path) -> None:
    path = recordings / "0.flac"
    run(path)
    assert run(path, embeds=True).tagged == 1
    assert run(path).done_before == 1
    (row,) = rows(tmp_path / "out")
    assert row["embedding"] is not None
    other = make_bundle(tmp_path / "other", ["Low", "High"])
    assert run(path, model=other).tagged == 1
    assert run(path).done_before == run(path, model=other).done_before == 1
    assert sorted(len(row["scores"][0]) for row in rows(tmp_path / "out")) == [2, 8]


def test_shards_may_run_at_the_same_time_and_make_one_archive(run: Run, recordings: Path, tmp_path: Path) -> None:
    inside, go = threading.Event(), threading.Event()
    # Of four recordings a shard may have none, and such a run ends before another one begins.
    shards = Shard(1, 2), Shard(2, 2)
    other, busy = sorted(shards, key=lambda shard: sum(shard.holds(str(path)) for path in recordings.iterdir()))

    def stop() -> bool:
        inside.set()
        go.wait()
        return False

    first = threading.Thread(target=run, kwargs={"shard": busy, "stop": stop})
    first.start()
    assert inside.wait(60)
    try:
        with pytest.raises(StreamtagError, match=rf"another run is tagging into this folder \({busy}\)"):
            run(shard=busy)
        with pytest.raises(StreamtagError, match="cut both into as many shards"):
            run()
        second = run(shard=other)
    finally:
        go.set()
        first.join()
    assert second.is_whole
    assert len({row["path"] for row in rows(tmp_path / "out")}) == len(rows(tmp_path / "out")) == 4
    assert run().done_before == 4


def test_a_run_that_is_stopped_keeps_what_it_has_done(run: Run, tmp_path: Path) -> None:
    told: list[Finished] = []
    outcome = run(stop=lambda: len(told) >= 2, told=told)
    assert not outcome.is_whole
    kept = rows(tmp_path / "out")
    assert len(kept) == len(told) >= 2
    assert run().done_before == len(kept)
    assert len(rows(tmp_path / "out")) == 4


def test_a_full_disk_is_an_error_and_what_is_whole_stays(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MOST_BYTES", 1)  # each recording is a part
    calls: list[object] = []

    def full(*arguments: Any) -> bool:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return write_part(*arguments)

    monkeypatch.setattr(writer, "write_part", full)
    with pytest.raises(OSError, match="No space left"):
        run()
    assert sum(len(names) for names in shown(tmp_path / "out").values()) == 2
    assert run().done_before == 2
    assert len(rows(tmp_path / "out")) == 4


def test_what_killed_runs_left_behind_goes_and_a_damaged_part_is_told_of(
    run: Run, recordings: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(recordings / "0.flac")
    (part,) = (tmp_path / "out").glob("part-*.parquet")
    whole = part.read_bytes()
    part.with_name(f".{part.name}.12345678.tmp").write_bytes(whole[:100])
    part.write_bytes(whole[: len(whole) // 2])
    assert run(recordings / "0.flac").tagged == 1
    assert not list((tmp_path / "out").glob(".part*"))
    (told,) = [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]
    assert told.startswith(f"{part}: this part cannot be read: ")
    assert told.endswith("what it holds is tagged again, remove it")


def test_of_rows_that_two_runs_wrote_of_one_recording_the_newest_stays(run: Run, tmp_path: Path) -> None:
    run()
    (part,) = (tmp_path / "out").glob("part-*.parquet")
    pq.write_table(pq.read_table(part), part.with_name("part-000000-1of1-000001-0.parquet"))
    assert len(rows(tmp_path / "out")) == 8
    assert run().done_before == 4
    assert list(shown(tmp_path / "out")) == [part.name]


def test_a_name_that_is_no_text_has_a_row_and_stays_done(run: Run, recordings: Path, tmp_path: Path) -> None:
    path = write(recordings / "x.wav", tone(1.0))
    path = path.rename(os.fsdecode(os.fsencode(recordings) + b"/\xff.wav"))
    assert run(path).tagged == 1
    (row,) = rows(tmp_path / "out")
    assert row["path"] == f"{recordings}/\\xff.wav"
    assert run(path).done_before == 1
