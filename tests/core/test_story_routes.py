"""What each route says to a record, and why."""

from dataclasses import replace

from consumer.core.backfill import Backfilled
from consumer.core.model import Position, Rejected
from consumer.core.plan import LaneProfile
from consumer.core.profile import Mode
from consumer.core.story_routes import Answer, Explained, Explainer
from tests.core.planning import AT, SHOPS, bonus, order, record, routes

ROUTES = """
- {id: ready, on: order.ready_for_pickup, lane: app, ttl: 12h, wordings: [{title: "Ready", text: "Come"}]}
- {id: rich, on: order.ready_for_pickup, lane: app, ttl: 12h, when: event.order.items_count > 100,
   wordings: [{title: "Ready", text: "Come"}]}
- {id: gone, on: order.ready_for_pickup, lane: app, ttl: 12h, until: "2026-08-01T00:00:00Z",
   wordings: [{title: "Ready", text: "Come"}]}
- {id: later, on: order.ready_for_pickup, lane: app, ttl: 12h, from: "2027-08-01T00:00:00Z",
   wordings: [{title: "Ready", text: "Come"}]}
- {id: nobody, on: order.ready_for_pickup, lane: app, ttl: 12h, to: event.customer.install_id,
   wordings: [{title: "Ready", text: "Come"}]}
- {id: broken, on: order.ready_for_pickup, lane: app, ttl: 12h,
   wordings: [{title: "Ready", text: "Until {{ order.delivery.storage_until | date }}"}]}
- {id: bonus, on: bonus.accrued, lane: app, ttl: 12h, wordings: [{title: "Bonus", text: "Yours"}]}
"""
PROFILE = LaneProfile("app", SHOPS, backfill="vestnik.backfill.app")


def explained(document: dict[str, object] | bytes, profile: LaneProfile = PROFILE) -> Explained:
    return Explainer(profile, routes(ROUTES)).explain(record(document))


def test_every_route_that_is_for_the_type_answers() -> None:
    found = explained(order(order__delivery__storage_until=None))
    answers = {answer.route: (answer.answer, answer.detail) for answer in found.answers}
    assert answers["ready"] == (Answer.PLANNED, "")
    assert answers["rich"] == (Answer.UNWANTED, "event.order.items_count > 100")
    assert answers["gone"] == (Answer.OVER, "2026-08-01T00:00:00+00:00")
    assert answers["later"] == (Answer.NOT_YET, "2027-08-01T00:00:00+00:00")
    assert answers["nobody"] == (Answer.NOBODY, "event.customer.install_id")
    assert answers["broken"][0] is Answer.DEAD
    assert answers["broken"][1].startswith("render: ")
    assert (len(found.answers), found.others) == (6, 1)
    assert [command.recipient for command in found.answers[0].commands] == ["123"]


def test_where_nothing_is_planned_the_routes_still_say_why() -> None:
    found = explained(order(order__items_count=1, customer=None, order__delivery__storage_until="2026-09-09"))
    assert {answer.answer for answer in found.answers} == {Answer.UNWANTED, Answer.OVER, Answer.NOT_YET, Answer.NOBODY}


def test_a_command_that_ends_at_once_is_told_as_such() -> None:
    shadow = LaneProfile("app", SHOPS, mode=Mode.SHADOW)
    answers = {answer.route: answer for answer in explained(order(), shadow).answers}
    assert answers["ready"].answer is Answer.ENDED
    assert answers["ready"].ended[0].reason == "shadow"
    assert [command.recipient for command in explained(order(), shadow).commands] == ["123"] * 2


def test_what_is_no_event_of_the_lane_asks_no_route() -> None:
    assert explained(order(shop="other")).answers == ()
    assert isinstance(explained(b"no json").plan, Rejected)
    assert explained(b"no json").answers == ()
    assert explained(b"no json").commands == ()
    assert Explainer(LaneProfile("app", {}), routes(ROUTES)).explain(record(order())).answers == ()


def test_a_redriven_record_is_explained_as_it_first_stood_and_other_routes_were_left_out() -> None:
    original = record(order())
    old = Backfilled(original, "redrive-1", frozenset({"bonus", "rich"}))
    again = replace(
        original, position=Position("vestnik.backfill.app", 0, 1), timestamp=AT + 1000.0, headers=old.to_headers()
    )
    found = Explainer(PROFILE, routes(ROUTES)).explain(again)
    answers = {answer.route: (answer.answer, answer.detail) for answer in found.answers}
    assert answers["ready"] == (Answer.LEFT_OUT, "redrive-1")
    assert answers["rich"][0] is Answer.UNWANTED


def test_a_backfilled_record_that_makes_no_sense_is_explained_as_it_stands() -> None:
    broken = replace(
        record(bonus()), position=Position("vestnik.backfill.app", 0, 1), headers=(("vestnik-offset", b"x"),)
    )
    assert isinstance(Explainer(PROFILE, routes(ROUTES)).explain(broken).plan, Rejected)


def test_a_message_of_a_person_has_no_routes() -> None:
    sending = b'{"id": "12345678", "recipient": "1", "text": "x"}'
    sent = replace(record(sending), position=Position("vestnik.backfill.app", 0, 1), headers=(("vestnik-send", b"1"),))
    assert Explainer(PROFILE, routes(ROUTES)).explain(sent).answers == ()
