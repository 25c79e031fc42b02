"""What we append ourselves is known without reading it, as long as nobody else writes."""

import asyncio

import pytest

from consumer.core.ports import Appended, Entry
from consumer.streams.echo import QUIET_SECONDS, Echo
from schemas.journal import Claim
from tests.virtual import virtual

ONE, TWO, THREE = (Claim(epoch=number, member="m") for number in (1, 2, 3))


async def begun(offset: int = 10) -> Echo:
    """On, behind a first record of ours."""
    echo = Echo()
    assert not echo.acked([ONE], Appended(offset - 1, 5.0))
    assert echo.begin(offset)
    return echo


@virtual
async def test_records_that_follow_one_another_are_given_back_at_their_offsets() -> None:
    echo = await begun()
    assert echo.acked([ONE, TWO], Appended(11, 6.0))
    assert echo.acked([THREE], Appended(12, 7.0))
    assert await echo.take(1.0) == [Entry(10, 6.0, ONE), Entry(11, 6.0, TWO), Entry(12, 7.0, THREE)]
    assert (echo.on, echo.next) == (True, 13)


@virtual
async def test_whoever_waits_gets_a_record_when_it_is_acked() -> None:
    echo = await begun()
    waiting = asyncio.create_task(echo.take(1.0))
    await asyncio.sleep(QUIET_SECONDS / 2)
    echo.acked([TWO], Appended(10, 6.0))
    assert await waiting == [Entry(10, 6.0, TWO)]


@virtual
async def test_a_gap_says_that_somebody_else_has_written_and_ends_it() -> None:
    echo = await begun()
    echo.acked([ONE], Appended(10, 6.0))
    assert not echo.acked([TWO], Appended(12, 7.0))
    assert not echo.acked([THREE], Appended(13, 8.0))
    assert await echo.take(1.0) == [Entry(10, 6.0, ONE)]
    assert await echo.take(1.0) == []
    assert (echo.on, echo.next) == (False, 11)


@virtual
async def test_another_record_among_ours_that_were_handed_in_together_ends_it() -> None:
    echo = await begun()
    assert not echo.acked([ONE, TWO], Appended(12, 6.0))
    assert (await echo.take(1.0), echo.next) == ([], 10)


@virtual
async def test_a_record_that_was_written_twice_ends_it() -> None:
    echo = await begun()
    assert not echo.acked([ONE], Appended(11, 6.0))
    assert (await echo.take(1.0), echo.next) == ([], 10)


@virtual
async def test_it_does_not_begin_before_a_record_that_was_acked_already() -> None:
    echo = Echo()
    echo.acked([ONE], Appended(10, 5.0))
    assert not echo.begin(10)
    assert echo.begin(11)


@virtual
async def test_it_does_not_begin_where_nothing_was_written_for_a_while() -> None:
    echo = Echo()
    assert not echo.begin(10)
    echo.acked([ONE], Appended(9, 5.0))
    await asyncio.sleep(QUIET_SECONDS)
    assert not echo.begin(10)


@virtual
async def test_silence_ends_it_so_that_others_are_heard() -> None:
    echo = await begun()
    began = asyncio.get_running_loop().time()
    assert await echo.take(10.0) == []
    assert asyncio.get_running_loop().time() - began == pytest.approx(QUIET_SECONDS)
    assert (echo.on, echo.next) == (False, 10)


@virtual
async def test_who_reads_from_elsewhere_gets_nothing_of_before() -> None:
    echo = await begun()
    echo.acked([ONE], Appended(10, 6.0))
    echo.reset()
    assert await echo.take(1.0) == []
