"""Attempts that go out again as they were: what the memory makes of them, and what is rebuilt of one."""

import pytest

from consumer.core.memory import Memory
from consumer.core.model import Deferred, Delivered, Message, OnUnsure, Unsure, Verdict
from consumer.core.quota import Past
from consumer.core.repeats import KILLS, buried, is_fatal, is_lost, rebuilt
from schemas.journal import AnyRecord, Claim, Landing, OutcomeName, Repeat, VerdictName
from tests.core.journal import Log, attempt, columns, command_id, parcel

ATTEMPT = attempt("1.1", parcel(columns([1, 2], thread=7, rank=3), level=1), parcel(columns([3]), "Other"))


def told(*records: AnyRecord) -> Memory:
    """A memory that was told these records, a second apart from 1001 on."""
    memory, log = Memory(8 * 86_400.0), Log()
    for record in records:
        memory.apply(log.entry(record))
    return memory


def claim(epoch: int) -> Claim:
    return Claim(epoch=epoch, member=f"m{epoch}")


def sends(epoch: int) -> Repeat:
    return Repeat(attempt="1.1", epoch=epoch, sent=True)


def waits(epoch: int) -> Repeat:
    return Repeat(attempt="1.1", epoch=epoch, sent=False, reason="timeout")


def landing(epoch: int = 1) -> Landing:
    return Landing(attempt="1.1", epoch=epoch, verdict="delivered", outcome="delivered")


def test_an_attempt_whose_answer_was_lost_stays_open_and_off_the_wire() -> None:
    memory = told(claim(1), ATTEMPT, waits(1))
    assert not memory.open_attempts["1.1"].on_wire
    assert memory.past(0.0) == [Past(1002.0, 1003.0, lost=True, recipients=3)]
    assert memory.ended(command_id(1)) is None


def test_each_repeat_counts_against_the_quota() -> None:
    memory = told(claim(1), ATTEMPT, waits(1), sends(1))
    assert memory.open_attempts["1.1"].on_wire
    assert memory.past(0.0) == [Past(1002.0, 1003.0, lost=True, recipients=3), Past(1004.0, None, recipients=3)]
    memory = told(claim(1), ATTEMPT, waits(1), sends(1), landing())
    assert memory.past(0.0) == [Past(1002.0, 1003.0, lost=True, recipients=3), Past(1004.0, 1005.0, recipients=3)]


def test_a_landing_while_the_attempt_waits_is_no_further_request() -> None:
    memory = told(claim(1), ATTEMPT, waits(1), landing())
    assert memory.past(0.0) == [Past(1002.0, 1003.0, lost=True, recipients=3)]
    assert memory.open_attempts == {}


@pytest.mark.parametrize(("verdict", "outcomes"), [("withdrawn", None), ("mixed", ["delivered", None, "delivered"])])
def test_an_earlier_owner_that_comes_back_lets_nobody_wait_again_whom_the_repeat_may_tell(
    verdict: VerdictName, outcomes: list[OutcomeName | None] | None
) -> None:
    late = Landing(attempt="1.1", epoch=1, verdict=verdict, reason="paused", outcomes=outcomes)
    memory = told(claim(1), ATTEMPT, claim(2), sends(2), late)
    assert "1.1" in memory.open_attempts
    assert memory.ended(command_id(1)) is None
    memory = told(claim(1), ATTEMPT, claim(2), sends(2), late, landing(2))
    assert (memory.open_attempts, memory.ended(command_id(2)) is None) == ({}, False)


def test_what_an_earlier_owner_has_delivered_is_delivered() -> None:
    memory = told(claim(1), ATTEMPT, claim(2), sends(2), landing(1))
    assert (memory.open_attempts, memory.ended(command_id(1)) is None) == ({}, False)


@pytest.mark.parametrize(
    ("records", "deaths", "fatal"),
    [
        ([], 0, False),
        ([waits(1), claim(2), sends(2)], 0, False),
        ([claim(2), sends(2)], 1, False),
        ([claim(2), sends(2), sends(2)], 1, False),
        ([claim(2), sends(2), claim(3), sends(3)], 2, True),
        ([claim(2), sends(2), claim(3), sends(3), waits(3)], 2, False),
        ([claim(2), sends(2), waits(1), claim(3), sends(3)], 2, True),
        ([claim(2), sends(1)], 0, False),
    ],
)
def test_a_death_is_an_owner_who_left_the_attempt_on_the_wire(
    records: list[AnyRecord], deaths: int, fatal: bool
) -> None:
    opened = told(claim(1), ATTEMPT, *records).open_attempts["1.1"]
    assert (opened.deaths, is_fatal(opened)) == (deaths, fatal)


def test_the_first_landing_wins_over_every_repeat() -> None:
    memory = told(claim(1), ATTEMPT, landing(), claim(2), sends(2), waits(2))
    assert memory.open_attempts == {}
    assert memory.ended(command_id(1)) is not None
    assert told(claim(1), sends(1)).open_attempts == {}


def test_a_batch_is_rebuilt_as_it_was_sent() -> None:
    opened = told(claim(1), ATTEMPT).open_attempts["1.1"]
    batch = rebuilt(opened, 4)
    assert (batch.id, batch.epoch, batch.on_unsure) == ("1.1", 4, OnUnsure.REPEAT)
    assert [(parcel.message, parcel.level) for parcel in batch.parcels] == [
        (Message("Ready", "Come"), 1),
        (Message("Other", "Come"), 0),
    ]
    assert [command.id for command in batch.commands] == [command_id(number) for number in (1, 2, 3)]
    first = batch.commands[0]
    assert (first.recipient, first.thread, first.rank) == ("customer-1", 7, 3)
    assert (first.arrived, first.deadline, first.wordings) == (901.0, 9001.0, (Message("Ready", "Come"),))


def test_an_attempt_that_kills_is_refused_for_all_its_people() -> None:
    memory = told(claim(1), ATTEMPT, claim(4))
    record = buried(memory.open_attempts["1.1"], 4)
    assert (record.reason, record.outcome, record.epoch) == (KILLS, "refused", 4)
    assert told(claim(1), ATTEMPT, claim(4), record).ended(command_id(3)) is not None


@pytest.mark.parametrize(
    ("verdict", "lost"),
    [
        (Unsure("stopped"), True),
        (Deferred("timeout", same_key=True), True),
        (Deferred("limit", limit=True), False),
        (Delivered(), False),
    ],
)
def test_an_answer_is_lost_where_the_request_may_have_been_executed(verdict: Verdict, lost: bool) -> None:
    assert is_lost(verdict) == lost
