"""One timer for many waits ends each in its own time, and hides nobody else's wish to end a task."""

import asyncio

import pytest

from consumer.sinks.time_limit import TimeLimit
from tests.virtual import virtual

SECONDS = 30.0


async def held(limit: TimeLimit, seconds: float) -> str:
    try:
        with limit.begin():
            await asyncio.sleep(seconds)
    except TimeoutError:
        return f"timeout at {asyncio.get_running_loop().time():.0f}"
    return f"done at {asyncio.get_running_loop().time():.0f}"


@virtual
async def test_each_wait_ends_when_its_own_time_is_over() -> None:
    limit, began = TimeLimit(SECONDS), asyncio.get_running_loop().time()

    async def later(begins: float, seconds: float) -> str:
        await asyncio.sleep(begins)
        return await held(limit, seconds)

    told = await asyncio.gather(later(0, 100), later(1, 5), later(10, 100), later(20, 29), later(50, 100))
    ends = (("timeout", 30), ("done", 6), ("timeout", 40), ("done", 49), ("timeout", 80))
    assert list(told) == [f"{how} at {began + at:.0f}" for how, at in ends]


@virtual
async def test_a_wait_after_a_long_quiet_has_its_whole_time() -> None:
    limit = TimeLimit(SECONDS)
    assert (await held(limit, 1)).startswith("done")
    await asyncio.sleep(1000)
    assert (await held(limit, 29)).startswith("done")
    assert (await held(limit, 31)).startswith("timeout")


@virtual
async def test_a_cancelled_task_stays_cancelled_also_where_its_time_is_over_at_once() -> None:
    limit, loop = TimeLimit(SECONDS), asyncio.get_running_loop()
    early = asyncio.ensure_future(held(limit, 100))
    both = asyncio.ensure_future(held(limit, 100))
    loop.call_later(5, early.cancel)
    loop.call_later(SECONDS, both.cancel)
    for task in (early, both):
        with pytest.raises(asyncio.CancelledError):
            await task


@virtual
async def test_a_task_whose_time_was_over_is_not_cancelled_any_more() -> None:
    task = asyncio.current_task()
    assert task is not None
    assert (await held(TimeLimit(SECONDS), 100)).startswith("timeout")
    assert task.cancelling() == 0
    await asyncio.sleep(1)


@virtual
async def test_trouble_on_the_way_out_is_told_as_it_is() -> None:
    async def troubled() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError), TimeLimit(SECONDS).begin():
        await troubled()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@virtual
async def test_a_wait_that_takes_its_time_to_end_is_told_once() -> None:
    limit, told = TimeLimit(SECONDS), []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            told.append("over")
            await asyncio.sleep(SECONDS)
            raise

    async def hold() -> None:
        with limit.begin():
            await slow()

    first = asyncio.ensure_future(hold())
    await asyncio.sleep(10)
    assert (await held(limit, 100)).startswith("timeout")
    with pytest.raises(TimeoutError):
        await first
    assert told == ["over"]
