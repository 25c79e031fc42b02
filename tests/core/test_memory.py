"""A lane remembers what its journal says, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.core.attempts import AttemptCommand
from consumer.core.memory import Doubtful, Memory
from consumer.core.model import Message, OnUnsure
from consumer.core.ports import Unreadable
from consumer.core.quota import Past
from schemas.journal import Attempt, Claim, Columns, Landing, Outcomes
from tests.core.journal import Log, attempt, columns, command_id, digest, outcomes, parcel

DAY = 86_400.0
READY = Message("Ready", "Come")

Records = Claim | Attempt | Landing | Outcomes | Unreadable


def told(*records: Records) -> Memory:
    """A memory that was told these records, a second apart from 1001 on."""
    memory, log = Memory(8 * DAY), Log()
    for record in records:
        memory.apply(log.entry(record))
    return memory


def claim(epoch: int, member: str = "a") -> Claim:
    return Claim(epoch=epoch, member=member)


def landing(name: str, **fields: Any) -> Landing:
    return Landing(**{"attempt": name, "epoch": 1, "verdict": "delivered", **fields})


def test_an_empty_journal_has_no_owner() -> None:
    memory = Memory(8 * DAY)
    assert (memory.epoch, memory.owner, memory.claim_offset, memory.claimed_at) == (0, None, None, None)
    assert (memory.offset, memory.last_timestamp) == (0, 0.0)


def test_the_first_claim_of_an_epoch_wins() -> None:
    memory = told(claim(1, "a"), claim(1, "b"), claim(3, "c"), claim(2, "d"))
    assert (memory.epoch, memory.owner, memory.claim_offset, memory.claimed_at) == (3, "c", 2, 1003.0)
    assert (memory.offset, memory.last_timestamp) == (4, 1004.0)


@pytest.mark.parametrize("record", [attempt("5.1"), landing("5.1", epoch=5), outcomes(5, [])])
def test_a_record_of_an_epoch_that_nobody_claimed_means_that_retention_took_the_claim(record: Records) -> None:
    memory = told(claim(4), record)
    assert (memory.epoch, memory.owner, memory.claim_offset, memory.claimed_at) == (5, None, None, None)


def test_an_attempt_is_open_until_it_lands() -> None:
    memory = told(claim(1), attempt("1.1", parcel(columns([1, 2], thread=7, rank=3), level=1)))
    opened = memory.open_attempts["1.1"]
    assert (opened.epoch, opened.offset, opened.timestamp, opened.on_unsure) == (1, 1, 1002.0, OnUnsure.REPEAT)
    assert (opened.parcels[0].message, opened.parcels[0].level) == (READY, 1)
    assert opened.ids == {command_id(1), command_id(2)}
    assert opened.commands[1] == AttemptCommand(
        command_id(2), digest(2), "order-ready", "customer-2", 7, 3, 902.0, 9002.0, [("shop.orders", 0, 2)]
    )
    assert memory.past(0.0) == [Past(1002.0, None, recipients=2)]
    assert memory.ended(command_id(1)) is None


def test_a_landing_ends_the_commands_of_its_attempt() -> None:
    memory = told(claim(1), attempt("1.1", parcel(columns([1, 2]))), landing("1.1", outcome="delivered"))
    assert not memory.open_attempts
    assert memory.ended(command_id(1)) == digest(1)
    assert memory.ended(command_id(2)) == digest(2)
    assert memory.ended(command_id(0)) is None
    assert memory.past(1003.0) == [Past(1002.0, 1003.0, recipients=2)]
    assert memory.past(1003.5) == []


def test_a_landing_may_end_some_and_let_others_wait_again() -> None:
    record = landing("1.1", verdict="mixed", outcomes=["delivered", None], tried=True)
    memory = told(claim(1), attempt("1.1", parcel(columns([1, 2]))), record)
    assert memory.ended(command_id(1)) == digest(1)
    assert memory.ended(command_id(2)) is None
    assert (memory.tries(command_id(1)), memory.tries(command_id(2))) == (0, 1)


def test_the_first_landing_of_an_attempt_counts() -> None:
    memory = told(
        claim(1),
        attempt("1.1", parcel(columns([1]))),
        landing("1.1", verdict="deferred"),
        landing("1.1", outcome="unknown"),
    )
    assert memory.ended(command_id(1)) is None


def test_the_first_outcome_of_a_command_in_the_log_wins() -> None:
    other = Outcomes(epoch=1, outcome="expired", ids=[command_id(1).hex()], digests=["ffffffff"], routes=["x"])
    assert told(claim(1), outcomes(1, [1]), other).ended(command_id(1)) == digest(1)
    assert told(claim(1), other, outcomes(1, [1])).ended(command_id(1)) == b"\xff\xff\xff\xff"


def test_a_late_landing_of_an_earlier_owner_counts() -> None:
    memory = told(claim(1), attempt("1.1", parcel(columns([1]))), claim(2, "b"), landing("1.1", outcome="delivered"))
    assert memory.ended(command_id(1)) == digest(1)
    assert memory.owner == "b"


def test_an_attempt_below_the_epoch_is_void_and_so_is_its_landing() -> None:
    memory = told(
        claim(1),
        claim(2, "b"),
        attempt("1.1", parcel(columns([1], thread=7, rank=3))),
        landing("1.1", outcome="delivered"),
    )
    assert not memory.open_attempts
    assert memory.ended(command_id(1)) is None
    assert memory.attempted(7) is None
    assert memory.past(0.0) == []


def test_a_withdrawn_attempt_counts_for_its_thread_but_not_for_the_gate() -> None:
    memory = told(claim(1), attempt("1.1", parcel(columns([1], thread=7, rank=3))), landing("1.1", verdict="withdrawn"))
    assert memory.attempted(7) == 3
    assert memory.past(0.0) == []
    assert not memory.open_attempts


def test_an_attempt_that_was_written_twice_is_one() -> None:
    record = attempt("1.1", parcel(columns([1])))
    memory = told(claim(1), record, record, landing("1.1", outcome="delivered"), record)
    assert not memory.open_attempts
    assert len(memory.past(0.0)) == 1


def test_an_attempt_in_parts_counts_with_its_last_part() -> None:
    first = attempt("1.1", parcel(columns([1, 2]), more=True), part=1, parts=2)
    last = attempt("1.1", parcel(columns([3])), parcel(columns([4]), "Later"), part=2, parts=2)
    memory = told(claim(1), first, first)
    assert not memory.open_attempts
    memory = told(claim(1), first, first, last)
    opened = memory.open_attempts["1.1"]
    assert [len(each.commands.ids) for each in opened.parcels] == [3, 1]
    assert [row.id for row in opened.commands] == [command_id(number) for number in (1, 2, 3, 4)]
    assert opened.offset == 3


def test_an_attempt_whose_first_part_is_gone_is_unreadable() -> None:
    memory = told(claim(1), attempt("1.1", parcel(columns([3])), part=2, parts=2))
    assert (memory.unreadable, dict(memory.open_attempts)) == (1, {})


@pytest.mark.parametrize("between", [claim(2, "b"), outcomes(2, [])])
def test_parts_of_a_dead_owner_never_become_an_attempt(between: Records) -> None:
    first = attempt("1.1", parcel(columns([1])), part=1, parts=2)
    last = attempt("1.1", parcel(columns([2])), part=2, parts=2)
    assert not told(claim(1), first, between, last).open_attempts


def test_a_doubt_keeps_the_message_and_counts() -> None:
    doubt = {"verdict": "unsure", "doubtful": [command_id(1).hex()]}
    memory = told(
        claim(1), attempt("1.1", parcel(columns([1, 2]))), landing("1.1", **doubt),
        attempt("1.2", parcel(columns([1]), "Ready", 1)), landing("1.2", **doubt),
    )  # fmt: skip
    assert memory.doubtful(command_id(1)) == Doubtful(2, READY, 1)
    assert memory.doubtful(command_id(2)) is None
    assert [past.lost for past in memory.past(9999.0)] == [True, True]


def test_tries_and_doubts_are_dropped_when_the_command_ends() -> None:
    record = landing("1.1", verdict="unsure", tried=True, doubtful=[command_id(1).hex()])
    memory = told(claim(1), attempt("1.1", parcel(columns([1]))), record)
    assert memory.tries(command_id(1)) == 1
    memory = told(claim(1), attempt("1.1", parcel(columns([1]))), record, outcomes(1, [1]))
    assert (memory.tries(command_id(1)), memory.doubtful(command_id(1))) == (0, None)


def test_a_command_that_has_ended_is_neither_tried_nor_in_doubt() -> None:
    record = landing("1.1", verdict="unsure", tried=True, doubtful=[command_id(1).hex()])
    memory = told(claim(1), attempt("1.1", parcel(columns([1]))), outcomes(1, [1]), record)
    assert (memory.tries(command_id(1)), memory.doubtful(command_id(1))) == (0, None)


def test_the_owner_may_mark_what_it_is_about_to_attempt() -> None:
    memory = told(claim(1))
    memory.mark_attempted((7, 5))
    memory.mark_attempted((7, 4))
    assert (memory.attempted(7), memory.attempted(8)) == (5, None)


@pytest.mark.parametrize("rank", [-5, 0, 1 << 62, -(1 << 63)])
def test_any_rank_is_remembered(rank: int) -> None:
    memory = told(claim(1))
    memory.mark_attempted((7, rank))
    assert memory.attempted(7) == rank


def test_a_rank_out_of_range_is_remembered_as_the_nearest() -> None:
    memory = told(claim(1))
    memory.mark_attempted((7, 1 << 80))
    assert memory.attempted(7) == (1 << 63) - 1
    memory = told(claim(1), attempt("1.1", parcel(columns([1], thread=7, rank=-(1 << 80)))))
    assert memory.attempted(7) == -(1 << 63)


def uneven() -> Columns:
    return replace(columns([1, 2]), ranks=[1])


def not_hex(column: str, text: str) -> Callable[[], Columns]:
    texts: dict[str, Any] = {column: [text]}
    return lambda: replace(columns([1], thread=7), **texts)


@pytest.mark.parametrize(
    "broken",
    [uneven, not_hex("ids", "zz" * 12), not_hex("ids", "00" * 11), not_hex("ids", "00" * 11 + "  "),
     not_hex("digests", "0"), not_hex("threads", "0x00000000000001")],
)  # fmt: skip
def test_an_attempt_that_makes_no_sense_is_counted_and_passed_over(broken: Callable[[], Columns]) -> None:
    memory = told(claim(1), attempt("1.1", parcel(broken())), outcomes(1, [9]))
    assert (memory.unreadable, dict(memory.open_attempts), memory.offset) == (1, {}, 3)
    assert memory.ended(command_id(9)) == digest(9)


def test_a_landing_with_the_wrong_number_of_outcomes_leaves_its_attempt_open() -> None:
    memory = told(claim(1), attempt("1.1", parcel(columns([1]))), landing("1.1", outcomes=["delivered", None]))
    assert memory.unreadable == 1
    assert "1.1" in memory.open_attempts


def test_outcomes_with_uneven_columns_end_nobody() -> None:
    record = replace(outcomes(1, [1, 2]), digests=[digest(1).hex()])
    memory = told(claim(1), record)
    assert (memory.unreadable, memory.ended(command_id(1))) == (1, None)


def test_unreadable_records_are_counted() -> None:
    assert told(claim(1), Unreadable("json"), Unreadable("kind")).unreadable == 2


def test_a_record_that_is_read_again_says_nothing_new() -> None:
    memory, log = Memory(8 * DAY), Log()
    entries = [log.entry(record) for record in (claim(1), attempt("1.1", parcel(columns([1]))))]
    record = landing("1.1", verdict="deferred", tried=True)
    entries.append(log.entry(record))
    for entry in [*entries, *entries]:
        memory.apply(entry)
    assert memory.tries(command_id(1)) == 1


def test_what_is_older_than_the_memory_is_forgotten() -> None:
    doubt = landing("1.1", verdict="unsure", tried=True, doubtful=[command_id(2).hex()], outcomes=["delivered", None])
    memory = told(
        claim(1), attempt("1.1", parcel(columns([1, 2], thread=7, rank=3))), doubt, attempt("1.2", parcel(columns([4])))
    )
    memory.forget(1000.0 + 8 * DAY)
    assert memory.ended(command_id(1)) == digest(1)
    assert memory.tries(command_id(2)) == 1
    memory.forget(1000.0 + 10 * DAY)
    assert memory.ended(command_id(1)) is None
    assert memory.attempted(7) is None
    assert (memory.tries(command_id(2)), memory.doubtful(command_id(2))) == (0, None)
    assert not memory.open_attempts


def test_the_past_is_bounded() -> None:
    memory, log = Memory(8 * DAY), Log()
    memory.apply(log.entry(claim(1)))
    for number in range(1500):
        memory.apply(log.entry(attempt(f"1.{number}", parcel(columns([number])))))
        memory.apply(log.entry(landing(f"1.{number}", outcome="delivered")))
    assert len(memory.past(0.0)) == 512


class MemoryAgainstPlainDicts(RuleBasedStateMachine):
    """Any log, by owners that may be stale, against dictionaries that are kept as the design's words say."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(8 * DAY)
        self.log = Log()
        self.epoch = 0
        self.attempts = 0
        self.written: dict[str, list[int]] = {}
        self.open: dict[str, list[int]] = {}
        self.ended: set[int] = set()
        self.ranks: dict[int, int] = {}
        self.doubts: dict[int, int] = {}
        self.tries: dict[int, int] = {}

    @initialize()
    def first_claim(self) -> None:
        self.claim(1)

    @rule(above=st.integers(-1, 2))
    def claim(self, above: int) -> None:
        epoch = max(1, self.epoch + above)
        self.memory.apply(self.log.entry(claim(epoch, f"member-{epoch}")))
        self.epoch = max(self.epoch, epoch)

    @rule(
        behind=st.sampled_from([0, 0, 0, 1]), numbers=st.lists(st.integers(0, 11), min_size=1, max_size=4, unique=True),
        thread=st.sampled_from([None, 1, 2]), rank=st.integers(-2, 5), twice=st.booleans(),
    )  # fmt: skip
    def attempt(self, behind: int, numbers: list[int], thread: int | None, rank: int, twice: bool) -> None:
        self.attempts += 1
        name = f"{self.epoch - behind}.{self.attempts}"
        record = attempt(name, parcel(columns(numbers, thread, rank)))
        for _ in range(2 if twice else 1):
            self.memory.apply(self.log.entry(record))
        self.written[name] = numbers
        if not behind:
            self.open[name] = numbers
            if thread is not None:
                self.ranks[thread] = max(rank, self.ranks.get(thread, rank))

    @precondition(lambda self: self.written)
    @rule(data=st.data(), tried=st.booleans(), ends=st.booleans())
    def land(self, data: st.DataObject, tried: bool, ends: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.written)))
        numbers = self.written[name]
        results = [data.draw(st.sampled_from(["delivered", None])) if ends else None for _ in numbers]
        doubtful = [number for number, end in zip(numbers, results, strict=True) if end is None and number % 2]
        doubts = [command_id(number).hex() for number in doubtful]
        epoch = int(name.split(".")[0])
        record = landing(name, epoch=epoch, verdict="mixed", tried=tried, outcomes=results, doubtful=doubts)
        self.memory.apply(self.log.entry(record))
        if self.open.pop(name, None) is None:
            return
        for number, end in zip(numbers, results, strict=True):
            if end is not None:
                self.end(number)
            elif tried and number not in self.ended:
                self.tries[number] = self.tries.get(number, 0) + 1
        for number in doubtful:
            if number not in self.ended:
                self.doubts[number] = self.doubts.get(number, 0) + 1

    def end(self, number: int) -> None:
        self.ended.add(number)
        self.doubts.pop(number, None)
        self.tries.pop(number, None)

    @rule(numbers=st.lists(st.integers(0, 11), max_size=3))
    def end_without_a_request(self, numbers: list[int]) -> None:
        self.memory.apply(self.log.entry(outcomes(self.epoch, numbers)))
        for number in numbers:
            self.end(number)

    @invariant()
    def agrees(self) -> None:
        memory = self.memory
        assert memory.epoch == self.epoch
        assert set(memory.open_attempts) == set(self.open)
        assert {number for number in range(12) if memory.ended(command_id(number)) == digest(number)} == self.ended
        assert {thread: memory.attempted(thread) for thread in self.ranks} == self.ranks
        for number in range(12):
            doubtful = memory.doubtful(command_id(number))
            assert (doubtful.count if doubtful else 0) == self.doubts.get(number, 0)
            assert memory.tries(command_id(number)) == self.tries.get(number, 0)


TestMemoryAgainstPlainDicts = MemoryAgainstPlainDicts.TestCase
TestMemoryAgainstPlainDicts.settings = settings(max_examples=60, stateful_step_count=30)
