"""Which dead letters go out again, and what would come of it."""

from hashlib import sha256

import pytest

from consumer.core.backfill import next_life
from consumer.core.model import (
    Command,
    Ended,
    Ignored,
    Message,
    Outcome,
    Plan,
    Planned,
    Position,
    Record,
    Rejected,
    Rejection,
    Terms,
)
from consumer.core.redrive import (
    FATES,
    Fate,
    Foreseen,
    Guard,
    Letter,
    LetterKey,
    Tally,
    Wanted,
    collapsed,
    foreseen,
    found,
    latest_lives,
    only,
    past_lives,
    tallied,
)
from consumer.core.redrive_advice import ADVICE, Whole
from schemas.dead_letter import DeadLetterHeaders, DeadReason

ID = bytes(range(12))


def letter(
    reason: DeadReason = DeadReason.RENDER, at: float = 100.0, value: bytes | None = b"{}", **head: object
) -> Letter:
    given = {"id": "a1", "lane": "app-push", "route": "order-paid", "topic": "shop.orders", "partition": 2, "offset": 7}
    headers = DeadLetterHeaders.model_validate({**given, "timestamp": 50.0, "reason": reason, **head}, strict=False)
    record = Record(
        Position("vestnik.dead-letters", 0, 3), at, b"c-1", value, (("trace", b"1"), ("vestnik-reason", b"x"))
    )
    return Letter(headers, record)


def command(id_: bytes = ID, deadline: float = 200.0) -> Command:
    return Command(id_, b"\0" * 4, Terms("order-paid"), "c-1", (Message("t", "t"),), None, 0, 0.0, deadline)


def test_every_reason_has_its_advice_and_every_fate_its_words() -> None:
    assert set(ADVICE) == set(DeadReason)
    assert set(FATES) == set(Fate)
    assert all(advice.means and advice.mend for advice in ADVICE.values())
    assert all(advice.about is not Whole.RECORD for advice in ADVICE.values() if advice.anew)


def test_the_original_stands_where_it_first_stood_with_its_own_headers_alone() -> None:
    assert letter().original == Record(Position("shop.orders", 2, 7), 50.0, b"c-1", b"{}", (("trace", b"1"),))


@pytest.mark.parametrize(
    ("reason", "routes"),
    [(DeadReason.SCHEMA, frozenset[str]()), (DeadReason.RENDER, {"order-paid"}), (DeadReason.REFUSED, {"order-paid"})],
)
def test_only_the_route_of_the_letter_is_meant_where_it_is_about_one(reason: DeadReason, routes: set[str]) -> None:
    assert letter(reason).routes == routes
    assert letter(reason, route=None).routes == frozenset()


def test_a_command_that_has_ended_must_live_again_and_a_record_that_never_became_one_need_not() -> None:
    assert letter(DeadReason.RENDER).revived is None
    assert letter(DeadReason.REFUSED, command=ID.hex()).revived == ID
    assert letter(DeadReason.REFUSED, command="no hex").revived is None
    assert letter(DeadReason.REFUSED).revived is None
    assert letter(DeadReason.EVENT_ID_CONFLICT, id=f"{ID.hex()}-00ff00ff").revived == ID


def test_a_value_that_was_cut_is_known_by_its_hash() -> None:
    cut = letter(DeadReason.OVERSIZE, sha256=sha256(b"whole").hexdigest(), size=5)
    assert cut.is_partial
    assert cut.is_whole(b"whole")
    assert not cut.is_whole(b"other")
    assert not cut.is_whole(None)
    assert not letter().is_partial
    assert letter(value=None).is_partial
    assert letter(value=None).is_whole(b"anything")


def test_copies_of_a_letter_are_one_and_its_next_life_is_another() -> None:
    first, again = letter(), letter(redrives=1)
    kept = collapsed([first, first, again, first])
    assert [(each.key, each.copies) for each in kept] == [
        (LetterKey("app-push", "a1", 0), 3),
        (LetterKey("app-push", "a1", 1), 1),
    ]
    assert latest_lives(kept) == {("app-push", "a1"): 1}


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({"render"})), True),
        (Wanted(reasons=frozenset({"schema"})), False),
        (Wanted(lanes=frozenset({"staff"})), False),
        (Wanted(lanes=frozenset({"app-push"})), True),
        (Wanted(routes=frozenset({"order-paid"}), topics=frozenset({"shop.orders"})), True),
        (Wanted(topics=frozenset({"shop.bonuses"})), False),
        (Wanted(ids=frozenset({"a2"})), False),
        (Wanted(since=100.0, until=100.1), True),
        (Wanted(since=100.1), False),
        (Wanted(until=100.0), False),
    ],
)
def test_letters_are_chosen_by_what_they_say_and_when_they_died(wanted: Wanted, takes: bool) -> None:
    assert wanted.takes(letter()) is takes


@pytest.mark.parametrize(("lane", "takes"), [("loyalty", True), ("loyalty.2", True), ("loyalty.3", False)])
def test_letters_of_a_share_are_the_lane_s_too(lane: str, takes: bool) -> None:
    assert Wanted(lanes=frozenset({lane})).takes(letter(lane="loyalty.2")) is takes


def test_a_letter_is_found_by_its_id_and_else_by_the_beginning_of_it() -> None:
    letters = [letter(id="shop.orders/0/1"), letter(id="shop.orders/0/12")]
    assert found(letters, "shop.orders/0/1") == letters[:1]
    assert found(letters, "shop.orders") == letters
    assert found(letters, "x") == []


KILLER = letter(DeadReason.KILLS_THE_PROCESS, command=ID.hex())


@pytest.mark.parametrize(
    ("dead", "guard", "wanted", "fate"),
    [
        (letter(), Guard({}, {}), Wanted(), None),
        (letter(), Guard({}, {("app-push", "a1"): 1}), Wanted(), Fate.DIED_LATER),
        (letter(redrives=2), Guard({}, {}), Wanted(), Fate.TOO_OFTEN),
        (letter(redrives=2), Guard({}, {}, max_redrives=3), Wanted(), None),
        (letter(), Guard({letter().key: 1}, {}), Wanted(), Fate.DONE),
        (letter(), Guard({letter().key: 1}, {}, again=True), Wanted(), None),
        (KILLER, Guard({}, {}), Wanted(), Fate.BY_NAME),
        (KILLER, Guard({}, {}), Wanted(reasons=frozenset({"kills_the_process"})), None),
        (KILLER, Guard({}, {}), Wanted(ids=frozenset({"a1"})), None),
    ],
)
def test_letters_go_neither_twice_nor_in_circles(dead: Letter, guard: Guard, wanted: Wanted, fate: Fate | None) -> None:
    assert guard.stops(dead, wanted) is fate


def test_all_lives_of_a_command_that_are_over_are_named_and_the_next_one_is_free() -> None:
    second = next_life(ID)
    third = next_life(second)
    assert past_lives(ID, [b"x" * 12, ID]) == (ID, frozenset({ID}))
    assert past_lives(second, [ID]) == (ID, frozenset({ID, second}))
    assert past_lives(second, [ID], more=1) == (ID, frozenset({ID, second, third}))
    assert past_lives(b"y" * 12, [ID]) is None


def test_the_other_recipients_of_a_route_are_not_told_again() -> None:
    other = command(b"x" * 12)
    plan = Planned("order.paid", (command(), other), (Ended(other, Outcome.SUPPRESSED),))
    assert only(plan, ID) == Planned("order.paid", (command(),))
    assert only(Ignored("no_route"), ID) == Ignored("no_route")


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (
            Rejected(Rejection("a", "schema", "order.id: missing")),
            Foreseen(Fate.DIES_AGAIN, 0, "schema: order.id: missing"),
        ),
        (Ignored("no_route"), Foreseen(Fate.IGNORED, 0, "no_route")),
        (Planned("order.paid", (command(), command(b"x" * 12, 99.0))), Foreseen(Fate.GOES, 1)),
        (Planned("order.paid", (command(deadline=99.0),)), Foreseen(Fate.EXPIRED)),
        (
            Planned("order.paid", rejections=(Rejection("a", "render", "title: total"),)),
            Foreseen(Fate.DIES_AGAIN, 0, "render: title: total"),
        ),
        (
            Planned("order.paid", ended=(Ended(command(), Outcome.SUPPRESSED, "shadow"),)),
            Foreseen(Fate.SUPPRESSED, 0, "shadow"),
        ),
        (Planned("order.paid"), Foreseen(Fate.IGNORED, 0, "other_recipients")),
    ],
)
def test_what_would_come_of_a_letter_is_foreseen(plan: Plan, expected: Foreseen) -> None:
    assert foreseen(plan, 100.0) == expected


def test_letters_are_counted_by_reason_lane_and_route_the_most_first() -> None:
    letters = [letter(at=5.0), letter(DeadReason.SCHEMA, at=1.0, route=None), letter(at=3.0)]
    assert tallied(letters) == [
        Tally("render", "app-push", "order-paid", 2, 3.0, 5.0),
        Tally("schema", "app-push", "", 1, 1.0, 1.0),
    ]
