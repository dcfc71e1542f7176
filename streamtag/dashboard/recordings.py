"""Recordings that a visitor drops on the page: tagged, told, and forgotten."""

import asyncio
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from streamtag.errors import StreamtagError
from streamtag.settings import Config
from streamtag.tagger import Result
from streamtag.tagging import TaggingPool

__all__ = ["MOST_BYTES", "Recordings"]

MOST_BYTES: Final = 200 << 20
MOST_SECONDS: Final = 7200.0
_MOST_WAITING: Final = 4
_ROWS: Final = 24
"""Labels of a recording's timeline."""


class Recordings:
    """Tags one recording at a time, in a process of its own that is started with the first."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool: TaggingPool | None = None
        self._turn = threading.Lock()
        self._waiting = 0

    async def serve(self, request: Request) -> Response:
        """Answer a recording, the request's body, with its timeline and events."""
        if self._waiting >= _MOST_WAITING:
            return _refused("Other recordings are being tagged already. Please try again in a minute.", 503)
        self._waiting += 1
        try:
            with tempfile.TemporaryDirectory(prefix="streamtag-") as folder:
                path = Path(folder) / "recording"
                with path.open("wb") as file:
                    async for part in request.stream():
                        file.write(part)
                return JSONResponse(_as_json(await asyncio.to_thread(self._tag, path)))
        except ClientDisconnect:
            return _refused("The recording did not come through whole, or is too large.", 413)
        except StreamtagError as error:
            reason = str(error).split(": ", 1)[-1]
            return _refused(f"This recording cannot be tagged: {reason}.", 422)
        except OSError as error:
            return _refused(f"The recording could not be kept for the moment it takes: {error.strerror}.", 507)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Leave off tagging."""
        if self._pool is not None:
            self._pool.close()

    def _tag(self, path: Path) -> Result:
        with self._turn:
            if self._pool is None:
                config = self._config
                self._pool = TaggingPool(config.model.bundle, rolling=config.scores.rolling, events=config.events)
            return self._pool.tag(path, max_seconds=MOST_SECONDS)


def _as_json(result: Result) -> dict[str, Any]:
    best = np.argsort(-result.patches.max(axis=0), kind="stable")[:_ROWS]
    return {
        "seconds": result.seconds,
        "starts": result.starts.round(3).tolist(),
        "labels": [result.labels[index] for index in best.tolist()],
        "scores": np.rint(result.patches[:, best] * 255).astype(int).tolist(),
        "events": [
            {"label": event.label, "onset": event.onset, "offset": event.offset, "peak": event.peak}
            for event in result.events
        ],
        "notes": list(result.notes),
    }


def _refused(reason: str, status: int) -> Response:
    return JSONResponse({"error": reason}, status)
