"""Those who are compared: each a function from windows, float32 [n, 15600] at 16 kHz, to the CPU seconds spent."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import numpy as np
import zmq
from numpy.typing import NDArray

from streamtag.audio import PATCH_HOP, Block, FrontEnd, Patcher
from streamtag.bundle import Bundle
from streamtag.engine import Service
from streamtag.engine.messages import event_message, scores_messages
from streamtag.engine.queue import StreamQueues
from streamtag.engine.stream import EngineStream
from streamtag.errors import StreamtagError
from streamtag.events import EventRules
from streamtag.foreign.yamnet_bundle import write_yamnet_bundle
from streamtag.model import DEFAULT, Model
from streamtag.runtimes import open_runtime
from streamtag.runtimes.onnx import open_file
from streamtag.runtimes.scorer import Scorer
from streamtag.scoring import Judging, ScoreStage
from streamtag.settings import Config, EventSettings, ModelSettings, ServiceSettings
from streamtag.sources import open_source
from streamtag.wire import PcmPusher, Publisher

_BATCH = 64  # one of each stream, as the service takes them when it is busy

Run = Callable[[NDArray[np.float32]], float]


def demo_windows(count: int) -> NDArray[np.float32]:
    """Return `count` windows of the packaged recording, over and over: float32 [count, 15600]."""
    patcher = Patcher()
    windows = []
    with open_source(str(next(Bundle.open().path.glob("demo.[fow]*")))) as source:
        for block in source:
            windows += [patch.window for patch in patcher.feed(block)]
    return np.stack([windows[index % len(windows)] for index in range(count)])


class Streamtag:
    """A service in a process of its own, the sound pushed to it and the scores taken from it over ZeroMQ."""

    def __init__(self, bundle: str, core: int) -> None:
        context = get_context("spawn")
        self._pipe, pipe = context.Pipe()
        self._process = context.Process(target=_serve, args=(bundle, core, pipe), daemon=True)
        self._sent = 0

    def __enter__(self) -> Self:
        self._process.start()
        endpoint, input_endpoint = self._pipe.recv()
        self._stack = ExitStack()
        self._pusher = self._stack.enter_context(PcmPusher(input_endpoint))
        self._scores: zmq.Socket[bytes] = self._stack.enter_context(zmq.Context.instance().socket(zmq.SUB))
        self._scores.set(zmq.RCVHWM, 0)
        self._scores.subscribe(b"scores/")
        self._scores.connect(endpoint)
        for index in range(64):  # the first patch needs 240 samples more than the others
            self._pusher.push(f"s{index}", np.zeros(240, np.int16), 16000)
        time.sleep(1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._pipe.send(None)
        self._process.join(5)

    def many_streams(self, windows: NDArray[np.float32]) -> float:
        """Push one patch to each of as many streams as there are windows, and wait for all scores."""
        begin = self._cpu_seconds()
        for index, window in enumerate(windows):
            self._pusher.push(f"s{index}", _pcm(window), 16000)
        self._collect(len(windows))
        return self._cpu_seconds() - begin

    def one_stream(self, windows: NDArray[np.float32]) -> float:
        """Push patch after patch to one stream, each once the scores of the one before are there."""
        begin = self._cpu_seconds()
        for window in windows:
            self._pusher.push("s0", _pcm(window), 16000)
            self._collect(1)
        return self._cpu_seconds() - begin

    def _collect(self, count: int) -> None:
        while count:
            self._scores.recv_multipart()
            count -= 1

    def _cpu_seconds(self) -> float:
        # The scheduler's own count: nanoseconds on a processor, over all threads of the process.
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class InProcess:
    """The whole path without PCM over ZeroMQ: samples that lie in memory are cut, scored, judged and published."""

    def __init__(self, bundle: str) -> None:
        opened = Bundle.open(bundle)
        runtime = open_runtime(opened, "onnxruntime")
        model = Model.of(DEFAULT, opened, runtime)
        self._stage = ScoreStage(model, runtime, Judging(EventRules(model.labels, EventSettings()), 5), _BATCH)
        self._publisher = Publisher("tcp://127.0.0.1:*")
        queues: StreamQueues[EngineStream] = StreamQueues()
        self._streams = [EngineStream(f"s{index}", "", self._stage, queues) for index in range(64)]
        self._counted = 0

    def __enter__(self) -> Self:
        self._publisher.start()
        # In a process of its own: what a subscriber costs is not the publisher's.
        self._subscriber = get_context("spawn").Process(target=_drain, args=(self._publisher.endpoint,), daemon=True)
        self._subscriber.start()
        for stream in self._streams:  # the first patch needs 240 samples more than the others
            stream.intake.patcher.feed(Block(np.zeros(240, np.int16), 0, 16000, time.time()))
        time.sleep(2.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._subscriber.terminate()
        self._publisher.stop()

    def run(self, windows: NDArray[np.float32]) -> float:
        """Take one patch of each of as many streams as there are windows from samples to sent messages."""
        blocks = [_pcm(window) for window in windows]
        done = self._publisher.statistics().messages
        begin = time.process_time()
        sent = 0
        for first in range(0, len(blocks), _BATCH):
            streams = self._streams[first : first + _BATCH]
            patches = []
            for stream, block in zip(streams, blocks[first : first + _BATCH], strict=True):
                patches += stream.intake.patcher.feed(Block(block, 240 + self._counted, 16000, time.time()))
            batch = self._stage.run([stream.memory for stream in streams], patches)
            messages = scores_messages(streams, batch, self._stage)
            for stream, result in zip(streams, batch.scores, strict=True):
                messages += [event_message(stream, event) for event in result.events]
            self._publisher.publish(messages)
            sent += len(messages)
        while self._publisher.statistics().messages < done + sent:
            time.sleep(0.0005)
        self._counted += PATCH_HOP
        return time.process_time() - begin


def yamnet(model: Path) -> Run:
    """The published YAMNet through LiteRT, one thread, one window a call, as its users run it."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    sink = interpreter.get_output_details()[0]["index"]

    def run(windows: NDArray[np.float32]) -> float:
        begin = time.process_time()
        for window in windows:
            interpreter.set_tensor(source, window)
            interpreter.invoke()
            interpreter.get_tensor(sink)
        return time.process_time() - begin

    return run


def others(model: Path, bundle: Bundle) -> dict[str, Run]:
    """Return YAMNet, and those of the others whose packages are installed."""
    found = {"YAMNet through LiteRT, int8 as published": yamnet(model)}
    makers: dict[str, Callable[[], Run]] = {
        "MediaPipe AudioClassifier, YAMNet": lambda: _mediapipe(model),
        "Our YAMNet out of the same file, int8 as published, batches of 8": lambda: _our_yamnet(model),
        "Script: librosa and ONNX Runtime, float32, our network": lambda: _script(bundle),
        "Script: our front end and torch, eager, our network": lambda: _torch(bundle),
    }
    for name, make in makers.items():
        try:
            found[name] = make()
        except (ImportError, StreamtagError) as error:
            print(f"left out: {name} ({error})")
    return found


def _our_yamnet(model: Path) -> Run:
    with TemporaryDirectory() as folder:
        write_yamnet_bundle(model, "yamnet", Path(folder), lambda _: None)
        bundle = Bundle(Path(folder))
        scorer = Scorer(open_file(bundle, "model.int8.onnx", 1), 8, bundle.geometry, bundle.log_offset)

    def run(windows: NDArray[np.float32]) -> float:
        begin = time.process_time()
        for first in range(0, len(windows), 8):
            scorer.run(list(windows[first : first + 8]))
        return time.process_time() - begin

    return run


def _mediapipe(model: Path) -> Run:
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.audio import AudioClassifier, AudioClassifierOptions
    from mediapipe.tasks.python.components.containers import AudioData

    options = AudioClassifierOptions(base_options=BaseOptions(model_asset_path=str(model)), max_results=5)
    classifier = AudioClassifier.create_from_options(options)

    def run(windows: NDArray[np.float32]) -> float:
        begin = time.process_time()
        for window in windows:
            classifier.classify(AudioData.create_from_array(window, 16000))
        return time.process_time() - begin

    return run


def _script(bundle: Bundle) -> Run:
    import librosa

    from streamtag.runtimes.onnx_session import open_session

    session = open_session(bundle.read("model.onnx"), threads=1)

    def run(windows: NDArray[np.float32]) -> float:
        begin = time.process_time()
        for window in windows:
            mel = librosa.feature.melspectrogram(
                y=window, sr=16000, n_fft=512, win_length=400, hop_length=160, center=False, power=1.0,
                n_mels=64, fmin=125, fmax=7500, htk=True, norm=None,
            )  # fmt: skip
            patch = np.zeros((1, 1, 96, 64), np.float32)
            frames = np.log(mel.T[:96] + 0.01)
            patch[0, 0, : len(frames)] = frames
            session.run(["scores"], {"patches": patch})
        return time.process_time() - begin

    return run


def _torch(bundle: Bundle) -> Run:
    import torch

    from train.networks import make_network

    torch.set_num_threads(1)
    network = make_network(bundle.manifest["network"]["name"], len(bundle.labels)).eval()
    front_end = FrontEnd()
    patch = np.empty((1, 1, 96, 64), np.float32)

    def run(windows: NDArray[np.float32]) -> float:
        begin = time.process_time()
        with torch.inference_mode():
            for window in windows:
                front_end.log_mel(window, patch[0, 0])
                network(torch.from_numpy(patch))
        return time.process_time() - begin

    return run


def _pcm(window: NDArray[np.float32]) -> NDArray[np.int16]:
    return (window[:PATCH_HOP] * 32767).astype(np.int16)


def _serve(bundle: str, core: int, pipe: Connection) -> None:
    import os

    os.sched_setaffinity(0, {core})
    endpoints = ServiceSettings(endpoint="tcp://127.0.0.1:*", input="tcp://127.0.0.1:*")
    service = Service(Config(service=endpoints, model=ModelSettings(bundle=bundle)))
    service.start()
    pipe.send((service.endpoint, service.input_endpoint))
    pipe.recv()
    service.stop()


def _drain(endpoint: str) -> None:
    scores: zmq.Socket[bytes]
    with zmq.Context.instance().socket(zmq.SUB) as scores:
        scores.subscribe(b"")
        scores.connect(endpoint)
        while True:
            scores.recv_multipart()
