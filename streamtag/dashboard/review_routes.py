"""What the page asks about single events: a picture of one, what somebody says of it, moments that are like it."""

import wave
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.event_json import NO_HISTORY, event_as_json, plain
from streamtag.dashboard.pictures import spectrogram
from streamtag.dashboard.queries import whole
from streamtag.dashboard.taught import Taught
from streamtag.errors import HistoryError, StreamtagError
from streamtag.heads import HeadError
from streamtag.history import read_event_id, read_verdicts
from streamtag.teaching import Found, examples_of_event, judge_event, judge_moment, search, withdraw

__all__ = ["MAY_NOT", "ReviewRoutes", "moment_as_json", "verdicts_by_event"]

_COLUMNS: Final = 240
_MOST_SECONDS: Final = 60
_FOUND: Final = 24
_KEPT_PICTURES: Final = 1000
MAY_NOT: Final = "This page may not change anything: start it with --auth or --allow-write."


class ReviewRoutes:
    """Answers about single events, and keeps what visitors say of them."""

    def __init__(self, taught: Taught, *, may_write: bool, user: str) -> None:
        """Answer about a history's events.

        Args:
            taught: the history and the models.
            may_write: whether visitors may say anything.
            user: who everybody is that may; empty: their addresses.
        """
        self._taught = taught
        self._may_write = may_write
        self._user = user

    def picture(self, request: Request) -> Response:
        """Answer with a picture of an event's recording."""
        event = whole(request.path_params["event"])
        try:
            path = None if event is None or self._taught.reader is None else self._taught.reader.clip(event)
            if path is None:
                return JSONResponse({"error": "There is no recording of this event any more."}, 404)
            drawn = _picture(path, path.stat().st_mtime_ns, is_dark="dark" in request.query_params)
        except (HistoryError, OSError, EOFError, ValueError, wave.Error) as error:
            return JSONResponse({"error": f"The recording cannot be shown: {plain(error)}"}, 503)
        return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})

    def judge(self, request: Request) -> Response:
        """Keep whether an event, or a moment that was found, is what it is called; or take that back."""
        query = request.query_params
        if not self._may_write:
            return JSONResponse({"error": MAY_NOT}, 403)
        path, right = self._taught.history, query.get("right", "")
        if path is None:
            return JSONResponse({"error": NO_HISTORY}, 404)
        event, moment, label = whole(query.get("event")), whole(query.get("moment")), query.get("label", "")[:200]
        who = self._user or request.scope[VISITOR]
        try:
            if right == "":
                name = query.get("name", "")[:200]
                of = read_event_id(name)
                teacher = self._taught.teacher(of.stream if of else "")
                return JSONResponse({"words": withdraw(path, name, teacher)})
            teacher = self._taught.teacher(self._taught.stream_of(event, moment))
            is_right = right == "yes"
            if event is not None:
                said = judge_event(path, event, is_right=is_right, who=who, teacher=teacher)
            elif moment is not None and label:
                said = judge_moment(path, moment, label, is_right=is_right, who=who, teacher=teacher)
            else:
                return JSONResponse({"error": "There is no such event."}, 404)
        except HeadError as error:
            return JSONResponse({"words": f"Kept. {plain(error)}"})
        except (StreamtagError, OSError) as error:
            return JSONResponse({"error": plain(error)}, 422)
        return JSONResponse({"words": said.words, "name": said.verdict.event})

    def like(self, request: Request) -> Response:
        """Answer with the moments of the history that are most like an event."""
        event, path = whole(request.query_params.get("event")), self._taught.history
        if path is None or event is None:
            return JSONResponse({"error": NO_HISTORY if path is None else "There is no such event."}, 404)
        try:
            embedder = self._taught.embedder(self._taught.stream_of(event))
            examples = examples_of_event(path, event, embedder)
            if not len(examples.sources):
                return JSONResponse({"error": self._taught.why_no_embedding()}, 422)
            found = search(examples, path, embedder, top=_FOUND + 1)
        except (StreamtagError, OSError) as error:
            return JSONResponse({"error": plain(error)}, 422)
        shown = [each for each in found if each.event is None or each.event.id != event][:_FOUND]
        return JSONResponse({"moments": [moment_as_json(each) for each in shown]})


def moment_as_json(found: Found) -> dict[str, Any]:
    """Return a moment as the page shows it."""
    return {
        "id": found.id,
        "stream": found.stream,
        "time": found.time,
        "likeness": found.likeness,
        "event": None if found.event is None else event_as_json(found.event),
    }


def _read_clip(path: Path) -> tuple[NDArray[np.int16], int]:
    """Return a clip's samples, int16 [n], a minute at most, and how many there are a second.

    Raises:
        OSError, EOFError, wave.Error: it cannot be read.
    """
    with wave.open(str(path), "rb") as file:
        rate = file.getframerate()
        return np.frombuffer(file.readframes(_MOST_SECONDS * rate), "<i2").astype(np.int16), rate


@lru_cache(_KEPT_PICTURES)
def _picture(path: Path, _: int, *, is_dark: bool) -> bytes:
    samples, rate = _read_clip(path)
    if not len(samples):
        raise ValueError("it is empty")
    return spectrogram(samples, rate, columns=_COLUMNS, is_dark=is_dark)


def verdicts_by_event(history: Path | None) -> dict[str, bool]:
    """Return what was said of events, by their names."""
    if history is None:
        return {}
    return {verdict.event: verdict.is_right for verdict in read_verdicts(history, with_vectors=False)}
