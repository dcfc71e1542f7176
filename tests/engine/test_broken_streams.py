"""A thousand streams over real sockets, a tenth of which are broken in every way there is."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zmq

from benchmarks.broken_streams import BROKEN, frames_of
from streamtag.audio import PATCH_HOP, PATCH_SAMPLES
from streamtag.engine import Service
from streamtag.tagger import Tagger
from tests.engine.listening import Listener
from tests.sounds import noise, tone
from tests.wire.receiving import patches

STREAMS = 1000
PATCHES = 2
SAMPLES = (PATCHES - 1) * PATCH_HOP + PATCH_SAMPLES
BLOCK = SAMPLES // 6


def sound_of(number: int) -> np.ndarray:
    """A sound of each stream's own, so that nobody's scores can pass for another's."""
    mixed = tone(SAMPLES / 16000, 150 + 7 * number, peak=0.3) + noise(SAMPLES / 16000, seed=number % 50) / (2 + number)
    return (mixed * 32767).astype(np.int16)


def test_a_tenth_of_broken_streams_changes_nothing_for_the_others(
    serve: Callable[..., Service], listen: Callable[..., Listener], tiny: Path
) -> None:
    service = serve(max_streams=STREAMS)
    listener = listen(service)
    listener.until(lambda message: message.header["kind"] == "service")
    faults = dict(zip(range(0, STREAMS, 10), itertools.cycle(BROKEN)))
    good = {f"s{number}": sound_of(number) for number in range(STREAMS) if number not in faults}
    other = sound_of(0)
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.linger = 0
        socket.connect(service.input_endpoint or "")
        for number, first in enumerate(range(0, SAMPLES, BLOCK)):
            for index in range(STREAMS):
                name = f"s{index}"
                payload = good.get(name, other)[first : first + BLOCK].tobytes()
                fault = BROKEN[faults[index]] if index in faults else None
                frames = fault(name, number, payload) if fault else frames_of(name, payload)
                if frames:
                    socket.send_multipart(frames)
            listener.rest(0.0)
        for name in good:
            listener.patches(name, PATCHES)
        service.stop()
        listener.rest()

    tagger = Tagger(tiny, "onnxruntime")
    for name, sound in good.items():
        alone = np.array([scores.patch for scores in tagger.stream([sound], 16000)])
        np.testing.assert_allclose(patches(listener.scores(name)), alone, atol=1e-5)
        last = listener.of("status", name)[-1].header
        assert (last["reason"], last["patches"]) == ("the service stopped", PATCHES)
        assert (last["dropped_patches"], last["lost_samples"]) == (0, 0)
    assert sum(message.missed for message in listener.heard) == 0
    named = {
        faults[int(message.header["stream"][1:])]
        for message in listener.of("status")
        if "a message was dropped" in message.header["reason"] or "not finite" in message.header["reason"]
    }
    assert named == {"not finite", "half a sample", "too large", "bad header", "three frames"}
