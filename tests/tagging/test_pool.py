import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from streamtag.errors import BundleError, InputError, RuntimeUnavailableError, SourceError
from streamtag.settings import EventSettings
from streamtag.tagger import Tagger
from streamtag.tagging import TaggingPool
from tests.real.servers import is_running, wait_until
from tests.sounds import noise, tone, write
from tests.sources.secret_ways import PASSWORD, WAYS

Make = Callable[..., TaggingPool]


@pytest.fixture
def make(bundle: Path) -> Iterator[Make]:
    """Make pools that close with the test."""
    pools: list[TaggingPool] = []

    def make_one(**options: object) -> TaggingPool:
        pools.append(TaggingPool(str(bundle), "onnxruntime", **options))  # type: ignore[arg-type]
        return pools[-1]

    yield make_one
    for each in pools:
        each.close()


def processes(tagging: TaggingPool) -> list[int]:
    return [seat._process.pid for seat in tagging._seats if seat._process is not None]


def test_a_result_is_the_same_as_in_one_process(make: Make, bundle: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", np.concatenate([noise(30.0) * 0.001, tone(60.0, 1000), noise(10.0)]), 16000)
    events = EventSettings(on=0.4, off=0.2)
    here = Tagger(bundle, "onnxruntime", events=events).tag(path)
    there = make(events=events).tag(path)
    assert (there.labels, there.seconds, there.rate, there.notes) == (here.labels, here.seconds, here.rate, here.notes)
    assert there.events == here.events
    np.testing.assert_array_equal(there.patches, here.patches)
    np.testing.assert_array_equal(there.starts, here.starts)


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", "its decoder crashed (SIGSEGV)"),
        ("hungry", "its decoder needs more memory than it may have"),
        ("nonsense", "its decoder sent what nobody understands"),
        ("half", "its decoder sent what nobody understands"),
        ("nothing", "its decoder sent what nobody understands"),
        ("endless", "its decoder sent what nobody understands (more scores than the recording may have)"),
    ],
)
def test_a_recording_that_brings_its_decoder_down_fails_alone(
    make: Make, tmp_path: Path, name: str, reason: str
) -> None:
    good = write(tmp_path / "good.wav", tone(1.0))
    bad = write(tmp_path / f"{name}.wav", tone(1.0))
    tagging = make()
    assert len(tagging.tag(good).patches) == 1
    with pytest.raises(SourceError) as caught:
        tagging.tag(bad, max_seconds=100)
    assert str(caught.value).startswith(f"{bad}: {reason}")
    assert len(tagging.tag(good).patches) == 1


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ["crash", "hungry", "nonsense"])
def test_whatever_befalls_a_decoder_no_password_is_shown(
    make: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("ODD_WORKER", name)
    tagging = make()
    # A process that goes on takes one after the other; where each needs its own, one of each kind of name is enough.
    ways = WAYS.values() if name == "hungry" else [WAYS["as it should be"], WAYS["in a file's name"]]
    for way in ways:
        with pytest.raises(SourceError, match="its decoder") as caught:
            tagging.tag(way)
        assert PASSWORD not in str(caught.value)


@pytest.mark.usefixtures("odd")
def test_a_decoder_that_gives_no_sign_of_life_is_ended(make: Make, tmp_path: Path) -> None:
    tagging = make(silent_seconds=0.2)
    tagging.start()
    [pid] = processes(tagging)
    with pytest.raises(SourceError, match=r"its decoder gave no sign of life for 0\.2 s"):
        tagging.tag(write(tmp_path / "hang.wav", tone(1.0)))
    assert not is_running(pid)


def test_a_process_that_died_while_it_had_nothing_to_do_is_made_anew(make: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(1.0))
    tagging = make()
    tagging.tag(path)
    [pid] = processes(tagging)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid), 60, "its end")
    assert len(tagging.tag(path).patches) == 1


def test_processes_are_started_once_and_as_many_as_there_may_be(make: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(5.0))
    tagging = make(processes=2)
    tagging.start()
    started = processes(tagging)
    with ThreadPoolExecutor(4) as executor:
        results = list(executor.map(lambda _: tagging.tag(path), range(8)))
    assert {len(result.patches) for result in results} == {5}
    assert processes(tagging) == started
    assert len(set(started)) == 2


def test_errors_of_the_recording_keep_their_kind(make: Make, tmp_path: Path) -> None:
    tagging = make()
    with pytest.raises(SourceError, match="there is no such file"):
        tagging.tag(tmp_path / "missing.wav")
    with pytest.raises(InputError, match="longer than 1 s"):
        tagging.tag(write(tmp_path / "long.wav", tone(3.0)), max_seconds=1.0)
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav")
    os.rename(write(tmp_path / "a.wav", tone(1.0)), strange)
    assert len(tagging.tag(strange).patches) == 1
    with pytest.raises(SourceError, match=r"\udcff\udcfd.wav: there is no such file"):
        tagging.tag(strange.replace("\udcfe", "\udcfd"))


def test_a_model_that_cannot_be_opened_is_told_at_the_start(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        TaggingPool(str(tmp_path / "absent"))
    with pytest.raises(RuntimeUnavailableError, match="tensorrt"):
        TaggingPool(str(bundle), "tensorrt").start()


@pytest.mark.usefixtures("odd")
def test_closing_ends_a_recording_in_the_middle(make: Make, tmp_path: Path) -> None:
    tagging = make()
    tagging.start()
    path = write(tmp_path / "hang.wav", tone(1.0))
    failures: list[SourceError] = []

    def tag() -> None:
        try:
            tagging.tag(path)
        except SourceError as error:
            failures.append(error)

    thread = threading.Thread(target=tag)
    thread.start()
    tagging.close()
    thread.join(60)
    assert not thread.is_alive()
    assert len(failures) == 1


def test_a_process_that_is_killed_while_it_opens_the_model_is_made_anew(make: Make, tmp_path: Path) -> None:
    tagging = make()
    tagging._seats[0].start()
    os.kill(processes(tagging)[0], signal.SIGKILL)
    assert len(tagging.tag(write(tmp_path / "good.wav", tone(1.0))).patches) == 1
