"""What people teach a service that runs: taught labels in a folder, and thresholds that verdicts raise."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamtag.bundle import Bundle
from streamtag.engine import Service
from streamtag.heads import Examples, Figures, Head, remove_head, write_head
from streamtag.history import HistoryReader, Verdict, withdraw_verdict, write_verdict
from streamtag.settings import HistorySettings
from streamtag.wire import Message, PcmPusher
from tests.bundles import LABELS
from tests.engine.listening import Listener
from tests.real.servers import wait_until
from tests.sounds import tone

SOUND = tone(3.0, 2900)


def head(name: str, embedder: str) -> Head:
    """A taught label that hears every sound, by half of the embedding's length."""
    weights = np.full(64, -1.0, np.float32)
    figures = Figures(positives=1, recordings=1, negatives=0, weak=0)
    return Head(name, embedder, weights, 0.5, 0.5, 0.3, figures, Examples.none(64), Examples.none(64))


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return tmp_path / "heads"


def labels_told(listener: Listener, names: list[str]) -> Message:
    return listener.until(lambda message: message.header.get("labels") == names)


def test_a_running_service_takes_over_a_taught_label_and_leaves_all_other_scores_as_they_are(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
    heads: Path,
    tiny: Path,
) -> None:
    embedder = Bundle.open(tiny).embedder
    service = serve(heads=str(heads))
    listener = listen(service)
    before = labels_told(listener, LABELS).header["labels_hash"]
    pusher = push(service)

    def hear(stream: str) -> list[Message]:
        pusher.push(stream, SOUND, 16000)
        pusher.end(stream)
        listener.state(stream, "ended")
        return listener.scores(stream)

    old = hear("before")
    taught = time.monotonic()
    write_head(heads, head("My bell", embedder))
    after = labels_told(listener, [*LABELS, "My bell"]).header["labels_hash"]
    assert time.monotonic() - taught < 10.0  # two looks a second, on a machine that may be busy
    new = hear("after")
    assert after != before
    assert {(message.header["n"], message.header["labels_hash"]) for message in new} == {(len(LABELS) + 1, after)}
    for was, now in zip(old, new, strict=True):
        assert was.patch is not None
        assert now.patch is not None
        assert now.patch[: len(LABELS)].tobytes() == was.patch.tobytes()
        assert 0 < now.patch[-1] <= 1
    events = listener.of("event", "after")
    (onset,) = [each.header for each in events if each.header["label"] == "My bell" and each.header["state"] == "on"]
    assert onset["index"] == len(LABELS)
    remove_head(heads, "My bell")
    assert labels_told(listener, LABELS).header["labels_hash"] == before


def test_what_waited_when_a_label_was_taught_scores_it(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
    heads: Path,
    tiny: Path,
) -> None:
    service = serve(heads=str(heads))
    listener = listen(service)
    labels_told(listener, LABELS)
    released = threading.Event()

    def hold() -> None:
        released.wait(60)

    for worker in service._workers:
        worker.queues.call(hold)
    write_head(heads, head("My bell", Bundle.open(tiny).embedder))
    labels_told(listener, [*LABELS, "My bell"])
    push(service).push("bench", SOUND, 16000)
    wait_until(lambda: sum(worker.queues._patches for worker in service._workers) == 3, 60, "the sound")
    released.set()
    told = [listener.until(lambda message: message.header["kind"] == "scores") for _ in range(3)]
    for message in told:
        assert message.patch is not None
        assert len(message.patch) == len(LABELS) + 1
        assert message.patch[-1] > 0


def test_what_no_model_can_use_is_left_out_with_a_line_each(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    heads: Path,
    tiny: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    embedder = Bundle.open(tiny).embedder
    for name, model in (("Of another", "f" * 64), (LABELS[0], embedder), ("Good", embedder)):
        write_head(heads, head(name, model))
    (heads / "torn.head.npz").write_bytes(b"PK\x03\x04 torn")
    service = serve(heads=str(heads))
    labels_told(listen(service), [*LABELS, "Good"])
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any(line.startswith("taught label Of another is left out: it was taught another model") for line in said)
    assert any(line.startswith(f"taught label {LABELS[0]} is left out: the model or a group has") for line in said)
    assert any("torn.head.npz: it is no taught label, or damaged" in line for line in said)


def test_a_no_raises_the_label_in_that_stream_alone_until_it_is_taken_back(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
    heads: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.sqlite"
    service = serve(heads=str(heads), history=HistorySettings(path=str(path), embeddings=True))
    listener = listen(service)
    labels_told(listener, LABELS)
    pusher = push(service)

    sent: dict[str, list[int]] = {"yard": [], "porch": []}

    def heard(stream: str) -> set[str]:
        """The labels that begin an event in a stream that goes on with the sound, and with silence behind it."""
        before, scored = len(listener.heard), sum(sent[stream])
        for sound, patches in ((np.concatenate([SOUND, np.zeros(44_160, np.float32)]), 5), (np.zeros(46_080), 8)):
            pusher.push(stream, sound.astype(np.float32), 16000)
            while len(listener.scores(stream)) < scored + patches:
                listener.until(lambda message: message.header["kind"] == "scores")
        sent[stream].append(9)
        return {
            message.header["label"]
            for message in listener.heard[before:]
            if message.header["kind"] == "event" and message.header["stream"] == stream
        }

    label = min(heard("yard"))
    events = HistoryReader(path).search(label=label, stream="yard")
    while not events:
        events = HistoryReader(path).search(label=label, stream="yard")
    kept = HistoryReader(path).heard(event=events[0].id)
    assert kept is not None
    assert kept.vector.shape == (64,)
    said = Verdict("yard", label, events[0].time, is_right=False, who="ann", given=0.0, peak=events[0].peak)
    write_verdict(path, said)
    deadline = time.monotonic() + 20.0
    while label in heard("yard") and time.monotonic() < deadline:
        pass
    assert label not in heard("yard")
    assert label in heard("porch")
    assert withdraw_verdict(path, said.event)
    while label not in heard("yard") and time.monotonic() < deadline + 20.0:
        pass
    assert label in heard("yard")
