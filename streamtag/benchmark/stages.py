"""What each step of a patch's way costs, alone and in one thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import zmq

from streamtag.audio import BANDS, FRAMES, SAMPLE_RATE, Block, Patcher
from streamtag.audio.frontend import FrontEnd
from streamtag.benchmark.load_generator import bursts
from streamtag.bundle import Bundle
from streamtag.engine.messages import scores_messages
from streamtag.engine.queue import StreamQueues
from streamtag.engine.stream import EngineStream
from streamtag.events import EventRules
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import Runtime, open_runtime
from streamtag.scoring import Batch, Judging, Scored, ScoreStage
from streamtag.settings import Config
from streamtag.wire.messages import encode_header, topic_of

__all__ = ["BATCHES", "Stage", "measure_stages"]

BATCHES = (1, 8)
"""How many patches a call."""

STAGE_SECONDS = 0.5
"""Each stage is repeated for so long."""
_LEAST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Stage:
    """The cost of one step."""

    name: str
    batch: int
    milliseconds: float
    """A patch, the median over the rounds."""


def measure_stages(config: Config) -> list[Stage]:
    """Measure cutting, front end, network, scores and events, and encoding and sending, at each batch size."""
    bundle = Bundle.open(config.model.bundle)
    runtime = open_runtime(bundle, config.model.runtime)
    with zmq.Context() as context, context.socket(zmq.PUB) as sender, context.socket(zmq.SUB) as receiver:
        port = sender.bind_to_random_port("tcp://127.0.0.1")
        receiver.connect(f"tcp://127.0.0.1:{port}")
        receiver.subscribe("")
        while not receiver.poll(0):  # until the subscription has arrived
            sender.send(b"")
            time.sleep(0.01)
        stages = []
        for batch in BATCHES:
            stages += _measure(batch, config, bundle, runtime, sender, receiver)
    return stages


def _measure(
    batch: int,
    config: Config,
    bundle: Bundle,
    runtime: Runtime,
    sender: "zmq.Socket[bytes]",
    receiver: "zmq.Socket[bytes]",
) -> list[Stage]:
    block = Block(bursts(batch * 0.96 + 0.1), 0, SAMPLE_RATE, 0.0)
    patches = Patcher().feed(block)
    model = Model.of(DEFAULT, bundle, runtime)
    stage = ScoreStage(model, runtime, Judging(EventRules(model.labels, config.events), config.scores.rolling), batch)
    queues: StreamQueues[EngineStream] = StreamQueues()
    streams = [EngineStream(f"s{index}", "", stage, queues) for index in range(batch)]
    memories = [stream.memory for stream in streams]
    front_end = FrontEnd()
    log_mels = np.empty((batch, FRAMES, BANDS), np.float32)
    scores = np.empty((batch, len(model.labels)), np.float32)

    def transform() -> None:
        for patch, log_mel in zip(patches, log_mels, strict=True):
            front_end.log_mel(patch.window, log_mel)

    def score() -> None:
        scores[:] = runtime.run(log_mels)

    def judge() -> Batch:
        return stage.follow(memories, patches, Scored(scores))

    def send() -> None:
        for header, payload in scores_messages(streams, scored, stage):
            sender.send_multipart((topic_of(header), encode_header(header), payload))

    def drain() -> None:
        while receiver.poll(0):
            receiver.recv_multipart()

    transform()
    score()
    scored = judge()
    steps: dict[str, Callable[[], object]] = {
        "cut into patches": lambda: Patcher().feed(block),
        "front end": transform,
        "network": score,
        "scores and events": judge,
        "encode and send": send,
    }
    return [Stage(name, batch, _median(step, drain) / batch) for name, step in steps.items()]


def _median(step: Callable[[], object], between: Callable[[], None]) -> float:
    """Return the median milliseconds of a call; `between` calls is not counted."""
    took: list[float] = []
    until = time.perf_counter() + STAGE_SECONDS
    while len(took) < _LEAST_ROUNDS or time.perf_counter() < until:
        begin = time.perf_counter()
        step()
        took.append(time.perf_counter() - begin)
        between()
    return float(np.median(took)) * 1000
