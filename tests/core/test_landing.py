"""From verdicts to landings."""

from dataclasses import replace

import pytest

from consumer.core.attempts import OpenAttempt
from consumer.core.bisection import Refusal
from consumer.core.landing import COMMANDS_PER_PART, attempt_records, land, lost, unknown_routes, withdrawn
from consumer.core.memory import Memory
from consumer.core.model import (
    Batch,
    Blocked,
    Command,
    Deferred,
    Delivered,
    Message,
    OnUnsure,
    Outcome,
    Parcel,
    Position,
    Quiet,
    Refused,
    Terms,
    Unsure,
    Verdict,
)
from consumer.core.ports import Entry
from consumer.streams.codec import decoded, encoded
from schemas.journal import Attempt, Claim, Landing

MESSAGE = Message("Заказ", "готов", "shop://orders/1")


def commands(count: int, on_unsure: OnUnsure = OnUnsure.REPEAT) -> tuple[Command, ...]:
    terms = Terms("route", on_unsure=on_unsure)
    night = Quiet(1320, 480, "Europe/Moscow") if count % 2 else None
    return tuple(
        Command(n.to_bytes(12), b"1234", terms, f"u{n}", (MESSAGE,), n or None, n, 1e3, 2e3, "orders", quiet=night)
        for n in range(count)
    )


def batch(count: int, on_unsure: OnUnsure = OnUnsure.REPEAT, number: int = 1) -> Batch:
    return Batch(f"1.{number}", 1, (Parcel(MESSAGE, 0, commands(count, on_unsure)),))


def memory_of(*records: Claim | Attempt | Landing) -> Memory:
    memory = Memory(86_400.0)
    for offset, record in enumerate(records):
        memory.apply(Entry(offset, 1000.0, record))
    return memory


def test_a_batch_tells_everybody_once_and_names_the_routes_that_count_for_caps() -> None:
    one, other = commands(2)
    news = replace(one, id=b"n" * 12, terms=replace(one.terms, route="news", marketing=True))
    told = Batch("1.1", 1, (Parcel(MESSAGE, 0, (one, other)), Parcel(MESSAGE, 1, (news,))))
    assert (told.commands, told.recipients, told.marketing) == (
        (one, other, news),
        frozenset({"u0", "u1"}),
        frozenset({"news"}),
    )
    assert batch(3).marketing == frozenset()


def test_an_attempt_reads_back_as_it_was_written_whatever_its_size() -> None:
    big = batch(2 * COMMANDS_PER_PART + 1)
    places = {command.id: [Position("orders", 1, command.rank)] for command in big.commands}
    records = attempt_records(big, places)
    assert [(record.part, record.parts) for record in records] == [(1, 3), (2, 3), (3, 3)]
    read = [decoded(encoded(record)) for record in records]
    memory = memory_of(Claim(epoch=1, member="me"), *(record for record in read if isinstance(record, Attempt)))
    attempt = memory.open_attempts["1.1"]
    assert [row.id for row in attempt.commands] == [command.id for command in big.commands]
    assert [row.thread for row in attempt.commands] == [command.thread for command in big.commands]
    assert attempt.commands[5].positions == [("orders", 1, 5)]
    assert {row.quiet for row in attempt.commands} == {Quiet(1320, 480, "Europe/Moscow")}
    assert attempt.parcels[0].message == MESSAGE


@pytest.mark.parametrize("count", [1, COMMANDS_PER_PART, COMMANDS_PER_PART + 1])
def test_parcels_that_say_the_same_read_back_apart_as_they_were_sent(count: int) -> None:
    everybody = commands(2 * count)
    parcels = (Parcel(MESSAGE, 0, everybody[:count]), Parcel(MESSAGE, 0, everybody[count:]))
    memory = memory_of(Claim(epoch=1, member="me"), *attempt_records(Batch("1.1", 1, parcels), {}))
    read = memory.open_attempts["1.1"].parcels
    assert [list(parcel.commands.ids) for parcel in read] == [[c.id for c in parcel.commands] for parcel in parcels]


def test_small_parcels_share_a_part() -> None:
    parcels = tuple(Parcel(Message("t", f"{n}"), 1, commands(3)) for n in range(50))
    (record,) = attempt_records(Batch("1.1", 1, parcels), {})
    assert len(record.parcels) == 50


@pytest.mark.parametrize(
    ("verdict", "outcome", "name"),
    [
        (Delivered(), Outcome.DELIVERED, "delivered"),
        (Deferred("rate", limit=True), None, "deferred"),
        (Blocked("key"), None, "blocked"),
        (Unsure("502"), None, "unsure"),
        (Refused("unsubscribed", letter=False), Outcome.REFUSED, "refused"),
    ],
)
def test_one_verdict_is_everybodys(verdict: Verdict, outcome: Outcome | None, name: str) -> None:
    landed = land(batch(3), (verdict,), Memory(86_400.0))
    assert landed.outcomes == (outcome,) * 3
    assert landed.record.verdict == name
    assert landed.record.outcome == (outcome.value if outcome else None)
    assert landed.record.outcomes is None
    assert not landed.letters


def test_a_whole_refused_batch_is_taken_apart_and_a_single_refused_command_gets_a_letter() -> None:
    assert land(batch(2), (Refused("bad"),), Memory(1.0)).refused == Refusal(batch(2).parcels, Refused("bad"))
    landed = land(batch(1), (Refused("bad", "why"),), Memory(1.0))
    assert landed.refused is None
    assert landed.outcomes == (Outcome.REFUSED,)
    assert [(command.recipient, refused.reason) for command, refused in landed.letters] == [("u0", "bad")]


def test_each_may_have_a_verdict_of_its_own() -> None:
    verdicts = (Delivered(), Refused("bad"), Deferred("later"), Unsure("lost"))
    landed = land(batch(4), verdicts, Memory(86_400.0))
    assert landed.outcomes == (Outcome.DELIVERED, Outcome.REFUSED, None, None)
    assert landed.record.verdict == "mixed"
    assert landed.record.outcomes == ["delivered", "refused", None, None]
    assert landed.record.doubtful == [commands(4)[3].id.hex()]
    assert len(landed.letters) == 1


def test_while_a_refusal_says_too_little_even_a_single_recipient_is_asked_again() -> None:
    landed = land(batch(1), (Refused("bad"),), Memory(1.0), suspect=True)
    assert (landed.outcomes, landed.letters) == ((None,), ())
    assert landed.refused == Refusal(batch(1).parcels, Refused("bad"))


def test_only_what_was_refused_as_one_goes_out_again_in_parts() -> None:
    first, second, third = (Parcel(Message("t", f"{n}"), 0, commands(6)[2 * n : 2 * n + 2]) for n in range(3))
    shared = Refused("odd", shared=True)
    verdicts = (Delivered(), Delivered(), shared, shared, shared, Refused("recipient"))
    landed = land(Batch("1.1", 1, (first, second, third)), verdicts, Memory(86_400.0))
    assert landed.refused == Refusal((second, third._replace(commands=third.commands[:1])), shared)
    assert landed.outcomes == (Outcome.DELIVERED, Outcome.DELIVERED, None, None, None, Outcome.REFUSED)
    assert [command.recipient for command, _ in landed.letters] == ["u5"]
    assert landed.record.outcomes == ["delivered", "delivered", None, None, None, "refused"]


def test_another_number_of_verdicts_is_a_bug_of_the_sink() -> None:
    with pytest.raises(ValueError, match="2 verdicts for 3 commands"):
        land(batch(3), (Delivered(), Delivered()), Memory(1.0))


def test_an_answer_that_is_allowed_three_times_refuses_at_the_third() -> None:
    deferred = (Deferred("failed", at_most=3),)
    records: list[Claim | Attempt | Landing] = [Claim(epoch=1, member="me")]
    for number in range(1, 4):
        one = batch(1, number=number)
        records.extend(attempt_records(one, {}))
        landed = land(one, deferred, memory_of(*records))
        records.append(landed.record)
        assert landed.outcomes == ((Outcome.REFUSED,) if number == 3 else (None,))
    assert landed.letters[0][1].detail == "answered so 3 times"


def test_a_stop_route_ends_as_unknown_at_its_first_doubt_and_a_repeat_route_at_its_second() -> None:
    stopped = land(batch(2, OnUnsure.STOP), (Unsure("502"),), Memory(86_400.0))
    assert stopped.outcomes == (Outcome.UNKNOWN,) * 2
    first = land(batch(1), (Unsure("502"),), Memory(86_400.0))
    memory = memory_of(Claim(epoch=1, member="me"), *attempt_records(batch(1), {}), first.record)
    assert first.outcomes == (None,)
    assert land(batch(1, number=2), (Unsure("502"),), memory).outcomes == (Outcome.UNKNOWN,)


def test_a_withdrawn_attempt_lands_and_everybody_waits_again() -> None:
    landed = withdrawn(batch(2), "expired")
    assert landed.outcomes == (None, None)
    assert (landed.record.verdict, landed.record.reason) == ("withdrawn", "expired")


def open_attempt(on_unsure: OnUnsure, *before: Claim | Attempt | Landing) -> tuple[OpenAttempt, Memory]:
    memory = memory_of(Claim(epoch=1, member="other"), *before, *attempt_records(batch(3, on_unsure, 9), {}))
    return memory.open_attempts["1.9"], memory


def test_an_attempt_of_a_dead_owner_is_doubtful_or_unknown_as_its_route_wants() -> None:
    record = lost(*reversed_args(open_attempt(OnUnsure.STOP)))
    assert (record.outcome, record.outcomes, record.doubtful) == ("unknown", None, [])
    attempt, memory = open_attempt(OnUnsure.REPEAT)
    record = lost(attempt, 2, memory)
    assert (record.outcome, record.outcomes) == (None, [None, None, None])
    assert len(record.doubtful) == 3
    assert unknown_routes(attempt, record) == {}


def reversed_args(pair: tuple[OpenAttempt, Memory]) -> tuple[OpenAttempt, int, Memory]:
    return pair[0], 2, pair[1]


def test_what_was_in_doubt_before_is_unknown_when_its_owner_dies() -> None:
    doubted = land(batch(1), (Unsure("502"),), Memory(86_400.0))
    attempt, memory = open_attempt(OnUnsure.REPEAT, *attempt_records(batch(1), {}), doubted.record)
    record = lost(attempt, 2, memory)
    assert record.outcomes == ["unknown", None, None]
    assert unknown_routes(attempt, record) == {"route": 1}
