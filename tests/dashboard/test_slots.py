import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from streamtag.dashboard.slots import FullError, Slots


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def test_one_visitor_waits_for_itself_and_others_do_not() -> None:
    async def visit() -> None:
        slots = Slots(in_all=3, by_visitor=1, waiting=5, seconds=10)
        async with AsyncExitStack() as greedy:
            await greedy.enter_async_context(slots.taken("greedy"))
            waiting = asyncio.create_task(AsyncExitStack().enter_async_context(slots.taken("greedy")))
            async with slots.taken("other"):
                assert not waiting.done()
        await waiting

    run(visit())


def test_who_has_waited_longest_is_next() -> None:
    async def visit() -> None:
        slots, order = Slots(in_all=1, by_visitor=1, waiting=5, seconds=10), []

        async def work(name: str) -> None:
            async with slots.taken(name):
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(work(name) for name in "abcde"))
        assert "".join(order) == "abcde"

    run(visit())


def test_who_waits_too_long_or_with_too_many_is_told() -> None:
    async def visit() -> None:
        slots = Slots(in_all=1, by_visitor=1, waiting=1, seconds=0.05)
        async with slots.taken("a"):
            late = asyncio.create_task(AsyncExitStack().enter_async_context(slots.taken("b")))
            await asyncio.sleep(0)
            with pytest.raises(FullError):
                async with slots.taken("b"):
                    pass
            with pytest.raises(FullError):
                await late
        async with slots.taken("b"):
            pass

    run(visit())


def test_a_place_is_free_again_whatever_became_of_those_who_waited() -> None:
    async def visit() -> None:
        slots = Slots(in_all=1, by_visitor=1, waiting=50, seconds=10)

        async def work() -> None:
            async with slots.taken("a") as leave:
                await asyncio.sleep(0)
                leave()
                leave()
                await asyncio.sleep(0)

        async with slots.taken("b"):
            tasks = [asyncio.create_task(work()) for _ in range(50)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        tasks = [asyncio.create_task(work()) for _ in range(50)]
        for task in tasks:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with slots.taken("a"):
            pass

    run(visit())
