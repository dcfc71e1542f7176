"""A Triton server, here or elsewhere, that holds the bundle's waveform graph (docs/deploy.md makes its repository)."""

import atexit
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from streamtag.audio import PATCH_SAMPLES
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.runtimes import Embedded, ServerUnavailableError
from streamtag.runtimes.shared_memory import SharedMemory, abandoned

__all__ = ["DEFAULT_SERVER", "TritonModel", "open_model"]

DEFAULT_SERVER: Final = "127.0.0.1:8001"
_MODEL: Final = "streamtag"
_INPUT: Final = "waveform"
_OUTPUTS: Final = ("scores", "embedding")
_ANSWER_SECONDS: Final = 2.0
"""Scores that come later are of no use, and the streams of other models wait as long."""
_PAUSE_SECONDS: Final = 1.0
_CHANNEL: Final = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]

logger = logging.getLogger(__name__)


class TritonModel:
    """A model on a server. A server that goes away is asked again each second, and nothing waits meanwhile."""

    name = "triton"

    def __init__(
        self,
        bundle: Bundle,
        max_batch: int,
        server: str,
        *,
        answer_seconds: float = _ANSWER_SECONDS,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        """Ask the server what its model takes.

        Args:
            bundle: Whose labels the scores are of.
            max_batch: The most patches of one call.
            server: `HOST:PORT`, or `HOST:PORT/MODEL` where the model is not called "streamtag".
            answer_seconds: How long it may take to answer.
            pause_seconds: How long after it failed it is asked again.

        Raises:
            ServerUnavailableError: The server cannot be reached, or has no such model.
            BundleError: Its model is another one.
        """
        address, _, model = server.partition("/")
        self.device = f"at {address}"
        self._address = address
        self._model = model or _MODEL
        self._labels = len(bundle.labels)
        self._answer_seconds = answer_seconds
        self._pause_seconds = pause_seconds
        self._client = triton.InferenceServerClient(address, channel_args=_CHANNEL)
        self._is_here = _is_here(address)
        self._memory: SharedMemory | None = None
        self._asked_again_at = 0.0
        self._trouble = ""
        atexit.register(self.close)
        self.precision = "float32"
        about = self._ask(self._client.get_model_metadata, self._model, as_json=True)
        config = self._ask(self._client.get_model_config, self._model, as_json=True)["config"]
        self._sizes = self._check(about)
        self._most = min(max_batch, int(config.get("max_batch_size", 0)) or 1)
        self._connect()

    def run_windows(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score samples, float32 in [-1, 1], [n, 15600]; return float32 [n, labels] in [0, 1].

        Raises:
            ServerUnavailableError: The server is away, or did not answer within 2 s.
        """
        (scores,) = self._infer(windows, _OUTPUTS[:1])
        return scores

    def embed_windows(self, windows: NDArray[np.float32]) -> Embedded:
        """Return the scores and the embeddings of such samples, in one call.

        Raises:
            ServerUnavailableError: As `run_windows`.
        """
        return Embedded(*self._infer(windows, _OUTPUTS))

    def run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Refuse log-mel patches: the server computes them by itself."""
        raise RuntimeUnavailableError("the model on a Triton server takes samples, and no log-mel patches")

    def embed(self, patches: NDArray[np.float32]) -> Embedded:
        """Refuse log-mel patches, as `run`."""
        raise RuntimeUnavailableError("the model on a Triton server takes samples, and no log-mel patches")

    def close(self) -> None:
        """Let the server forget the memory that it shares."""
        memory, self._memory = self._memory, None
        if memory is not None:
            with suppress(InferenceServerException):
                self._client.unregister_system_shared_memory(memory.name, client_timeout=self._answer_seconds)
        with suppress(InferenceServerException):
            self._client.close()

    def _infer(self, windows: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        if self._trouble:
            if time.monotonic() < self._asked_again_at:
                raise ServerUnavailableError(self._trouble)
            self._connect()
        parts = [self._infer_some(windows[at : at + self._most], outputs) for at in range(0, len(windows), self._most)]
        if self._trouble:
            logger.info("the Triton server at %s answers again", self._address)
            self._trouble = ""
        return [np.concatenate(each) for each in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]

    def _infer_some(self, windows: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        count = len(windows)
        given = triton.InferInput(_INPUT, [count, PATCH_SAMPLES], "FP32")
        asked = [triton.InferRequestedOutput(name) for name in outputs]
        slices: list[slice] = []
        if self._memory is None:
            given.set_data_from_numpy(np.ascontiguousarray(windows, np.float32))
        else:
            size = count * PATCH_SAMPLES
            self._memory.array[:size].reshape(count, PATCH_SAMPLES)[:] = windows
            given.set_shared_memory(self._memory.name, 4 * size)
            at = self._most * PATCH_SAMPLES
            for output, name in zip(asked, outputs, strict=True):
                size = count * self._sizes[name]
                output.set_shared_memory(self._memory.name, 4 * size, 4 * at)
                slices.append(slice(at, at + size))
                at += size
        answer = self._ask(self._client.infer, self._model, [given], outputs=asked)
        found = []
        for number, name in enumerate(outputs):
            told = answer.get_output(name)
            shape = () if told is None else tuple(told.shape)
            if shape != (count, self._sizes[name]):
                raise self._fail(f"its model {self._model} gives {name} of shape {shape} now: it is another one")
            try:
                values = answer.as_numpy(name) if self._memory is None else self._memory.array[slices[number]]
            except ValueError as error:
                raise self._fail(f"its model {self._model} says that it gives {name}, and does not") from error
            found.append(np.array(values, np.float32).reshape(shape))  # a copy: the next call writes there
        return found

    def _connect(self) -> None:
        """Share memory with a server on this machine, anew with each one that begins."""
        if not self._is_here:
            return
        self._memory = None
        sharing: SharedMemory | None = None
        try:
            sharing = SharedMemory(self._most * (PATCH_SAMPLES + sum(self._sizes.values())))
            told = self._ask(self._client.get_system_shared_memory_status, as_json=True)
            for name in abandoned(told.get("regions", {})):
                self._ask(self._client.unregister_system_shared_memory, name)
            self._client.register_system_shared_memory(
                sharing.name, f"/{sharing.name}", sharing.array.nbytes, client_timeout=self._answer_seconds
            )
            self._memory = sharing
        except (OSError, InferenceServerException) as error:
            self._is_here = not isinstance(error, OSError) and _is_away(error)
            if not self._is_here:
                logger.info("the Triton server at %s shares no memory with us: samples are sent", self._address)
        finally:
            if sharing is not None:
                sharing.hide()

    def _ask(self, question: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return question(*arguments, client_timeout=self._answer_seconds, **options)
        except InferenceServerException as error:
            raise self._fail(self._in_words(error)) from error

    def _in_words(self, error: InferenceServerException) -> str:
        if "DEADLINE_EXCEEDED" in str(error.status()):
            return f"no answer within {self._answer_seconds:g} s"
        if "UNAVAILABLE" in str(error.status()):
            return "it cannot be reached"
        return " ".join(str(error.message()).split())

    def _fail(self, reason: str) -> ServerUnavailableError:
        self._trouble = f"the Triton server at {self._address}: {reason}"
        self._asked_again_at = time.monotonic() + self._pause_seconds
        return ServerUnavailableError(self._trouble)

    def _check(self, about: dict[str, Any]) -> dict[str, int]:
        """Return how many values each output has for a window.

        Raises:
            BundleError: the model is not the bundle's.
        """
        where = f"the Triton server at {self._address}: its model {self._model}"
        inputs = {each["name"]: [int(size) for size in each["shape"]] for each in about.get("inputs", [])}
        if inputs != {_INPUT: [-1, PATCH_SAMPLES]}:
            raise BundleError(f"{where} takes {inputs}: make its repository of waveform.onnx, as docs/deploy.md says")
        outputs = {each["name"]: int(each["shape"][-1]) for each in about.get("outputs", [])}
        if not outputs.keys() >= set(_OUTPUTS):
            raise BundleError(f"{where} gives {', '.join(outputs)}: it must give scores and embedding")
        if outputs["scores"] != self._labels:
            raise BundleError(f"{where} scores {outputs['scores']} labels, and the bundle has {self._labels}")
        return {name: outputs[name] for name in _OUTPUTS}


def open_model(bundle: Bundle, threads: int, max_batch: int, server: str | None = None) -> TritonModel:
    """Open the bundle's model on a server; it has threads of its own."""
    return TritonModel(bundle, max_batch, server or DEFAULT_SERVER)


def _is_here(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_away(error: InferenceServerException) -> bool:
    return any(code in str(error.status()) for code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"))
