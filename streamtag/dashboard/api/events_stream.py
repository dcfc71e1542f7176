"""Events as they come, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool

from streamtag.dashboard.api.feed import Feed, Told
from streamtag.dashboard.api.past import Notice, Past, notice
from streamtag.errors import HistoryError

__all__ = ["MOST_FOLLOWERS", "EventsStream"]

MOST_FOLLOWERS: Final = 64
_MOST_WAITING: Final = 1000
_BEAT_SECONDS: Final = 15.0
_RETRY_MS: Final = 3000


class EventsStream:
    """Hands what is told to those who follow; used in the server's one loop."""

    def __init__(self, feed: Feed, past: Past, *, with_clips: bool) -> None:
        self._feed = feed
        self._past = past
        self._with_clips = with_clips
        self._followers = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody more may follow."""
        return self._followers >= MOST_FOLLOWERS

    async def follow(self, last: str, *, label: str, stream: str) -> AsyncIterator[str]:
        """Yield what came after the notice named `last`, and then what comes, for as long as whoever asked listens.

        Who is too slow is let go: with the name of the last notice that came it gets the rest.
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Told] = asyncio.Queue(_MOST_WAITING)
        is_behind = False

        def offer(told: Told) -> None:
            nonlocal is_behind
            if waiting.full():
                is_behind = True
            else:
                waiting.put_nowait(told)

        def listen(told: Told) -> None:  # in the feed's thread
            try:
                loop.call_soon_threadsafe(offer, told)
            except RuntimeError:
                return  # the server has ended

        self._followers += 1
        before = self._feed.follow(listen)
        try:
            yield f"retry: {_RETRY_MS}\n: events of this service\n\n"
            wanted = _wanted(label, stream)
            for each in await self._missed(last, before):
                if wanted(each):
                    yield _as_text(each)
            while not is_behind:
                try:
                    told = await asyncio.wait_for(waiting.get(), _BEAT_SECONDS)
                except TimeoutError:
                    yield ": nothing new\n\n"
                    continue
                each = notice(told.header, with_clips=self._with_clips)
                if wanted(each):
                    yield _as_text(each)
        finally:
            self._feed.leave(listen)
            self._followers -= 1

    async def _missed(self, last: str, before: list[Told]) -> list[Notice]:
        if not last:
            return []
        try:
            return await run_in_threadpool(self._past.after, last, before, with_clips=self._with_clips)
        except HistoryError:
            return []  # what comes is told all the same


def _wanted(label: str, stream: str) -> Callable[[Notice], bool]:
    def is_wanted(each: Notice) -> bool:
        return (not label or each.event.label == label) and (not stream or each.event.stream == stream)

    return is_wanted


def _as_text(each: Notice) -> str:
    return f"id: {each.id}\nevent: {each.event.state}\ndata: {each.event.model_dump_json()}\n\n"
