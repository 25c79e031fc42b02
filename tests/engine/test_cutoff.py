"""When a drain's budget is spent, nothing waits any longer, and nothing else is cancelled."""

import asyncio

import pytest

from consumer.engine.cutoff import Cutoff
from tests.virtual import virtual


async def answer(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "answer"


@virtual
async def test_without_an_end_work_takes_as_long_as_it_takes() -> None:
    assert await Cutoff().until(answer(10_000)) == "answer"


@virtual
async def test_the_end_ends_all_that_waits_and_nothing_that_has_its_answer() -> None:
    cutoff, loop = Cutoff(), asyncio.get_running_loop()
    just_come: asyncio.Future[str] = loop.create_future()

    def end() -> None:
        just_come.set_result("answer")
        cutoff.cancel()

    loop.call_later(5, end)
    waits = (answer(1), just_come, answer(6), answer(100))
    assert await asyncio.gather(*map(cutoff.until, waits)) == ["answer", "answer", None, None]


@virtual
async def test_after_the_end_a_wait_ends_at_once() -> None:
    cutoff, loop = Cutoff(), asyncio.get_running_loop()
    cutoff.cancel()
    began = loop.time()
    assert await cutoff.until(answer(100)) is None
    assert loop.time() == pytest.approx(began)


@virtual
async def test_after_the_end_a_task_does_what_else_it_has_to_do() -> None:
    cutoff, task = Cutoff(), asyncio.current_task()
    asyncio.get_running_loop().call_later(5, cutoff.cancel)
    assert await cutoff.until(answer(100)) is None
    assert task is not None
    assert task.cancelling() == 0
    assert await answer(3) == "answer"


@virtual
async def test_a_task_that_somebody_else_cancels_stays_cancelled() -> None:
    cutoff, loop = Cutoff(), asyncio.get_running_loop()
    task = asyncio.ensure_future(cutoff.until(answer(100)))
    loop.call_later(5, cutoff.cancel)
    loop.call_later(5, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


@virtual
async def test_trouble_of_the_work_is_told_as_it_is() -> None:
    async def troubled() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Cutoff().until(troubled())
