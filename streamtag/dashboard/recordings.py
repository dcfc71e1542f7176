"""Recordings that a visitor drops on the page: tagged, told, and forgotten."""

import asyncio
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from streamtag.dashboard.access import VISITOR
from streamtag.dashboard.body import CUT_OFF
from streamtag.dashboard.slots import FullError
from streamtag.dashboard.spool import Spool
from streamtag.errors import StreamtagError
from streamtag.settings import Config
from streamtag.tag_results import Result
from streamtag.tagging import TaggingPool

__all__ = ["MOST_BYTES", "Recordings"]

MOST_BYTES: Final = 200 << 20
MOST_SECONDS: Final = 7200.0
_CHECK_BYTES: Final = 8 << 20
_ROWS: Final = 24
"""Labels of a recording's timeline."""


class Recordings:
    """Tags recordings, one after the other, in a process of its own that is started with the first."""

    def __init__(self, config: Config, spool: Spool) -> None:
        self._config = config
        self._spool = spool
        self._pool: TaggingPool | None = None
        self._pool_lock = threading.Lock()

    async def serve(self, request: Request) -> Response:
        """Answer a recording, the request's body, with its timeline and events."""
        visitor = request.scope[VISITOR]
        try:
            async with self._spool.file(visitor) as path:
                await self._receive(request, path)
                async with self._spool.work(visitor):
                    return JSONResponse(_as_json(await asyncio.to_thread(self._tag, path)))
        except FullError:
            return _refused("Other recordings are being tagged already. Please try again in a minute.", 503)
        except ClientDisconnect:
            if request.scope.get(CUT_OFF) == "slow":
                return _refused("The recording came too slowly.", 408)
            return _refused("The recording did not come through whole, or is too large.", 413)
        except StreamtagError as error:
            reason = str(error).split(": ", 1)[-1]
            return _refused(f"This recording cannot be tagged: {reason}.", 422)
        except OSError as error:
            return _refused(f"The recording could not be kept for the moment it takes: {error.strerror}.", 507)

    async def _receive(self, request: Request, path: Path) -> None:
        unchecked = 0
        with path.open("wb") as file:
            async for part in request.stream():
                if unchecked <= 0:
                    self._spool.check_room()
                    unchecked = _CHECK_BYTES
                unchecked -= len(part)
                await asyncio.to_thread(file.write, part)

    def close(self) -> None:
        """Leave off tagging."""
        if self._pool is not None:
            self._pool.close()

    def pool(self) -> TaggingPool:
        """Return the process that decodes and scores; it is started with its first recording."""
        with self._pool_lock:
            if self._pool is None:
                config = self._config
                self._pool = TaggingPool(
                    config.model.bundle,
                    rolling=config.scores.rolling,
                    events=config.events,
                    groups=config.groups,
                    heads=config.heads_folder,
                )
            return self._pool

    def _tag(self, path: Path) -> Result:
        return self.pool().tag(path, max_seconds=MOST_SECONDS)


def _as_json(result: Result) -> dict[str, Any]:
    best = np.argsort(-result.patches.max(axis=0), kind="stable")[:_ROWS]
    return {
        "seconds": result.seconds,
        "starts": result.starts.round(3).tolist(),
        "patch_seconds": float(np.diff(result.starts).min()) if len(result.starts) > 1 else result.seconds,
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
