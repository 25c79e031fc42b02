"""Parked commands: whole in the journal, and whole again when they are read back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.memory import Memory
from consumer.core.model import Command, Message, OnUnsure, Position, Priority, Quiet, Terms
from consumer.core.parking import BYTES_PER_RECORD, Parking, Sleeper, parked_records, sleepers_of
from consumer.core.ports import Entry, Unreadable
from consumer.streams.codec import decoded, encoded
from schemas.journal import Claim, Outcomes, Parked

NIGHT = Quiet(1320, 540, "Europe/Moscow")


def sleeper(number: int, *, thread: int | None = None, text: str = "готов", until: float = 2000.0) -> Sleeper:
    command = Command(
        id=number.to_bytes(12),
        digest=number.to_bytes(4),
        terms=Terms("bonus", Priority.LOW, 7200.0, OnUnsure.STOP, (True, False), marketing=True),
        recipient=f"customer-{number}",
        wordings=(Message("Бонусы", text, "ducky://x"), Message("Бонусы", "")),
        thread=thread,
        rank=-number,
        arrived=1000.25,
        deadline=9000.5,
        quiet=NIGHT,
    )
    return Sleeper(command, until, (Position("shop.bonuses", 3, number),))


def through_the_journal(record: Parked) -> Parked:
    read = decoded(encoded(record))
    assert isinstance(read, Parked)
    return read


def read_back(sleepers: list[Sleeper]) -> list[Sleeper]:
    records = [through_the_journal(record) for record, _ in parked_records(sleepers, 1, "quiet_hours")]
    return [each for record in records for each in sleepers_of(record)]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def sleepers(draw: st.DrawFn) -> Sleeper:
    message = st.builds(Message, texts, texts, st.none() | texts, st.none() | texts)
    terms = st.builds(
        Terms, texts, st.sampled_from(Priority), st.floats(1, 1e6), st.sampled_from(OnUnsure),
        st.lists(st.booleans(), max_size=3).map(tuple), st.booleans(), st.booleans(),
    )  # fmt: skip
    quiet = st.builds(Quiet, st.integers(0, 1439), st.integers(0, 1439), st.just("UTC"), st.booleans())
    command = Command(
        draw(st.binary(min_size=12, max_size=12)),
        draw(st.binary(min_size=4, max_size=4)),
        draw(terms),
        draw(texts),
        draw(st.lists(message, min_size=1, max_size=3).map(tuple)),
        draw(st.none() | st.integers(0, 2**64 - 1)),
        draw(st.integers(-(2**62), 2**62)),
        draw(st.floats(0, 2e9)),
        draw(st.floats(0, 2e9)),
        quiet=draw(st.none() | quiet),
    )
    return Sleeper(command, draw(st.floats(0, 2e9)), draw(st.sampled_from([(), (Position("t", 0, 7),)])))


@given(st.lists(sleepers(), max_size=6))
def test_what_is_read_back_is_what_was_written(written: list[Sleeper]) -> None:
    assert read_back(written) == written


def test_the_topic_and_all_positions_but_the_first_are_left_behind() -> None:
    one = sleeper(1)
    command = replace(one.command, source="shop.bonuses")
    several = Sleeper(command, one.until, (*one.positions, Position("shop.bonuses", 0, 1)))
    assert read_back([several]) == [one]


def test_many_share_their_texts_and_long_texts_make_more_records() -> None:
    alike = list(parked_records([sleeper(number) for number in range(1000)], 1, "quiet_hours"))
    assert len(alike) == 3
    own = [sleeper(number, text=f"{number} " + "я" * 2000) for number in range(1000)]
    records = list(parked_records(own, 1, "quiet_hours"))
    assert len(records) > 15
    assert [each for _, group in records for each in group] == own
    assert all(len(encoded(record)) < 1.2 * BYTES_PER_RECORD for record, _ in records)


@pytest.mark.parametrize(
    "change",
    [{"term": [1]}, {"rung": [-1]}, {"quiet": [5]}, {"until": []}, {"term": [0, 0]}],
)
def test_columns_that_do_not_fit_together_are_unreadable(change: dict[str, Any]) -> None:
    ((record, _),) = parked_records([sleeper(1)], 1, "quiet_hours")
    with pytest.raises(ValueError, match=r"tables|shorter|longer"):
        sleepers_of(replace(record, **change))


def test_a_reader_of_an_older_version_passes_over_a_kind_that_it_does_not_know() -> None:
    assert isinstance(decoded(b'{"kind": "folded", "epoch": 1}'), Unreadable)


@pytest.mark.parametrize("never", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_deadline_that_never_comes_is_unreadable(never: bytes) -> None:
    """Nobody writes one: what waits for it would be told apart from itself, and could never be taken out again."""
    (parked, _), *_ = parked_records([sleeper(1)], 1, "quiet_hours")
    for moment in (b"2000.0", b"9000.5"):
        assert encoded(parked).count(moment) == 1
        assert isinstance(decoded(encoded(parked).replace(moment, never)), Unreadable)


# --- the place itself -------------------------------------------------------------------------------------------------


def test_parking_knows_threads_and_weights_and_forgets_what_left() -> None:
    parking = Parking()
    for each in (sleeper(1, thread=7), sleeper(2, thread=7), sleeper(3)):
        parking.put(each)
    parking.put(sleeper(1, thread=7, until=3000.0))
    assert len(parking) == 3
    assert sorted(each.until for each in parking.of_thread(7)) == [2000.0, 3000.0]
    assert parking.bytes > 0
    for number in (1, 2, 3):
        assert parking.pop(number.to_bytes(12)) is not None
    assert parking.pop(b"nobody") is None
    assert (len(parking), parking.bytes, parking.of_thread(7)) == (0, 0, ())
    parking.put(sleeper(4))
    parking.clear()
    assert (list(parking), parking.bytes) == ([], 0)


# --- the memory -------------------------------------------------------------------------------------------------------


class Log:
    def __init__(self) -> None:
        self.memory = Memory(86_400.0)
        self.offset = 0

    def write(self, record: Claim | Outcomes | Parked) -> None:
        self.memory.apply(Entry(self.offset, 1000.0, record))
        self.offset += 1

    def park(self, *each: Sleeper, epoch: int = 1) -> None:
        for record, _ in parked_records(each, epoch, "quiet_hours"):
            self.write(record)


def ended(each: Sleeper) -> Outcomes:
    command = each.command
    return Outcomes(
        epoch=1, outcome="superseded", ids=[command.id.hex()], digests=[command.digest.hex()], routes=["bonus"]
    )


def test_the_memory_keeps_what_is_parked_until_it_ends() -> None:
    log = Log()
    log.park(sleeper(1), sleeper(2))
    log.park(sleeper(1, until=5000.0))
    assert [each.until for each in log.memory.parked] == [2000.0, 5000.0]
    log.write(ended(sleeper(2)))
    assert [each.command.id for each in log.memory.parked] == [sleeper(1).command.id]


def test_what_had_ended_before_its_record_is_not_parked() -> None:
    log = Log()
    log.write(ended(sleeper(1)))
    log.park(sleeper(1))
    assert len(log.memory.parked) == 0


def test_a_dead_owner_parks_nothing() -> None:
    log = Log()
    log.write(Claim(epoch=2, member="b"))
    log.park(sleeper(1), epoch=1)
    assert len(log.memory.parked) == 0
    log.park(sleeper(1), epoch=2)
    assert len(log.memory.parked) == 1
