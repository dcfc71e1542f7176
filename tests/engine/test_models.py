"""Several models in a service: every stream is scored, judged and told of by its own; groups are scored for each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamtag.engine import Service
from streamtag.errors import BundleError, ConfigError
from streamtag.settings import EventSettings, Stream
from streamtag.tagger import Tagger
from streamtag.wire import PcmPusher
from tests.bundles import LABELS, make_bundle
from tests.engine.listening import Listener, config
from tests.sounds import tone

BIRDS = ["Bittern", "Cuckoo", "Dove", "Thrush", "Robin", "Wren", "Goldcrest", "Swift", "Owl"]
GROUPS = {"Small": ("Wren", "Goldcrest"), "Any": (*LABELS[:2], "Owl")}


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of other labels."""
    return make_bundle(tmp_path_factory.mktemp("birds") / "birds", BIRDS)


def push(service: Service, name: str, seconds: float = 4.5) -> None:
    assert service.input_endpoint is not None
    with PcmPusher(service.input_endpoint) as pusher:
        pusher.push(name, tone(seconds, 2900), 16000)
        pusher.end(name)


def test_each_stream_is_scored_judged_and_told_of_by_its_own_model(
    birds: Path, tiny: Path, serve: Callable[..., Service], listen: Callable[..., Listener]
) -> None:
    service = serve(models={"birds": birds}, streams=(Stream(id="wood", source="zmq:", model="birds"),), groups=GROUPS)
    listener = listen(service)
    listener.until(lambda message: message.header["kind"] == "service")
    for name in ("porch", "wood", "yard"):
        push(service, name)
    listener.states_of("ended", "porch", "wood", "yard")
    of_default, of_birds = [*LABELS, "Any"], [*BIRDS, "Small", "Any"]
    for name, bundle, labels in (("porch", tiny, of_default), ("wood", birds, of_birds), ("yard", tiny, of_default)):
        tagger = Tagger(bundle, "onnxruntime", groups=GROUPS)
        assert tagger.labels == labels
        expected = [scores.patch for scores in tagger.stream([tone(4.5, 2900)], 16000)]
        messages = listener.scores(name)
        heard = np.array([message.patch for message in messages])
        np.testing.assert_allclose(heard, np.array(expected), atol=1e-5)
        assert {top["label"] for message in messages for top in message.header["top"]} <= set(labels)
        events = {event.header["label"]: event.header["index"] for event in listener.of("event", name)}
        assert events.items() <= {label: index for index, label in enumerate(labels)}.items()
        assert events
        assert {message.header["labels_hash"] for message in messages} == {
            service.labels["birds" if name == "wood" else "default"].hash
        }
        assert {message.header["n"] for message in messages} == {len(labels)}


def test_the_service_tells_of_all_models_and_a_reload_of_thresholds_reaches_each(
    birds: Path, tiny: Path, serve: Callable[..., Service], listen: Callable[..., Listener]
) -> None:
    service = serve(models={"birds": birds})
    listener = listen(service)
    told = listener.until(lambda message: message.header["kind"] == "service").header
    assert {name: model["labels"] for name, model in told["models"].items()} == {"default": LABELS, "birds": BIRDS}
    for key in ("runtime", "labels", "labels_hash"):
        assert told["models"]["default"][key] == told[key]
    assert told["models"]["default"]["bundle"] == told["model"]
    wood = Stream(id="wood", source="zmq:", model="birds")
    quiet = EventSettings(on=1.0, off=1.0)
    service.reload(config(tiny, events=quiet, models={"birds": birds}, streams=(wood,)))
    push(service, "wood", 3.0)
    listener.states_of("ended", "wood")
    assert len(listener.scores("wood")) == 3
    assert not listener.of("event", "wood")
    used = listener.until(
        lambda message: message.header["kind"] == "service" and message.header["models"]["birds"]["patches"]
    ).header["models"]
    assert used["birds"]["streams"] == 1
    assert (used["birds"]["patches"], used["default"]["patches"]) == (3, 0)


def test_models_and_groups_come_and_go_with_a_reload_and_other_streams_go_on(
    birds: Path, tiny: Path, serve: Callable[..., Service], listen: Callable[..., Listener]
) -> None:
    service = serve()
    listener = listen(service)
    wood, porch = Stream(id="wood", source="zmq:", model="birds"), Stream(id="porch", source="zmq:")
    sound = tone(1.6, 2900)
    assert service.input_endpoint is not None
    with PcmPusher(service.input_endpoint) as pusher:
        pusher.push("porch", sound, 16000)
        listener.until(lambda message: message.header["kind"] == "scores")
        service.reload(config(tiny, models={"birds": birds}, streams=(porch, wood), groups=GROUPS))
        pusher.push("porch", sound, 16000)
        pusher.push("wood", sound, 16000)
        listener.until(lambda _: len(listener.scores("porch")) >= 3 and listener.scores("wood"))
        service.reload(config(tiny, streams=(porch,)))
        pusher.push("porch", sound, 16000)
        pusher.end("porch")
        listener.states_of("ended", "porch", "wood")
    assert [message.header["start"] for message in listener.scores("porch")] == pytest.approx(
        [0, 0.96, 1.92, 2.88, 3.84]
    )
    assert sorted({message.header["n"] for message in listener.scores("porch")}) == [len(LABELS), len(LABELS) + 1]
    assert set(service.models) == {"default"}


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"models": {"birds": Path("absent")}}, BundleError, "[models.birds]: absent: no such bundle"),
        ({"groups": {"Small": ("Wren",)}}, ConfigError, '[groups] "Small": the model has no label "Wren"'),
        ({"groups": {LABELS[0]: (LABELS[1],)}}, ConfigError, "a label is called so"),
    ],
)
def test_what_cannot_be_opened_is_an_error_at_the_start_and_a_reload_leaves_all_as_it_was(
    settings: dict[str, Any], error: type[Exception], words: str, tiny: Path, serve: Callable[..., Service]
) -> None:
    with pytest.raises(error) as at_start:
        Service(config(tiny, **settings))
    assert words in str(at_start.value)
    service = serve(streams=(Stream(id="porch", source="zmq:"),))
    with pytest.raises(error):
        service.reload(config(tiny, **settings))
    assert [stream.id for stream in service._config.streams] == ["porch"]
    assert list(service.labels["default"].names) == LABELS
