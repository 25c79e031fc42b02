"""Read from the outside, a journal says of each command how it ended first."""

from typing import Any

import pytest

from consumer.core.hindsight import FirstEnd, Hindsight
from consumer.core.model import Outcome
from schemas.journal import Claim, Landing
from tests.core.journal import Log, attempt, columns, command_id, digest, outcomes, parcel

DAY = 86_400.0


def read(*records: Claim | Landing | object) -> Hindsight:
    hindsight, log = Hindsight(8 * DAY), Log()
    for record in records:
        hindsight.apply(log.entry(record))  # type: ignore[arg-type]
    return hindsight


def landing(name: str, **fields: Any) -> Landing:
    return Landing(**{"attempt": name, "epoch": 1, "verdict": "delivered", **fields})


def end(hindsight: Hindsight, number: int) -> Outcome | None:
    found = hindsight.end_of(command_id(number), digest(number))
    return None if found is None else found.outcome


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_short_landing_says_how_all_its_commands_ended(outcome: Outcome) -> None:
    hindsight = read(
        Claim(epoch=1, member="a"), attempt("1.1", parcel(columns([1, 2]))), landing("1.1", outcome=outcome)
    )
    assert [end(hindsight, number) for number in (1, 2, 3)] == [outcome, outcome, None]


def test_a_long_one_says_it_of_each() -> None:
    ends = ["delivered", None, "refused"]
    hindsight = read(
        Claim(epoch=1, member="a"), attempt("1.1", parcel(columns([1, 2, 3]))), landing("1.1", outcomes=ends)
    )
    assert [end(hindsight, number) for number in (1, 2, 3)] == [Outcome.DELIVERED, None, Outcome.REFUSED]


def test_the_first_end_wins() -> None:
    hindsight = read(outcomes(1, [1]), attempt("1.1", parcel(columns([1, 2]))), landing("1.1", outcome="delivered"))
    assert [end(hindsight, number) for number in (1, 2)] == [Outcome.EXPIRED, Outcome.DELIVERED]


def test_a_landing_without_its_attempt_says_nothing() -> None:
    hindsight = read(landing("1.1", outcome="delivered"), landing("1.2", outcomes=["delivered"]), outcomes(1, [4]))
    assert [end(hindsight, number) for number in (1, 4)] == [None, Outcome.EXPIRED]


def test_another_payload_under_the_same_id_is_seen() -> None:
    hindsight = read(outcomes(1, [1]))
    assert hindsight.end_of(command_id(1), digest(1)) == FirstEnd(Outcome.EXPIRED, alike=True)
    for other in (b"\xff" + digest(1)[1:], digest(1)[:3] + bytes((digest(1)[3] ^ 0x10,))):
        assert hindsight.end_of(command_id(1), other) == FirstEnd(Outcome.EXPIRED, alike=False)
