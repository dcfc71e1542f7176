"""How many may do something at once: so many of one visitor, so many in all; the others wait, not for ever."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["FullError", "Slots"]


class FullError(Exception):
    """No slot became free, or too many wait for one."""


class Slots:
    """Slots that are taken and left again, all in one event loop; who has waited longest is next."""

    def __init__(self, *, in_all: int, by_visitor: int, waiting: int = 0, seconds: float = 0.0) -> None:
        """Make slots.

        Args:
            in_all: How many there are.
            by_visitor: How many of them one visitor may have.
            waiting: How many of one visitor may wait; of all together eight times as many.
            seconds: How long anybody waits.
        """
        self._in_all = in_all
        self._by_visitor = by_visitor
        self._most_waiting = waiting
        self._seconds = seconds
        self._taken: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], str] = {}
        self._waiting_of: Counter[str] = Counter()

    @asynccontextmanager
    async def taken(self, visitor: str) -> AsyncIterator[Callable[[], None]]:
        """Have a slot of one's own; what is yielded leaves it before the end.

        Raises:
            FullError: There is none.
        """
        await self._acquire(visitor)
        is_left = False

        def leave() -> None:
            nonlocal is_left
            if not is_left:
                is_left = True
                self._leave(visitor)

        try:
            yield leave
        finally:
            leave()

    async def _acquire(self, visitor: str) -> None:
        if self._is_free(visitor):
            self._taken[visitor] += 1
            return
        is_crowded = self._waiting_of[visitor] >= self._most_waiting or len(self._waiting) >= 8 * self._most_waiting
        if is_crowded:
            raise FullError
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[admitted] = visitor
        self._waiting_of[visitor] += 1
        try:
            async with asyncio.timeout(self._seconds):
                await admitted
        except BaseException as error:
            if admitted.done() and not admitted.cancelled():  # given at the same moment
                self._leave(visitor)
            if isinstance(error, TimeoutError):
                raise FullError from None
            raise
        finally:
            self._waiting.pop(admitted, None)
            _subtract(self._waiting_of, visitor)

    def _leave(self, visitor: str) -> None:
        _subtract(self._taken, visitor)
        for admitted, waiting in self._waiting.items():
            if not admitted.done() and self._is_free(waiting):
                self._taken[waiting] += 1
                admitted.set_result(None)
                return

    def _is_free(self, visitor: str) -> bool:
        return self._taken[visitor] < self._by_visitor and self._taken.total() < self._in_all


def _subtract(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
