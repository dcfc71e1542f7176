"""What the page asks about taught labels: which there are and what they learnt from, one taught, what it finds."""

import asyncio
import time
import wave
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.event_json import NO_HISTORY, event_as_json, plain
from streamtag.dashboard.pictures import MOST_COLUMNS, spectrogram
from streamtag.dashboard.queries import whole
from streamtag.dashboard.review_routes import MAY_NOT, moment_as_json, verdicts_by_event
from streamtag.dashboard.slots import FullError
from streamtag.dashboard.spool import Spool
from streamtag.dashboard.taught import Taught
from streamtag.errors import StreamtagError
from streamtag.heads import Examples, Head
from streamtag.history import read_verdicts
from streamtag.teaching import Span, examples_of_event, read_examples, search_by_head

__all__ = ["MOST_EXAMPLE_BYTES", "TeachRoutes"]

MOST_EXAMPLE_BYTES: Final = 24 << 20
_MOST_EXAMPLES: Final = 100
_DAY: Final = 86_400.0
_FOUND: Final = 10
_VERDICTS: Final = 200
_RATE: Final = 16_000


class _Example(msgspec.Struct):
    """A sound that is the label, or is not: int16 samples of one channel, or an event of the history."""

    source: str
    sound: bytes = b""
    rate: int = _RATE
    event: int | None = None


class _Lesson(msgspec.Struct):
    """A label and more examples of it; those of before stay. The model is the one that scores `stream`."""

    name: str
    stream: str = ""
    like: list[_Example] = []
    unlike: list[_Example] = []


class TeachRoutes:
    """Answers about taught labels, and teaches where the page may write."""

    def __init__(self, taught: Taught, spool: Spool, *, may_write: bool) -> None:
        self._taught = taught
        self._spool = spool
        self._may_write = may_write

    def show(self, request: Request) -> Response:
        """Answer with all taught labels and what each learnt from, and with what people said of events."""
        try:
            heads, history = self._taught.teacher().heads(), self._taught.history
            embedders = self._taught.embedders()
            said = read_verdicts(history, with_vectors=False) if history else []
            raised = self._taught.raised(said)
        except (StreamtagError, OSError) as error:
            return JSONResponse({"error": plain(error)}, 503)
        return JSONResponse(
            {
                "labels": [_head_as_json(head, is_ours=head.embedder in embedders) for head in heads],
                "verdicts": [
                    {
                        "name": each.event,
                        "label": each.label,
                        "stream": each.stream,
                        "time": each.time,
                        "right": each.is_right,
                        "who": each.who,
                        "given": each.given,
                    }
                    for each in said[:_VERDICTS]
                ],
                "raised": [
                    {"stream": each.stream, "label": each.label, "on": each.on, "before": each.before}
                    for each in raised
                ],
                "cannot": "" if self._may_write else MAY_NOT,
            }
        )

    async def teach(self, request: Request) -> Response:
        """Make a label of examples, the request's body, or give more to one that there is."""
        if not self._may_write:
            return JSONResponse({"error": MAY_NOT}, 403)
        visitor = request.scope[VISITOR]
        try:
            async with self._spool.file(visitor):
                body = await request.body()
                async with self._spool.work(visitor):
                    return await asyncio.to_thread(self._teach, body)
        except FullError:
            return JSONResponse({"error": "Others are teaching already. Please try again in a minute."}, 503)
        except ClientDisconnect:
            return JSONResponse({"error": "The examples did not come through whole, or are too large."}, 413)

    def found(self, request: Request) -> Response:
        """Answer with the moments of the last day that a taught label scores highest, and its newest events."""
        name, history, reader = request.query_params.get("name", "")[:200], self._taught.history, self._taught.reader
        if history is None or reader is None:
            return JSONResponse({"error": NO_HISTORY}, 404)
        since = time.time() - _DAY
        try:
            head = next((each for each in self._taught.teacher().heads() if each.name == name), None)
            if head is None:
                return JSONResponse({"error": f"There is no taught label {name}."}, 404)
            said = verdicts_by_event(history)
            events = [event_as_json(each) for each in reader.search(label=name, since=since, limit=_FOUND)]
            moments = [moment_as_json(each) for each in search_by_head(head, history, top=_FOUND, since=since)]
        except (StreamtagError, OSError) as error:
            return JSONResponse({"error": plain(error)}, 422)
        for each in events:
            each["right"] = said.get(each["name"])
        return JSONResponse({"events": events, "moments": moments, "on": head.on})

    def forget(self, request: Request) -> Response:
        """Forget a taught label, or what it learnt from one `source`."""
        if not self._may_write:
            return JSONResponse({"error": MAY_NOT}, 403)
        name, source = request.query_params.get("name", "")[:200], request.query_params.get("source")
        try:
            teacher = self._taught.teacher()
            if source is None:
                gone = teacher.remove(name)
                return JSONResponse({"words": f"{name} is forgotten." if gone else "There is no such label any more."})
            head = next((each for each in teacher.heads() if each.name == name), None)
            if head is None:
                return JSONResponse({"error": "There is no such label any more."}, 404)
            teacher = self._taught.teacher_of(head)
            left = _without(head.positives, source)
            if not len(left.sources):
                return JSONResponse({"error": "That is all it was taught with: remove the label instead."}, 422)
            made = teacher.teach(name, left, _without(head.negatives, source), self._taught.history)
        except (StreamtagError, OSError) as error:
            return JSONResponse({"error": plain(error)}, 422)
        return JSONResponse({"words": made.figures.words})

    async def picture(self, request: Request) -> Response:
        """Answer with a picture of sound, the request's body: int16 samples of one channel at `rate`."""
        body, rate = await request.body(), whole(request.query_params.get("rate")) or 0
        if not 8000 <= rate <= 192_000 or len(body) < 2 or len(body) % 2:
            return JSONResponse({"error": "That is no sound."}, 422)
        is_dark = "dark" in request.query_params
        return Response(await asyncio.to_thread(_drawn, body, rate, is_dark=is_dark), media_type="image/png")

    def _teach(self, body: bytes) -> Response:
        try:
            lesson = msgspec.json.decode(body, type=_Lesson)
        except (msgspec.DecodeError, RecursionError):
            return JSONResponse({"error": "These are no examples."}, 422)
        if len(lesson.like) + len(lesson.unlike) > _MOST_EXAMPLES:
            return JSONResponse({"error": f"At most {_MOST_EXAMPLES} examples at a time."}, 422)
        try:
            stream, name = lesson.stream, lesson.name.strip()
            teacher = self._taught.teacher(stream)
            before = next((head for head in teacher.heads() if head.name == name), None)
            like, unlike = self._examples(lesson.like, stream), self._examples(lesson.unlike, stream)
            if before is not None and before.embedder == teacher.embedder:
                like, unlike = before.positives + like, before.negatives + unlike
            head = teacher.teach(name, like, unlike, self._taught.history)
        except (StreamtagError, OSError) as error:
            return JSONResponse({"error": plain(error)}, 422)
        return JSONResponse({"label": _head_as_json(head, is_ours=True)})

    def _examples(self, wanted: Sequence[_Example], stream: str) -> Examples:
        found = Examples.none()
        with TemporaryDirectory() as folder:
            for number, each in enumerate(wanted):
                source = each.source[:100]
                if each.sound:
                    path = Path(folder) / f"{number}.wav"
                    _write(path, each.sound, each.rate)
                    heard = read_examples([Span(str(path))], self._taught.pool(stream))
                elif each.event is not None and self._taught.history is not None:
                    heard = examples_of_event(self._taught.history, each.event, self._taught.embedder(stream))
                    if not len(heard.sources):
                        raise StreamtagError(self._taught.why_no_embedding())
                else:
                    continue
                found = found + Examples(heard.vectors, [source] * len(heard.sources))
        return found


def _write(path: Path, sound: bytes, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(min(192_000, max(8000, rate)))
        file.writeframes(sound[: len(sound) // 2 * 2])


def _drawn(body: bytes, rate: int, *, is_dark: bool) -> bytes:
    samples: NDArray[np.int16] = np.frombuffer(body, "<i2").astype(np.int16)
    return spectrogram(samples, rate, columns=MOST_COLUMNS, is_dark=is_dark)


def _without(examples: Examples, source: str) -> Examples:
    kept = [row for row, name in enumerate(examples.sources) if name != source]
    return Examples(examples.vectors[kept], [examples.sources[row] for row in kept])


def _head_as_json(head: Head, *, is_ours: bool) -> dict[str, Any]:
    figures = head.figures
    return {
        "name": head.name,
        "on": head.on,
        "words": figures.words,
        "taught": figures.taught,
        "precision": figures.precision,
        "recall": figures.recall,
        "verdicts": figures.verdicts,
        "ours": is_ours,
        "like": [{"source": name, "windows": count} for name, count in Counter(head.positives.sources).items()],
        "unlike": [{"source": name, "windows": count} for name, count in Counter(head.negatives.sources).items()],
    }
