"""A record becomes commands, or the reason why it does not."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core import ports
from consumer.core.model import (
    Ended,
    Ignored,
    Message,
    OnUnsure,
    Outcome,
    Planned,
    Priority,
    Rejected,
)
from consumer.core.plan import LaneProfile
from consumer.core.profile import Identity, Mode, ShopProfile
from schemas.dead_letter import DeadReason
from tests.core.planning import AT, DUCKY, READY, SHOPS, bonus, order, planned, planner, record
from tests.core.poison.corpus import DEAD, IGNORED, SAID

PROFILE = LaneProfile("app", SHOPS)
ACCRUED = """
- id: accrued
  on: bonus.accrued
  lane: app
  ttl: 12h
  wordings:
    - {title: "{{ bonus.amount | plural('бонус', 'бонуса', 'бонусов') }}", text: "{{ bonus.reason | default('—') }}"}
    - {title: "Бонусы", text: "{{ bonus.reason | default('—') }}"}
"""
STAFF = """
- id: staff
  on: [order.created, order.ready_for_pickup]
  lane: app
  to: event.order.responsible_user_ids
  thread: order.id
  ttl: 1h
  wordings: [{text: "{{ order.public_id }} {{ event.occurred_at | time }}"}]
"""


def route(**changes: str) -> str:
    """A small route for `order.ready_for_pickup`; a change sets a key of it."""
    keys = {"id": "r", "on": "order.ready_for_pickup", "lane": "app", "ttl": "12h"} | changes
    keys.setdefault("wordings", "[{title: a, text: b}]")
    return "- " + "\n  ".join(f"{key}: {value}" for key, value in keys.items()) + "\n"


def only(text: str, event: dict[str, Any] | None = None, profile: LaneProfile | None = None) -> Planned:
    return planned(planner(text, profile).plan(record(event or order())))


# --- what a command is ------------------------------------------------------------------------------------------------


def test_an_event_becomes_a_command_with_all_its_wordings() -> None:
    made = planned(planner().plan(record(order())))
    (command,) = made.commands
    assert made.event_type == "order.ready_for_pickup"
    assert command.recipient == "123"
    assert command.wordings == (
        Message("Заказ М-428 ждёт вас", "ПВЗ Boxberry, хранится до 9 сентября", "ducky://account/orders/05671863"),
        Message("Заказ готов к выдаче", "Подробности в приложении.", "ducky://account/home"),
    )
    assert (command.terms.route, command.terms.priority) == ("order-ready", Priority.URGENT)
    assert (command.terms.deliver_within_seconds, command.terms.unique) == (300.0, (True, False))
    assert (command.terms.on_unsure, command.terms.ladder) == (OnUnsure.REPEAT, True)
    assert (command.rank, command.source) == (4, "shop.orders")
    assert (len(command.id), len(command.digest)) == (12, 4)


def test_the_planner_is_what_the_engine_asks_for() -> None:
    made: ports.Planner = planner()
    assert made.plan(record(None)) == Ignored("tombstone")


def test_planning_twice_gives_the_same_plan_wherever_the_record_stands() -> None:
    here, there = (planned(planner().plan(record(order(), offset=offset))) for offset in (7, 8))
    assert here == there


def test_terms_are_one_object_for_all_commands_of_a_route() -> None:
    made = planner()
    first, second = (planned(made.plan(record(order(order__id=name)))).commands[0] for name in ("1", "2"))
    assert first.terms is second.terms


def test_the_id_is_of_shop_source_event_route_and_recipient_and_the_digest_of_the_bytes() -> None:
    base = planned(planner().plan(record(order()))).commands[0]
    for change in ({"event_id": "e-2"}, {"source": "other"}, {"customer__id": "124"}):
        assert planned(planner().plan(record(order(**change)))).commands[0].id != base.id
    renamed = planned(planner(READY.replace("order-ready", "order-ready-2")).plan(record(order()))).commands[0]
    assert renamed.id != base.id
    changed = planned(planner().plan(record(order(order__total="1.00")))).commands[0]
    assert changed.id == base.id
    assert changed.digest != base.digest


TRACKED = """
- id: tracked
  on: order.ready_for_pickup
  lane: app
  ttl: 12h
  wordings:
    - title: "Заказ"
      text: "готов"
      link: "{{ order.delivery.tracking_url }}"
      image: "{{ order.source_status }}"
"""
LED = ShopProfile("ducky", "ducky", link_hosts=frozenset({"ducky.example"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x", "http://ducky.example/x", "https://ducky.example@evil.example/",
        "javascript:alert(1)", "intent://x#Intent;end", "data:text/html,x", "file:///etc/passwd", "gopher://x", "https://127.0.0.1/",
        "https://169.254.169.254/latest", "https://[::1]/", "https://0x7f.1/",
        "//ducky.example/x", "/x", "https://ducky.example:0/", "HTTPS://EVIL.EXAMPLE",
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", ["delivery__tracking_url", "source_status"])
def test_a_link_or_image_that_an_event_brings_leads_to_the_shop_s_hosts_or_the_message_is_not_sent(
    part: str, url: str
) -> None:
    lane = planner(TRACKED, LaneProfile("app", {"ducky": LED}))
    good = {
        "order__delivery__tracking_url": "https://ducky.example/t",
        "order__source_status": "https://ducky.example/i",
    }
    made = planned(lane.plan(record(order(**(good | {f"order__{part}": url})))))
    assert (made.commands, [each.reason for each in made.rejections]) == ((), ["render"])
    (command,) = planned(lane.plan(record(order(**good)))).commands
    assert command.wordings[0] == Message("Заказ", "готов", "https://ducky.example/t", "https://ducky.example/i")


def test_hashed_parts_do_not_run_into_each_other() -> None:
    one = only(READY, order(source="ab", event_id="c")).commands[0]
    other = only(READY, order(source="a", event_id="bc")).commands[0]
    assert one.id != other.id


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"order__total": "1.00"}, True),
        ({"occurred_at": "2026-09-01T10:16:00+03:00"}, True),
        ({"order__revision": 5}, False),
        ({"order__id": "2"}, False),
        ({"type": "order.paid"}, False),
    ],
)
def test_an_event_without_an_id_is_known_by_what_it_says(change: dict[str, Any], same: bool) -> None:
    text = READY.replace("on: order.ready_for_pickup", "on: [order.ready_for_pickup, order.paid]")
    base = only(text, order(event_id=...)).commands[0]
    assert (only(text, order(event_id=..., **change)).commands[0].id == base.id) is same


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"order__total": "1.00"}, True),
        ({"occurred_at": "2026-09-01T07:15:00Z"}, True),
        ({"order__status": "packed"}, False),
        ({"occurred_at": "2026-09-01T10:16:00+03:00"}, False),
    ],
)
def test_without_a_revision_status_and_time_stand_in(change: dict[str, Any], same: bool) -> None:
    base = only(READY, order(event_id=..., order__revision=...)).commands[0]
    assert (only(READY, order(event_id=..., order__revision=..., **change)).commands[0].id == base.id) is same


@pytest.mark.parametrize("operation", ["b-77", None])
def test_a_bonus_event_without_an_id_is_known_by_its_operation(operation: str | None) -> None:
    base = only(ACCRUED, bonus(event_id=..., bonus__operation_id=operation)).commands[0]
    later = bonus(event_id=..., bonus__operation_id=operation, occurred_at="2026-09-01T11:00:00+03:00")
    assert only(ACCRUED, later).commands[0].id != base.id
    other = bonus(event_id=..., bonus__operation_id="b-78")
    assert only(ACCRUED, other).commands[0].id != base.id


def test_without_a_revision_the_rank_is_the_time_in_microseconds() -> None:
    moment = "2026-09-01T10:15:00.000007+03:00"
    assert only(READY, order(order__revision=None, occurred_at=moment)).commands[0].rank == 1_788_246_900_000_007


def test_a_thread_is_of_lane_value_and_recipient() -> None:
    base = only(READY).commands[0].thread
    assert base is not None
    assert 0 <= base < 2**64
    assert only(READY, order(event_id="e-2")).commands[0].thread == base
    assert only(READY, order(order__id="2")).commands[0].thread != base
    assert only(READY, order(customer__id="2")).commands[0].thread != base
    other = READY.replace("lane: app", "lane: other")
    assert only(other, profile=replace(PROFILE, lane="other")).commands[0].thread != base


@pytest.mark.parametrize("thread", [None, "event.order.revision"])
def test_without_a_thread_or_its_value_there_is_none(thread: str | None) -> None:
    text = route(thread=thread) if thread else route()
    assert only(text, order(order__revision=None)).commands[0].thread is None


# --- time -------------------------------------------------------------------------------------------------------------


def test_the_deadline_counts_from_when_it_happened() -> None:
    command = only(READY).commands[0]
    assert (command.arrived, command.deadline) == (AT - 5, AT - 5 + 12 * 3600)


def test_what_happens_in_the_future_has_arrived_with_its_record() -> None:
    assert only(READY, order(occurred_at="9999-12-31T23:59:59-12:00")).commands[0].arrived == AT


def test_what_is_very_old_is_over_already() -> None:
    command = only(READY, order(occurred_at="1970-01-01T00:00:00Z")).commands[0]
    assert (command.arrived, command.deadline) == (0.0, 12 * 3600.0)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_the_calendar_are_no_trouble(moment: str) -> None:
    assert only(READY, order(occurred_at=moment, order__revision=None, event_id=None)).commands
    made = only(STAFF.replace("event.order.responsible_user_ids", "event.customer"), order(occurred_at=moment))
    assert made.commands or made.rejections[0].detail == "text: OverflowError"


def test_no_deadline_is_beyond_the_memory_of_the_lane() -> None:
    command = only(READY, profile=replace(PROFILE, memory_seconds=60.0)).commands[0]
    assert command.deadline == AT + 60


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"from": "2026-09-01T10:15:05+03:00"}, True),
        ({"from": "2026-09-01T10:15:06+03:00"}, False),
        ({"until": "2026-09-01T10:15:06+03:00"}, True),
        ({"until": "2026-09-01T10:15:05+03:00"}, False),
    ],
)
def test_from_and_until_are_compared_with_the_record(limits: dict[str, str], told: bool) -> None:
    made = planner(route(**limits)).plan(record(order()))
    assert isinstance(made, Planned) is told
    assert told or made == Ignored("no_route", "order.ready_for_pickup")


# --- routing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consents", [None, {}, {"push": None}, {"push": False}])
def test_without_consent_nobody_is_told(consents: dict[str, Any] | None) -> None:
    made = planner().plan(record(order(customer__consents=consents)))
    assert made == Ignored("no_route", "order.ready_for_pickup")


def test_absent_is_false_and_not_an_error_in_a_condition() -> None:
    text = route(when="event.customer.consents.push is not false and not order.delivery.title == 'x'")
    assert only(text, order(customer__consents=None, order__delivery=None)).commands


def test_a_condition_that_fails_is_a_dead_letter_of_its_route() -> None:
    text = route(id="bad", when="order.total > 100") + route(id="good")
    made = only(text, order(order__total=None))
    assert [command.terms.route for command in made.commands] == ["good"]
    (rejection,) = made.rejections
    assert (rejection.reason, rejection.route, rejection.detail) == (DeadReason.CONDITION, "bad", "TypeError")


def test_parts_fail_alone_and_their_letters_have_their_own_ids() -> None:
    text = route(id="a", wordings="[{title: a, text: '{{ order.cancel_reason }}'}]") + route(
        id="b", wordings="[{title: a, text: '{{ order.delivery.title }}', link: '{{ order.delivery.tracking_url }}'}]"
    )
    event = order(order__delivery={"title": "x", "tracking_url": "javascript:alert(1)"})
    made = only(text + route(id="c"), event)
    assert [command.terms.route for command in made.commands] == ["c"]
    assert [(each.reason, each.route) for each in made.rejections] == [("render", "a"), ("render", "b")]
    assert made.rejections[0].detail == "text: a field is absent; give it a default or an if"
    assert made.rejections[1].detail == "link: not a link that may be opened"
    assert made.rejections[0].id != made.rejections[1].id
    again = planned(planner(text).plan(record(event, offset=99)))
    assert [each.id for each in again.rejections] == [each.id for each in made.rejections]


def test_a_thread_that_fails_is_a_dead_letter() -> None:
    made = only(route(thread="order.items_count - 1"), order(order__items_count=None))
    assert (made.rejections[0].reason, made.rejections[0].detail) == ("render", "thread: TypeError")


@pytest.mark.parametrize("name", DEAD)
def test_a_dead_letter_of_an_unreadable_record_is_named_by_its_position(name: str) -> None:
    payload, reason = DEAD[name]
    made = planner().plan(record(payload))
    assert isinstance(made, Rejected)
    assert (made.rejection.id, made.rejection.reason, made.rejection.route) == ("shop.orders/2/7", reason, None)


@pytest.mark.parametrize("name", IGNORED)
def test_a_record_that_is_not_for_us_is_ignored(name: str) -> None:
    payload, reason = IGNORED[name]
    assert planner().plan(record(payload)) == Ignored(reason)


def test_a_type_that_no_route_of_the_lane_wants_is_ignored() -> None:
    assert planner().plan(record(order(type="order.paid"))) == Ignored("no_route", "order.paid")
    other = planner(READY.replace("lane: app", "lane: other"))
    assert other.plan(record(order())) == Ignored("no_route", "order.ready_for_pickup")
    off = planner(READY.replace("  lane: app", "  enabled: false\n  lane: app"))
    assert off.plan(record(order())) == Ignored("no_route", "order.ready_for_pickup")


@pytest.mark.parametrize("shops", [{}, {"other": ShopProfile("other")}])
def test_an_event_of_a_shop_that_the_lane_does_not_serve_is_ignored(shops: dict[str, ShopProfile]) -> None:
    made = planner(profile=LaneProfile("app", shops)).plan(record(order()))
    assert made == Ignored("other_shop", "order.ready_for_pickup")


def test_an_event_without_a_shop_is_of_the_default_shop() -> None:
    assert only(READY, order(shop=None), replace(PROFILE, default_shop="ducky")).commands
    assert planner().plan(record(order(shop=None))) == Ignored("other_shop", "order.ready_for_pickup")


# --- recipients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("customer", "recipient"),
    [
        ({"id": "79990000000", "phone": "79991234567"}, "79990000000"),
        ({"id": "89991234567"}, "89991234567"),
        ({"phone": "8 (999) 123-45-67", "install_id": "i"}, "79991234567"),
        ({"phone": "12", "install_id": "i"}, "i"),
        ({"phone": "", "install_id": "i"}, "i"),
    ],
)
def test_one_person_is_told_once_by_the_first_identity(customer: dict[str, str], recipient: str) -> None:
    assert [each.recipient for each in only(route(), order(customer=customer)).commands] == [recipient]


def test_the_order_of_identities_can_be_chosen() -> None:
    profile = replace(PROFILE, identities=(Identity.INSTALL_ID, Identity.PHONE))
    assert only(route(), order(), profile).commands[0].recipient == "79991234567"


@pytest.mark.parametrize("customer", [None, {}, {"phone": None}])
def test_an_event_that_names_nobody_is_unaddressable(customer: dict[str, Any] | None) -> None:
    made = planner(route()).plan(record(order(customer=customer)))
    assert made == Ignored("unaddressable", "order.ready_for_pickup")


def test_a_phone_that_is_none_is_a_dead_letter_when_there_is_nothing_else() -> None:
    made = only(route(), order(customer={"phone": "call me"}))
    assert (made.rejections[0].reason, made.rejections[0].detail) == (
        DeadReason.RECIPIENT,
        "customer.phone is not a phone number",
    )


def test_each_responsible_person_is_told_once() -> None:
    assert [each.recipient for each in only(STAFF).commands] == ["17", "24"]
    assert len({each.id for each in only(STAFF).commands}) == 2


@pytest.mark.parametrize(
    ("to", "recipients"),
    [
        ("event.customer.phone", ["79991234567"]),
        ("order.responsible_user_ids | first", ["17"]),
        ("event.customer.install_id", []),
        ("\"[event.customer.id, event.customer.id, '']\"", ["123"]),
    ],
)
def test_an_expression_may_name_the_recipients(to: str, recipients: list[str]) -> None:
    made = planner(route(to=to)).plan(record(order()))
    assert [each.recipient for each in getattr(made, "commands", ())] == recipients


@pytest.mark.parametrize(
    ("to", "detail"),
    [
        ("event.customer.phone", "to: not a phone number"),
        ("order.payment.paid or 1", "to: a bool is not a recipient"),
        ("order.total - 1", "to: a Decimal is not a recipient"),
        ("order.cancel_reason", "to: not an id"),
        ("order.items_count - order.revision", "TypeError"),
    ],
)
def test_a_recipient_that_cannot_be_is_a_dead_letter(to: str, detail: str) -> None:
    event = order(customer__phone="12", order__cancel_reason="x" * 129, order__revision=None)
    (rejection,) = only(route(to=to), event).rejections
    assert (rejection.reason, rejection.detail) == (DeadReason.RECIPIENT, detail)


def test_a_shadow_lane_plans_and_tells_nobody() -> None:
    made = only(STAFF, profile=replace(PROFILE, mode=Mode.SHADOW))
    assert not made.commands
    assert [each[1:] for each in made.ended] == [(Outcome.SUPPRESSED, "shadow")] * 2


def test_an_allow_list_lets_through_those_on_it() -> None:
    made = only(STAFF, profile=replace(PROFILE, mode=Mode.ALLOW_LIST, allow_list=frozenset({"24"})))
    assert [each.recipient for each in made.commands] == ["24"]
    assert made.ended == (Ended(made.ended[0].command, Outcome.SUPPRESSED, "not_listed"),)
    assert made.ended[0].command.recipient == "17"


def test_a_listed_phone_may_be_written_as_people_do() -> None:
    listed = replace(PROFILE, mode=Mode.ALLOW_LIST, allow_list=frozenset({"+7 999 123-45-67", "+x"}))
    assert only(route(to="event.customer.phone"), profile=listed).commands


# --- wordings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("en", "Your order is ready"),
        ("en-GB", "Your order is ready"),
        ("EN_us", "Your order is ready"),
        ("ru", "Заказ М-428 ждёт вас"),
        ("kk", "Заказ М-428 ждёт вас"),
        ("../../etc", "Заказ М-428 ждёт вас"),
        (None, "Заказ М-428 ждёт вас"),
    ],
)
def test_a_customer_is_told_in_a_language_that_there_is(locale: str | None, title: str) -> None:
    assert only(READY, order(customer__locale=locale)).commands[0].wordings[0].title == title


def test_a_shop_without_wordings_of_its_own_language_tells_in_the_first() -> None:
    profile = LaneProfile("app", {"ducky": replace(DUCKY, locale="kk")})
    assert only(READY, order(customer__locale=None), profile).commands[0].wordings[0].title == "Заказ М-428 ждёт вас"


def test_wordings_without_a_language_are_in_the_shop_s() -> None:
    assert only(ACCRUED, bonus(customer__locale="en")).commands[0].wordings[0].title == "250 бонусов"


@pytest.mark.parametrize(
    ("timezone", "time"), [("Asia/Vladivostok", "17:15"), ("Nowhere/Land", "10:15"), (None, "10:15"), ("UTC", "07:15")]
)
def test_times_are_the_customer_s_where_the_customer_is_told(timezone: str | None, time: str) -> None:
    text = route(wordings="[{title: a, text: '{{ event.occurred_at | time }}'}]")
    assert only(text, order(customer__timezone=timezone)).commands[0].wordings[0].text == time


def test_staff_is_told_in_the_shop_s_language_and_time() -> None:
    event = order(customer__timezone="Asia/Vladivostok", customer__locale="en")
    assert only(STAFF, event).commands[0].wordings == (Message("", "М-428 10:15"),)


def test_equal_wordings_are_one_level_that_can_grow() -> None:
    text = route(
        wordings="[{title: '{{ order.cancel_reason }}', text: '{% if order.total %}{{ order.id }}{% endif %}b'},"
        " {title: x, text: b}, {title: '{{ order.cancel_reason }}', text: c}]"
    )
    command = only(text, order(order__total=None, order__cancel_reason="x")).commands[0]
    assert command.wordings == (Message("x", "b"), Message("x", "c"))
    assert command.terms.unique == (False, False)


def test_a_bonus_is_not_told_twice_and_an_order_may_be() -> None:
    assert only(ACCRUED, bonus()).commands[0].terms.on_unsure is OnUnsure.STOP
    assert only(route(on_unsure="stop")).commands[0].terms.on_unsure is OnUnsure.STOP
    assert only(route(ttl="10m")).commands[0].terms.deliver_within_seconds == 600
    assert only(route(ladder="off")).commands[0].terms.ladder is False


@pytest.mark.parametrize("name", SAID)
def test_data_is_said_literally_or_cleaned_and_never_run(name: str) -> None:
    data, seen = SAID[name]
    text = route(
        wordings="[{title: '{{ order.public_id }}', text: b, link: 'https://ducky.example/?q={{ order.public_id }}'}]"
    )
    message = only(text, order(order__public_id=data)).commands[0].wordings[0]
    assert message.title == seen
    assert message.link is not None
    assert message.link.isascii()
    assert "<" not in message.link


def test_a_text_of_nothing_but_tricks_is_not_sent() -> None:
    text = route(wordings="[{title: '{{ order.public_id }}', text: b}]")
    made = only(text, order(order__public_id="\u200b\u2800\u3164"))
    assert made.rejections[0].detail == "title: empty"


_PLANNER = planner()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_record_has_one_plan(data: st.DataObject) -> None:
    """Whatever stands in an event's texts, planning ends, and ends the same way twice."""
    words = st.text(max_size=20)
    event = order(
        order__id=data.draw(words), order__public_id=data.draw(words), customer__phone=data.draw(words),
        customer__locale=data.draw(words), customer__timezone=data.draw(words), order__delivery__title=data.draw(words),
        customer__id=data.draw(st.none() | words),
    )  # fmt: skip
    payload = json.dumps(event).encode()
    made = _PLANNER.plan(record(payload))
    assert made == _PLANNER.plan(record(payload))
    for command in made.commands if isinstance(made, Planned) else ():
        assert all(message.title and len(message.text.encode()) <= 4096 for message in command.wordings)


# --- what is remembered -----------------------------------------------------------------------------------------------

DATED = """
- id: dated
  on: bonus.accrued
  lane: app
  ttl: 12h
  wordings:
    - {title: "{{ bonus.amount | plural('бонус', 'бонуса', 'бонусов') }}", text: "до {{ bonus.expires_at | day }}"}
    - {title: "Бонусы", text: "Подробности в приложении"}
"""


def test_what_is_nobody_s_own_is_rendered_once_for_all_whom_it_concerns() -> None:
    made = planner(DATED)
    ladders = [
        planned(made.plan(record(bonus(event_id=f"b-{number}", bonus__operation_id=f"o-{number}", **changes))))
        .commands[0]
        .wordings
        for number, changes in enumerate(
            ({}, {"customer__id": "9"}, {"bonus__amount": "1"}, {"customer__timezone": "Asia/Vladivostok"}, {})
        )
    ]
    assert ladders[0] is ladders[1] is ladders[4]
    assert [ladder[0][:2] for ladder in ladders] == [
        ("250 бонусов", "до 30 сентября"),
        ("250 бонусов", "до 30 сентября"),
        ("1 бонус", "до 30 сентября"),
        ("250 бонусов", "до 1 октября"),
        ("250 бонусов", "до 30 сентября"),
    ]


def test_what_cannot_be_rendered_is_not_remembered() -> None:
    made = planner(DATED)
    for _ in range(2):
        plan = planned(made.plan(record(bonus(bonus__expires_at=None))))
        assert [rejection.reason for rejection in plan.rejections] == ["render"]
