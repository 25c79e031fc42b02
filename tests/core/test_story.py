"""What the journal tells of a command: its tries, its naps and its one end."""

from dataclasses import replace
from itertools import count

from consumer.core.model import Position
from consumer.core.ports import Entry, Unreadable
from consumer.core.story import Again, Asked, Chronicle, End, Life, Nap
from schemas.journal import (
    AnyRecord,
    Attempt,
    AttemptParcel,
    Claim,
    Columns,
    Landing,
    Outcomes,
    Parked,
    ParkedTerms,
    Repeat,
    SentMessage,
)
from tests.core.journal import alike

A, B, C = "a" * 24, "b" * 24, "c" * 24
HERE = Position("shop.orders", 0, 7)
PAID, READY = SentMessage(title="Paid", text="Thanks"), SentMessage(title="Ready", text="Come")


def columns(*ids: str, recipient: str = "c-1", place: Position = HERE) -> Columns:
    told = {"threads": "0" * 16, "ranks": 3, "arrived": 1.0, "deadlines": 90.0, "positions": [tuple(place)]}
    return alike(*ids, recipients=recipient, **told)


def attempt(commands: Columns, number: str = "1.1", part: int = 1, parts: int = 1) -> Attempt:
    parcel = AttemptParcel(message=PAID, wording=1, commands=commands)
    return Attempt(id=number, epoch=int(number[0]), parcels=[parcel], part=part, parts=parts)


def told(asked: Asked, *records: AnyRecord | Unreadable) -> Chronicle:
    """A second passes from record to record."""
    chronicle = Chronicle(asked)
    for offset, record in zip(count(), records, strict=False):
        chronicle.apply(Entry(offset, 100.0 + offset, record))
    return chronicle


def life(chronicle: Chronicle, id_: str = A) -> Life:
    return chronicle.lives[id_]


def test_a_delivered_command_has_its_owner_its_request_and_its_end() -> None:
    request = attempt(columns(A))
    request.parcels.append(AttemptParcel(message=READY, wording=0, commands=columns(B, recipient="c-2")))
    landing = Landing(attempt="1.1", epoch=1, verdict="delivered", outcome="delivered")
    chronicle = told(Asked({A}), Claim(epoch=1, member="host:1"), request, landing)
    (made,) = life(chronicle).tries
    assert (made.member, made.level, made.message, made.people, made.texts) == ("host:1", 1, PAID, 2, 2)
    assert (made.at, made.landed_at, made.verdict) == (101.0, 102.0, "delivered")
    assert life(chronicle).end == End(102.0, "delivered", "", "1.1")
    assert (life(chronicle).route, life(chronicle).positions) == ("order-paid", {HERE})
    assert set(chronicle.lives) == {A}
    assert (chronicle.epoch, chronicle.owner) == (1, "host:1")


def test_a_command_is_found_by_its_record_and_by_its_recipient_too() -> None:
    elsewhere = Position("shop.orders", 0, 8)
    records = (attempt(columns(A)), attempt(columns(B, recipient="c-2", place=elsewhere), "1.2"))
    assert set(told(Asked(positions={HERE}), *records).lives) == {A}
    assert set(told(Asked(recipients={"c-2"}), *records).lives) == {B}
    assert set(told(Asked(), *records).lives) == set()


def test_an_attempt_in_parts_is_one_request_even_where_a_part_stands_twice() -> None:
    first, second = attempt(columns(A), part=1, parts=2), attempt(columns(B, recipient="c-2"), part=2, parts=2)
    landing = Landing(attempt="1.1", epoch=1, verdict="mixed", reason="unknown", outcomes=[None, "refused"])
    chronicle = told(Asked({A, B}), first, first, second, landing)
    assert [len(life(chronicle, id_).tries) for id_ in (A, B)] == [1, 1]
    assert life(chronicle).tries[0].people == 2
    assert life(chronicle).end is None
    assert life(chronicle, B).end == End(103.0, "refused", "unknown", "1.1")


def test_who_had_the_lane_is_unknown_where_retention_has_taken_the_claim() -> None:
    records = (attempt(columns(A), "1.1"), Claim(epoch=2, member="b"), Claim(epoch=2, member="late"))
    chronicle = told(Asked({A}), *records, attempt(columns(A), "2.1"))
    assert [made.member for made in life(chronicle).tries] == ["", "b"]


def test_the_first_outcome_in_the_log_wins() -> None:
    ends = Outcomes(epoch=1, outcome="expired", reason="ttl", ids=[A, B], digests=["0" * 8] * 2, routes=["r", "r"])
    late = Landing(attempt="1.1", epoch=1, verdict="delivered", outcome="delivered")
    chronicle = told(Asked({A}), attempt(columns(A)), ends, late, late)
    assert life(chronicle).end == End(101.0, "expired", "ttl")
    assert life(chronicle).route == "order-paid"
    assert B not in chronicle.lives


def test_an_end_without_a_request_tells_at_least_the_route() -> None:
    ends = Outcomes(epoch=1, outcome="superseded", reason="newer", ids=[A], digests=["0" * 8], routes=["order-paid"])
    assert life(told(Asked({A}), ends)) == Life(A, "order-paid", end=End(100.0, "superseded", "newer"))


def test_a_command_that_was_found_by_its_record_ends_too() -> None:
    ends = Outcomes(epoch=1, outcome="expired", reason="ttl", ids=[A], digests=["0" * 8], routes=["order-paid"])
    withdrawn = Landing(attempt="1.1", epoch=1, verdict="withdrawn", reason="expired")
    chronicle = told(Asked(positions={HERE}), attempt(columns(A)), withdrawn, ends)
    assert life(chronicle).tries[0].verdict == "withdrawn"
    assert life(chronicle).end == End(102.0, "expired", "ttl")


def test_a_request_that_goes_out_again_is_told_with_its_try() -> None:
    lost = Repeat(attempt="1.1", epoch=1, sent=False, reason="timeout")
    stranger = Repeat(attempt="9.9", epoch=1, sent=True)
    chronicle = told(Asked({A}), attempt(columns(A)), lost, stranger, Repeat(attempt="1.1", epoch=1, sent=True))
    assert life(chronicle).tries[0].agains == [Again(101.0, False, "timeout"), Again(103.0, True, "")]
    assert life(chronicle).tries[0].landed_at is None


def test_an_earlier_owner_that_withdrew_what_was_repeated_says_nothing() -> None:
    claims, again = (
        [Claim(epoch=number, member=f"m{number}") for number in (1, 2)],
        Repeat(attempt="1.1", epoch=2, sent=True),
    )
    late = Landing(attempt="1.1", epoch=1, verdict="withdrawn", reason="paused")
    landing = Landing(attempt="1.1", epoch=2, verdict="delivered", outcome="delivered")
    chronicle = told(Asked({A}), claims[0], attempt(columns(A)), claims[1], again, late, landing)
    assert life(chronicle).tries[0].verdict == "delivered"
    assert life(chronicle).end == End(105.0, "delivered", "", "1.1")


def parked(commands: Columns) -> Parked:
    """Of two commands."""
    return Parked(
        epoch=1,
        reason="quiet_hours",
        terms=[ParkedTerms(route="order-paid", priority="low", deliver_within_seconds=60.0, on_unsure="stop")],
        ladders=[[PAID]],
        quiets=[],
        commands=commands,
        until=[900.0, 901.0],
        term=[0, 0],
        rung=[0, 0],
        quiet=[None, None],
    )


def test_a_parked_command_tells_until_when() -> None:
    chronicle = told(Asked({A}), parked(columns(A, B)))
    assert life(chronicle).naps == [Nap(100.0, 900.0, "quiet_hours")]
    assert set(chronicle.lives) == {A}


def test_what_nobody_can_read_tells_nothing() -> None:
    assert told(Asked({A}), Unreadable("tombstone"), attempt(columns(C))).lives == {}


def test_records_that_do_not_fit_together_tell_nothing() -> None:
    """A lane passes them over too."""
    uneven = columns(A, B)
    uneven.deadlines.clear()
    assert told(Asked({A}), Claim(epoch=1, member="host:1"), attempt(uneven), parked(uneven)).lives == {}
    assert told(Asked({A}), replace(parked(columns(A, B)), until=[900.0])).lives == {}
