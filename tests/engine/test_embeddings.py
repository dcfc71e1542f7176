"""What the network makes of a stream, for those who ask for it by name and for nobody else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamtag.engine import Service
from streamtag.scoring import ScoreStage
from streamtag.tagger import Tagger
from streamtag.wire import PcmPusher
from tests.engine.listening import Listener
from tests.sounds import tone, write


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether embeddings were asked for, of each batch that is scored."""
    found: list[bool] = []
    score = ScoreStage.score

    def note(self: ScoreStage, patches: list[object], *, embeds: bool = False) -> object:
        found.append(embeds)
        return score(self, patches, embeds=embeds)  # type: ignore[arg-type]

    monkeypatch.setattr(ScoreStage, "score", note)
    return found


def test_whoever_asks_for_embeddings_gets_them_and_scores_stay_as_they_are(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
    asked: list[bool],
    tiny: Path,
    tmp_path: Path,
) -> None:
    sound = tone(3.2, 2900)
    service = serve()
    watcher = listen(service, streams=["desk"], kinds=["embedding", "scores", "status"])
    everything = listen(service)
    everything.until(lambda message: message.header["kind"] == "service")
    pusher = push(service)
    pusher.push("desk", sound[:1600], 16000)
    watcher.state("desk", "live")
    pusher.push("desk", sound[1600:], 16000)
    pusher.end("desk")
    watcher.state("desk", "ended")
    everything.state("desk", "ended")
    assert all(asked)
    messages = watcher.of("embedding", "desk")
    result = Tagger(tiny, "onnxruntime").tag(write(tmp_path / "desk.wav", sound, subtype="FLOAT"))
    assert result.embeddings is not None
    assert result.embeddings.shape == (len(result.starts), 64)
    heard = np.stack([message.embedding for message in messages if message.embedding is not None])
    np.testing.assert_allclose(heard, result.embeddings, atol=1e-3)
    assert [message.header["start"] for message in messages] == result.starts.tolist()
    assert {message.header["embedder"] for message in messages} == {service.models["default"].embedder}
    assert not everything.of("embedding", "desk")


@pytest.mark.parametrize("kinds", [["scores", "status"], ["levels", "scores", "status"]])
def test_without_anybody_who_asks_none_are_made(
    serve: Callable[..., Service],
    listen: Callable[..., Listener],
    push: Callable[[Service], PcmPusher],
    asked: list[bool],
    kinds: list[str],
) -> None:
    service = serve()
    watcher = listen(service, streams=["desk"], kinds=kinds)
    pusher = push(service)
    pusher.push("desk", tone(2.2), 16000)
    pusher.end("desk")
    watcher.state("desk", "ended")
    assert asked
    assert not any(asked)


def test_embeddings_of_a_visitor_are_given_to_nobody(
    serve: Callable[..., Service], listen: Callable[..., Listener], push: Callable[[Service], PcmPusher]
) -> None:
    service = serve()
    watcher = listen(service, streams=["browser-abc"], kinds=["embedding", "scores", "status"])
    pusher = push(service)
    pusher.push("browser-abc", tone(0.1), 16000)
    watcher.state("browser-abc", "live")
    pusher.push("browser-abc", tone(2.2), 16000)
    pusher.end("browser-abc")
    watcher.state("browser-abc", "ended")
    assert watcher.scores("browser-abc")
    assert not watcher.of("embedding", "browser-abc")
