"""The report: that it tells the truth about good runs and finds what was really lost or doubled."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from consumer.core.columns import columns_of
from consumer.core.model import (
    Command,
    Ignored,
    Message,
    Plan,
    Planned,
    Position,
    Quota,
    Rejected,
    Rejection,
    Terms,
    TopicPartition,
)
from consumer.demo.evidence import Evidence, LaneEvidence, Letter, Sent, Telling
from consumer.demo.report import Findings, examine
from schemas.journal import (
    AnyRecord,
    Attempt,
    AttemptParcel,
    Claim,
    Landing,
    OutcomeName,
    Outcomes,
    SentMessage,
    VerdictName,
)

KEYS = {
    "published", "poisoned", "planned", "outcomes", "waiting", "requests", "recipients", "worst_window", "quota",
    "lost", "duplicates", "dead_letters", "seconds_to_first_push", "delivery_seconds",
}  # fmt: skip
TOPIC = TopicPartition("shop.orders", 0)


def at(offset: int) -> Position:
    return Position("shop.orders", 0, offset)


def command(number: int, recipient: str = "") -> Command:
    return Command(
        id=number.to_bytes(12, "big"),
        digest=b"dddd",
        terms=Terms("order-paid"),
        recipient=recipient or f"c{number}",
        wordings=(Message("Оплачен", "Заказ оплачен"),),
        thread=None,
        rank=1,
        arrived=0.0,
        deadline=100.0,
    )


def planned(*commands: Command, rejections: tuple[Rejection, ...] = ()) -> Planned:
    return Planned("order.paid", commands, (), rejections)


def attempt(id_: str, *commands: Command, part: int = 1, parts: int = 1) -> Attempt:
    columns = columns_of(commands, [()] * len(commands))
    parcel = AttemptParcel(message=SentMessage(title="Оплачен", text="Заказ\nоплачен"), wording=0, commands=columns)
    return Attempt(id=id_, epoch=1, parcels=[parcel], part=part, parts=parts)


def landing(id_: str, outcome: OutcomeName | None = "delivered") -> Landing:
    verdict: VerdictName = "delivered" if outcome == "delivered" else "deferred"
    return Landing(attempt=id_, epoch=1, verdict=verdict, outcome=outcome)


def telling(second: float, *commands: Command) -> Telling:
    return Telling(second, tuple(c.recipient for c in commands), "Оплачен Заказ оплачен")


def lane(
    plans: dict[Position, Plan], journal: Sequence[AnyRecord], tellings: Sequence[Telling], committed: int
) -> LaneEvidence:
    return LaneEvidence(Quota(10, 60.0), plans, {TOPIC: committed}, journal, tellings, len(tellings), len(tellings))


def findings(of_lane: LaneEvidence, sent: Sequence[Sent], letters: Sequence[Letter] = ()) -> Findings:
    return examine(Evidence(started=0.0, sent=sent, lanes={"app-push": of_lane}, letters=letters))


ONE, TWO = command(1), command(2)
GOOD = lane(
    {at(0): planned(ONE), at(1): planned(TWO)},
    [Claim(epoch=1, member="m"), attempt("1.1", ONE, TWO), landing("1.1")],
    [telling(3.0, ONE, TWO)],
    committed=2,
)
SENT = [Sent(at(0), 1.0), Sent(at(1), 2.0)]


def test_a_good_run_has_nothing_to_complain_about_and_exactly_the_promised_keys() -> None:
    found = findings(GOOD, SENT)
    assert found.faults == ()
    assert set(found.report.model_dump()) == KEYS
    assert found.report.model_dump() == {
        "published": 2,
        "poisoned": 0,
        "planned": 2,
        "outcomes": {"delivered": 2},
        "waiting": 0,
        "requests": {"app-push": 1},
        "recipients": {"app-push": 2},
        "worst_window": {"app-push": 1},
        "quota": {"app-push": 10},
        "lost": 0,
        "duplicates": 0,
        "dead_letters": 0,
        "seconds_to_first_push": 3.0,
        "delivery_seconds": {"p50": 1.0, "p95": 2.0, "p99": 2.0},
    }


def test_a_committed_command_without_an_outcome_is_lost() -> None:
    found = findings(replace(GOOD, journal=[], tellings=[]), SENT)
    assert found.report.lost == 2
    assert found.report.waiting == 0
    assert any("lost" in fault for fault in found.faults)


def test_a_command_without_an_outcome_at_an_uncommitted_offset_waits() -> None:
    found = findings(replace(GOOD, journal=[], tellings=[], committed={TOPIC: 1}), SENT)
    assert (found.report.lost, found.report.waiting) == (1, 1)
    nothing_committed = findings(replace(GOOD, journal=[], tellings=[], committed={TOPIC: None}), SENT)
    assert (nothing_committed.report.lost, nothing_committed.report.waiting) == (0, 2)


def test_what_the_journal_calls_delivered_and_nobody_saw_is_lost() -> None:
    assert findings(replace(GOOD, tellings=[]), SENT).report.lost == 2


def test_a_second_request_of_one_attempt_is_a_duplicate_for_each_of_its_recipients() -> None:
    found = findings(replace(GOOD, tellings=[telling(3.0, ONE, TWO), telling(4.0, ONE, TWO)]), SENT)
    assert found.report.duplicates == 2
    assert any("twice" in fault for fault in found.faults)


def test_a_command_told_again_in_a_later_attempt_is_a_duplicate() -> None:
    journal: list[AnyRecord] = [attempt("1.1", ONE, TWO), landing("1.1"), attempt("2.1", ONE), landing("2.1")]
    found = findings(replace(GOOD, journal=journal, tellings=[telling(3.0, ONE, TWO), telling(9.0, ONE)]), SENT)
    assert found.report.duplicates == 1


def test_a_withdrawn_or_deferred_attempt_that_goes_out_later_is_no_duplicate() -> None:
    journal: list[AnyRecord] = [
        attempt("1.1", ONE, TWO),
        landing("1.1", None),
        attempt("1.2", ONE, TWO),
        landing("1.2"),
    ]
    found = findings(replace(GOOD, journal=journal), SENT)
    assert (found.report.duplicates, found.report.lost) == (0, 0)


def test_equal_words_for_one_recipient_about_two_orders_are_two_pushes_and_no_duplicate() -> None:
    again = command(2, recipient=ONE.recipient)
    evidence = replace(
        GOOD,
        plans={at(0): planned(ONE), at(1): planned(again)},
        journal=[attempt("1.1", ONE), landing("1.1"), attempt("1.2", again), landing("1.2")],
        tellings=[telling(3.0, ONE), telling(9.0, again)],
    )
    assert findings(evidence, SENT).report.duplicates == 0


def test_an_attempt_that_died_before_its_request_makes_no_duplicate_of_equal_words_later() -> None:
    """Commands 1 and 2 read alike; the first attempt of 1 was never sent."""
    again = command(2, recipient=ONE.recipient)
    lost = Landing(attempt="1.1", epoch=2, verdict="unsure", reason="owner_lost", doubtful=[ONE.id.hex()])
    journal: list[AnyRecord] = [attempt("1.1", ONE), lost, attempt("2.1", ONE), landing("2.1")]
    evidence = replace(
        GOOD,
        plans={at(0): planned(ONE), at(1): planned(again)},
        journal=[*journal, attempt("2.2", again), landing("2.2")],
        tellings=[telling(3.0, ONE), telling(9.0, again)],
    )
    assert (findings(evidence, SENT).report.duplicates, findings(evidence, SENT).report.lost) == (0, 0)
    sent_after_all = replace(evidence, tellings=[telling(1.0, ONE), *evidence.tellings])
    assert findings(sent_after_all, SENT).report.duplicates == 1


def test_two_commands_of_one_recipient_in_one_request_are_told_once_and_both_are_delivered() -> None:
    again = command(2, recipient=ONE.recipient)
    evidence = replace(
        GOOD,
        plans={at(0): planned(ONE), at(1): planned(again)},
        journal=[attempt("1.1", ONE, again), landing("1.1")],
        tellings=[telling(3.0, ONE)],
    )
    report = findings(evidence, SENT).report
    assert (report.lost, report.duplicates, report.recipients) == (0, 0, {"app-push": 1})


def test_a_push_that_no_attempt_accounts_for_counts_as_a_duplicate() -> None:
    stray = Telling(5.0, ("c9",), "Что-то другое")
    assert findings(replace(GOOD, tellings=[*GOOD.tellings, stray]), SENT).report.duplicates == 1


def test_a_repeated_record_is_published_twice_and_planned_once() -> None:
    evidence = replace(GOOD, plans={**GOOD.plans, at(2): planned(ONE)}, committed={TOPIC: 3})
    report = findings(evidence, [*SENT, Sent(at(2), 5.0)]).report
    assert (report.published, report.planned, report.lost, report.duplicates) == (3, 2, 0, 0)
    assert report.delivery_seconds.p99 == 2.0


def test_a_poisoned_record_must_be_in_the_dead_letters_with_its_position() -> None:
    evidence = replace(
        GOOD, plans={**GOOD.plans, at(2): Rejected(Rejection("x", "invalid_json"))}, committed={TOPIC: 3}
    )
    sent = [*SENT, Sent(at(2), 5.0, poison="cut_json")]
    missing = findings(evidence, sent)
    assert missing.report.lost == 1
    assert any("cut_json" in fault for fault in missing.faults)
    buried = findings(evidence, sent, [Letter("x", "app-push", at(2)), Letter("x", "app-push", at(2))])
    assert buried.faults == ()
    assert (buried.report.poisoned, buried.report.dead_letters) == (1, 1)


def test_a_letter_of_another_lane_does_not_excuse_this_one() -> None:
    plans: dict[Position, Plan] = {at(0): Rejected(Rejection("x", "invalid_json"))}
    evidence = replace(GOOD, plans=plans, journal=[], tellings=[], committed={TOPIC: 1})
    assert findings(evidence, [Sent(at(0), 1.0)], [Letter("x", "staff", at(0))]).report.lost == 1


def test_a_part_that_failed_needs_its_own_letter_beside_the_parts_that_went_well() -> None:
    plan = planned(ONE, rejections=(Rejection("r1", "render", "", "order-paid-staff"),))
    evidence = replace(GOOD, plans={**GOOD.plans, at(0): plan})
    assert findings(evidence, SENT).report.lost == 1
    assert findings(evidence, SENT, [Letter("r1", "app-push", at(0), "order-paid-staff")]).report.lost == 0


def test_what_no_lane_wants_is_not_lost_and_what_was_never_planned_is() -> None:
    ignored: dict[Position, Plan] = {at(0): Ignored("unknown_type")}
    evidence = replace(GOOD, plans=ignored, journal=[], tellings=[], committed={TOPIC: 2})
    assert findings(evidence, SENT[:1]).report.lost == 0
    assert findings(evidence, SENT).report.lost == 1


def test_the_first_outcome_in_the_log_wins_and_ends_without_a_request_count() -> None:
    ids = [ONE.id.hex(), TWO.id.hex()]
    expired = Outcomes(epoch=1, outcome="expired", ids=ids, digests=["00000000"] * 2, routes=["r"] * 2)
    found = findings(replace(GOOD, journal=[expired, *GOOD.journal]), SENT)
    assert found.report.outcomes == {"expired": 2}


def test_an_attempt_in_parts_is_one_request_and_a_part_written_twice_counts_once() -> None:
    first, second = attempt("1.1", ONE, part=1, parts=2), attempt("1.1", TWO, part=2, parts=2)
    found = findings(replace(GOOD, journal=[first, first, second, landing("1.1")]), SENT)
    assert found.faults == ()
    assert found.report.outcomes == {"delivered": 2}


def test_more_requests_in_a_window_than_the_quota_allows_is_a_fault() -> None:
    assert any("11 requests" in fault for fault in findings(replace(GOOD, worst_window=11), SENT).faults)


def test_an_outcome_of_a_command_that_nobody_planned_is_a_fault() -> None:
    stray = Outcomes(epoch=1, outcome="expired", ids=["aa" * 12], digests=["00000000"], routes=["r"])
    assert any("add up" in fault for fault in findings(replace(GOOD, journal=[*GOOD.journal, stray]), SENT).faults)


@pytest.mark.parametrize("count", [0, 1])
def test_percentiles_of_nothing_are_none_and_of_one_value_that_value(count: int) -> None:
    evidence = replace(
        GOOD,
        plans={at(0): planned(ONE)},
        journal=[attempt("1.1", ONE), landing("1.1")],
        tellings=[telling(4.0, ONE)][:count],
        committed={TOPIC: 0},
    )
    report = findings(evidence, SENT[:1]).report
    expected = 3.0 if count else None
    assert (report.delivery_seconds.p50, report.delivery_seconds.p99) == (expected, expected)
    assert report.seconds_to_first_push == (4.0 if count else None)
