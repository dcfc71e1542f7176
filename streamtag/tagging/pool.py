import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from streamtag import errors
from streamtag.bundle import Bundle
from streamtag.errors import RuntimeUnavailableError, SourceError, StreamtagError
from streamtag.heads import Heads, read_heads
from streamtag.labels import LabelSet
from streamtag.process import Link, LinkError, Process, SilentError
from streamtag.redaction import redact
from streamtag.runtime_kinds import RUNTIMES, meant_by
from streamtag.settings import EventSettings, ScoreSettings
from streamtag.tag_results import Part, Result, Span
from streamtag.tagging.messages import (
    Done,
    Embed,
    Heard,
    Model,
    Ready,
    Refused,
    Scored,
    Tag,
    Word,
    part_of,
    span_of,
)

__all__ = ["CrashError", "TaggingPool"]

_W = TypeVar("_W", Scored, Heard)
_P = TypeVar("_P", Part, Span)

_SILENT_SECONDS = 60.0


class CrashError(SourceError):
    """The process that decoded a recording is gone."""


class TaggingPool:
    """Processes that decode and score recordings, each one at a time; they are started once and kept.

    A recording that brings its process down fails alone, and the next one gets a new process.

    Attributes:
        model_labels: the labels that the model scores.
        taught: the labels that were taught.
        labels: all labels, in the order of the scores: the model's, behind them the taught ones, and the groups.
    """

    def __init__(
        self,
        bundle: str = "default",
        runtime: str = "auto",
        *,
        rolling: int = ScoreSettings().rolling,
        events: EventSettings | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        heads: str | os.PathLike[str] | None = None,
        processes: int = 1,
        silent_seconds: float = _SILENT_SECONDS,
    ) -> None:
        """Make the pool; no process runs yet.

        Args:
            bundle: as for `Tagger`.
            runtime: as for `Tagger`.
            rolling: as for `Tagger`.
            events: as for `Tagger`.
            groups: as for `Tagger`.
            heads: as for `Tagger`; what is in the folder now holds for as long as the pool.
            processes: how many recordings may be tagged at a time.
            silent_seconds: for how long a process may give no sign of life before it is ended.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
        """
        opened = Bundle.open(bundle)
        of_groups = {name: tuple(members) for name, members in (groups or {}).items()}
        found = [] if heads is None else read_heads(Path(heads))[0]
        taught = Heads.of(found, opened.embedder, {*opened.labels, *of_groups})
        self.model_labels = opened.labels
        self.taught = taught.names if taught else []
        self.labels = list(LabelSet(opened.labels, taught=self.taught, groups=of_groups).names)
        self._band_hz = opened.band_hz
        self._patch_seconds = opened.geometry.seconds
        self._model = Model(
            bundle, runtime, rolling, events or EventSettings(), of_groups, taught.pack() if taught else []
        )
        self._idle: SimpleQueue[_Seat] = SimpleQueue()
        self._seats = [_Seat(self._model, silent_seconds) for _ in range(processes)]
        for seat in self._seats:
            self._idle.put(seat)

    def start(self) -> None:
        """Start the processes, and wait until the first has opened the model.

        Raises:
            BundleError, RuntimeUnavailableError: it cannot be opened.
        """
        try:
            for seat in self._seats[: 1 if self._may_build_engines else None]:
                seat.start()
            self._seats[0].wait_ready()
        except StreamtagError:
            self.close()
            raise

    @property
    def _may_build_engines(self) -> bool:
        # TensorRT builds an engine for minutes, once: the other processes start when they are needed, and find it.
        kinds = [RUNTIMES[name] for name in meant_by(self._model.runtime) if name in RUNTIMES]
        return any(kind.device == "GPU" and kind.package and find_spec(kind.package) for kind in kinds)

    def tag(self, path: str | os.PathLike[str], *, max_seconds: float = float("inf")) -> Result:
        """Tag a recording, as `Tagger.tag`; waits for a process that is free. May be called from any thread.

        Raises:
            SourceError: there is no such file, it holds no audio, or its decoder crashed.
            InputError: it is longer than `max_seconds`, or its sample rate cannot be used.
            BundleError, RuntimeUnavailableError: the model cannot be opened.
        """
        return Result.of(self.labels, self.parts(path, max_seconds=max_seconds), self._band_hz)

    def parts(
        self, path: str | os.PathLike[str], *, max_seconds: float = float("inf"), embeds: bool = False
    ) -> Iterator[Part]:
        """Tag a recording as `tag` does, and give what it scored part by part, as `Tagger.parts`.

        Args:
            path: the recording.
            max_seconds: refuse a longer one, as soon as that shows.
            embeds: give the embeddings too.

        Raises:
            CrashError: its decoder crashed, which is no fault of its own where the process was killed.
            SourceError, InputError, BundleError, RuntimeUnavailableError: as `tag` does.
        """
        order = Tag(os.fsencode(path), max_seconds, embeds)
        seat = self._idle.get()
        try:
            yield from seat.tag(order, self.labels, self._patch_seconds)
        finally:
            self._idle.put(seat)

    def embed(self, path: str | os.PathLike[str], begin: float, end: float) -> list[Span]:
        """Embed the windows of a recording from one second to another, as `Tagger.spans`; otherwise as `tag`."""
        order = Embed(os.fsencode(path), begin, end)
        seat = self._idle.get()
        try:
            return list(seat.embed(order, self._patch_seconds))
        finally:
            self._idle.put(seat)

    def close(self) -> None:
        """End all processes, in the middle of a recording too."""
        for seat in self._seats:
            seat.close()


class _Seat:
    """Where one process tags, and after it another."""

    def __init__(self, model: Model, silent_seconds: float) -> None:
        self._model = model
        self._silent_seconds = silent_seconds
        self._process: Process | None = None
        self._is_ready = False
        self._closed = False
        self._changing = threading.Lock()

    def start(self) -> None:
        """Start a process if none is there."""
        with self._changing:
            if self._process is not None:
                return
            if self._closed:
                raise SourceError("the program ends")
            self._is_ready = False
            try:
                self._process = Process("streamtag.tagging.worker", Word)
                self._process.link.send(self._model)
            except OSError as error:
                self._process = None
                raise SourceError(f"no process could be started to decode in: {error.strerror}") from error

    def wait_ready(self) -> None:
        """Wait until the process has opened the model, however long that takes; if it is killed, for another one's."""
        try:
            self._wait_ready()
        except (EOFError, LinkError):
            self._end()
            try:
                self._wait_ready()
            except (EOFError, LinkError) as error:
                raise RuntimeUnavailableError(f"the process that runs the model crashed ({self._end()})") from error

    def _wait_ready(self) -> None:
        self.start()
        if self._is_ready or self._process is None:
            return
        word, _ = self._process.link.receive()
        if isinstance(word, Refused):
            self._end()
            raise _error_of(word)
        self._is_ready = isinstance(word, Ready)

    def tag(self, order: Tag, labels: list[str], patch_seconds: float) -> Iterator[Part]:
        """Give the parts of a recording, as `Tagger.parts`."""
        most = order.max_seconds / patch_seconds + 1
        return self._parts(order, Scored, lambda word, payload: part_of(word, payload, labels), most)

    def embed(self, order: Embed, patch_seconds: float) -> Iterator[Span]:
        """Give the parts of what is embedded of a recording, as `Tagger.spans`."""
        return self._parts(order, Heard, span_of, (order.end - order.begin) / patch_seconds + 2)

    def _parts(
        self, order: Tag | Embed, kind: type[_W], read: Callable[[_W, bytearray], _P], most: float
    ) -> Iterator[_P]:
        """Give what the process makes of an order, at most so many patches of it."""
        path = redact(os.fsdecode(order.path))
        patches = 0
        try:
            link = self._give(order)
            while not isinstance((word := link.receive(self._silent_seconds))[0], Done):
                if isinstance(word[0], Refused):
                    raise _error_of(word[0])
                if isinstance(word[0], kind):
                    part = read(word[0], word[1])
                    patches += len(part.starts)
                    if patches > most:
                        raise LinkError("more scores than the recording may have")
                    yield part
            if not patches:
                raise LinkError("no scores")
        except (EOFError, OSError):
            raise CrashError(f"{path}: its decoder crashed ({self._end()})") from None
        except GeneratorExit:  # nobody wants the rest, which it would go on to send
            self._end(alive=True)
            raise
        except SilentError:
            self._end(alive=True)
            raise SourceError(f"{path}: its decoder gave no sign of life for {self._silent_seconds:g} s") from None
        except LinkError as error:
            self._end(alive=True)
            raise SourceError(f"{path}: its decoder sent what nobody understands ({error})") from None

    def _give(self, order: Tag | Embed) -> Link:
        """Give the order to the process, which says at once that it has it; one that died meanwhile is made anew."""
        self.wait_ready()
        with suppress(EOFError, OSError):
            return self._try_to_give(order)
        self._end()
        self.wait_ready()
        return self._try_to_give(order)

    def _try_to_give(self, order: Tag | Embed) -> Link:
        process = self._process
        if process is None:
            raise SourceError(f"{redact(os.fsdecode(order.path))}: the program ends")
        process.link.send(order)
        process.link.receive(self._silent_seconds)
        return process.link

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self._end(alive=True)

    def _end(self, *, alive: bool = False) -> str:
        """Forget the process, which has ended, or is to end if it is `alive`; say how it did."""
        with self._changing:
            process, self._process = self._process, None
        if process is not None and alive:
            process.kill()
        how = "" if process is None else process.end()
        return "the program ends" if self._closed else how


def _error_of(refused: Refused) -> StreamtagError:
    error: StreamtagError = getattr(errors, refused.kind)(refused.reason.decode(errors="surrogateescape"))
    return error
