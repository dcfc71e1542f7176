"""A second model in a service is one more entry: every stream is scored, judged and told of by its own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from streamtag.audio import Block
from streamtag.engine import Service, models
from streamtag.settings import Config, EventSettings, ModelSettings
from streamtag.tagger import Tagger
from tests.bundles import LABELS, make_bundle
from tests.engine.listening import Listener, config
from tests.sounds import tone

BIRDS = ["Bittern", "Cuckoo", "Dove", "Thrush", "Robin", "Wren", "Goldcrest", "Swift", "Owl"]


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of other labels, which services made from now on have as the model `birds` too."""
    bundle = make_bundle(tmp_path / "birds", BIRDS)

    def settings_of(config: Config) -> dict[str, ModelSettings]:
        return {"default": config.model, "birds": replace(config.model, bundle=str(bundle))}

    monkeypatch.setattr(models, "settings_of", settings_of)
    return bundle


def test_each_stream_is_scored_judged_and_told_of_by_its_own_model(
    birds: Path, tiny: Path, serve: Callable[..., Service], listen: Callable[..., Listener]
) -> None:
    service = serve()
    listener = listen(service)
    listener.until(lambda message: message.header["kind"] == "service")
    sound = tone(4.5, 2900)
    for name, model in (("porch", "default"), ("wood", "birds"), ("yard", "default")):
        stream = service._streams.add(name, "a test", model=model)
        assert stream is not None
        stream.intake.take(Block(sound, 0, 16000, 0.0))
        stream.intake.end()
    listener.states_of("ended", "porch", "wood", "yard")
    for name, bundle, labels in (("porch", tiny, LABELS), ("wood", birds, BIRDS), ("yard", tiny, LABELS)):
        expected = [scores.patch for scores in Tagger(bundle, "onnxruntime").stream([sound], 16000)]
        messages = listener.scores(name)
        heard = np.array([message.patch for message in messages])
        np.testing.assert_allclose(heard, np.array(expected), atol=1e-5)
        assert {top["label"] for message in messages for top in message.header["top"]} <= set(labels)
        events = {event.header["label"] for event in listener.of("event", name)}
        assert events <= set(labels)
        assert events
    hashes = {listener.scores(name)[0].header["labels_hash"] for name in ("porch", "yard")}
    assert hashes == {service.models["default"].labels.hash}
    assert listener.scores("wood")[0].header["labels_hash"] == service.models["birds"].labels.hash


def test_the_service_tells_of_all_models_and_a_reload_of_thresholds_reaches_each(
    birds: Path, tiny: Path, serve: Callable[..., Service], listen: Callable[..., Listener]
) -> None:
    service = serve()
    listener = listen(service)
    told = listener.until(lambda message: message.header["kind"] == "service").header
    assert {name: model["labels"] for name, model in told["models"].items()} == {"default": LABELS, "birds": BIRDS}
    assert told["models"]["default"] == {
        "bundle": told["model"],
        "runtime": told["runtime"],
        "labels": told["labels"],
        "labels_hash": told["labels_hash"],
    }
    service.reload(config(tiny, events=EventSettings(on=1.0, off=1.0)))
    stream = service._streams.add("wood", "a test", model="birds")
    assert stream is not None
    stream.intake.take(Block(tone(3.0, 2900), 0, 16000, 0.0))
    stream.intake.end()
    listener.states_of("ended", "wood")
    assert len(listener.scores("wood")) == 3
    assert not listener.of("event", "wood")
