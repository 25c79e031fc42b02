"""The judge of the rows with real processes sees what it is there to see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from consumer.core.columns import columns_of
from consumer.core.model import (
    Command,
    Message,
    OnUnsure,
    Plan,
    Planned,
    Position,
    Quota,
    Rejected,
    Rejection,
    Terms,
)
from consumer.demo.evidence import Evidence, LaneEvidence, Letter, Sent
from consumer.demo.fakes_base import Delivery, FakeProvider
from schemas.journal import AnyRecord, Attempt, AttemptParcel, Claim, Landing, Outcomes, SentMessage
from tests.chaos.ledger import Ledger, judged
from tests.chaos.rows_processes_records import spoil

PAID, ACCRUED = Terms("paid", on_unsure=OnUnsure.REPEAT), Terms("accrued", on_unsure=OnUnsure.STOP)


def command(number: int, terms: Terms = PAID, *, thread: int | None = None, rank: int = 0) -> Command:
    text = f"text {number}"
    return Command(bytes([number] * 12), b"1234", terms, "100", (Message("t", text, None),), thread, rank, 0.0, 9e9)


def ended(*commands: Command, outcome: Any = "delivered") -> Outcomes:
    ids = [each.id.hex() for each in commands]
    digests, routes = ["31323334"] * len(ids), [each.terms.route for each in commands]
    return Outcomes(epoch=1, outcome=outcome, reason="", ids=ids, digests=digests, routes=routes)


def attempt(name: str, *commands: Command) -> Attempt:
    columns = columns_of(commands, [()] * len(commands))
    parcel = AttemptParcel(message=SentMessage(title="t", text="text"), wording=0, commands=columns)
    return Attempt(id=name, epoch=1, parcels=[parcel])


def judge(
    commands: tuple[Command, ...],
    shown: Mapping[int, list[float]],
    journal: list[AnyRecord],
    more: Mapping[Position, Plan] | None = None,
    letters: tuple[Letter, ...] = (),
) -> Ledger:
    """One lane; `shown` says when each command's text was shown."""
    plans = {Position("orders", 0, n): Planned("order.paid", (each,)) for n, each in enumerate(commands)}
    whole: dict[Position, Plan] = {**plans, **(more or {})}
    fake = FakeProvider()
    fake.deliveries = [
        Delivery("100", Message("t", f"text {number}", None), at) for number, times in shown.items() for at in times
    ]
    lane = LaneEvidence(Quota(10, 60.0), whole, {}, journal, [], 0, 0)
    sent = [Sent(position, 0.0) for position in whole]
    return judged(Evidence(0.0, sent, {"app": lane}, letters), {"app": fake})


def test_all_is_well_where_everybody_was_told_once() -> None:
    one, two = command(1), command(2, ACCRUED)
    found = judge((one, two), {1: [1.0], 2: [2.0]}, [Claim(epoch=1, member="a"), ended(one, two)])
    assert found.clean
    assert (found.planned, found.delivered) == (2, 2)


def test_what_is_called_delivered_and_was_seen_by_nobody_is_lost() -> None:
    one = command(1)
    assert judge((one,), {}, [ended(one)]).lost == 1


def test_what_has_no_end_waits_and_what_expired_is_lost() -> None:
    one, two = command(1), command(2)
    found = judge((one, two), {}, [ended(two, outcome="expired")])
    assert (found.waiting, found.lost, found.kept) == (1, 1, False)


def test_a_record_that_no_plan_knows_is_lost() -> None:
    fake = FakeProvider()
    lane = LaneEvidence(Quota(10, 60.0), {}, {}, [], [], 0, 0)
    evidence = Evidence(0.0, [Sent(Position("orders", 0, 7), 0.0)], {"app": lane}, ())
    assert judged(evidence, {"app": fake}).lost == 1


def test_a_second_telling_needs_a_request_in_flight() -> None:
    one = command(1)
    journal: list[AnyRecord] = [Claim(epoch=1, member="a"), attempt("1.1", one)]
    after: list[AnyRecord] = [Claim(epoch=2, member="b"), ended(one)]
    assert not judge((one,), {1: [1.0, 2.0]}, [ended(one)]).kept
    found = judge((one,), {1: [1.0, 2.0]}, [*journal, *after])
    assert (found.duplicates, found.in_flight, found.kept) == (1, 1, True)


def test_a_claim_of_its_own_puts_nothing_in_doubt() -> None:
    one = command(1)
    landing = Landing(attempt="1.1", epoch=1, verdict="delivered", outcome="delivered")
    journal: list[AnyRecord] = [Claim(epoch=1, member="a"), attempt("1.1", one), Claim(epoch=2, member="a"), landing]
    assert judge((one,), {1: [1.0]}, journal).in_flight == 0


def test_a_stop_route_is_never_told_twice() -> None:
    one = command(1, ACCRUED)
    journal: list[AnyRecord] = [Claim(epoch=1, member="a"), attempt("1.1", one), Claim(epoch=2, member="b"), ended(one)]
    found = judge((one,), {1: [1.0, 2.0]}, journal)
    assert (found.stop_duplicates, found.kept) == (1, False)


def test_a_step_that_is_told_after_a_later_one_goes_backwards() -> None:
    steps = (command(1, thread=5, rank=1), command(2, thread=5, rank=2))
    assert judge(steps, {1: [1.0], 2: [2.0]}, [ended(*steps)]).backwards == 0
    assert judge(steps, {1: [2.0], 2: [1.0]}, [ended(*steps)]).backwards == 1


def test_a_rejected_record_wants_its_letter() -> None:
    at = Position("orders", 0, 9)
    plan: dict[Position, Plan] = {at: Rejected(Rejection("orders-0-9", "invalid_json"))}
    assert judge((), {}, [], plan).letters_missing == 1
    letters = (Letter("orders-0-9", "app", at), Letter("orders-0-9", "app", at))
    found = judge((), {}, [], plan, letters)
    assert (found.letters_missing, found.copies) == (0, 2)


def test_a_spoilt_byte_lies_within_the_batch_of_its_offset(tmp_path: Path) -> None:
    def batch(base: int) -> bytes:
        payload = bytes(20)
        return base.to_bytes(8, "big") + (49 + len(payload)).to_bytes(4, "big") + bytes(49) + payload

    log = tmp_path / "00000000000000000000.log"
    log.write_bytes(batch(0) + batch(1))
    spoil(log, 1)
    assert log.read_bytes()[: len(batch(0))] == batch(0)
    assert log.read_bytes()[len(batch(0)) :].count(0xFF) == 1
    with pytest.raises(ValueError, match="offset 5"):
        spoil(log, 5)
