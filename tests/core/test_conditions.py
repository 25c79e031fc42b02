"""What a condition can never be is told; whatever is in doubt counts as possible."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.compiled import CompiledRoute
from consumer.core.conditions import Demand, Grounds, can_hold_together, impossible
from consumer.core.decode import decode
from consumer.core.plan import LaneProfile, names_of
from consumer.core.profile import ShopProfile
from consumer.core.routes import expression_tree
from schemas.envelope import Event
from schemas.events import EVENT_TYPES
from tests.core.planning import DUCKY, order, routes

GROUNDS = Grounds(
    [EVENT_TYPES["order.paid"]],
    {("event", "type"): ("order.paid", "order.created"), ("shop", "id"): ("ducky",)},
)

NEVER = [
    "event.type == 'order.shipped'",
    "'order.shipped' == event.type",
    "event.type in ['order.shipped', 'bonus.spent']",
    "event.type != 'order.paid' and event.type != 'order.created'",
    "shop.id == 'goose'",
    "order.items_count == '3'",
    "order.items_count > '3'",
    "order.items_count > 5 and order.items_count < 2",
    "order.items_count > 5 and order.items_count <= 5",
    "3 > order.items_count and event.order.items_count >= 3",
    "order.payment.paid == 'true'",
    "order.payment.paid and not event.order.payment.paid",
    "order.payment.method == 'card' and order.payment.method == 'cash'",
    "order.payment.method == 'card' and order.payment.method not in ('card', 'cash')",
    "not (order.payment.method != 'card' or order.payment.method == 'card')",
    "order.public_id is none and order.public_id",
    "order.public_id is defined and order.public_id is undefined",
    "order.public_id > 3",
    "false",
    "none and order.public_id",
    "(order.items_count == 'a' or order.items_count == 'b') and order.id",
]
POSSIBLE = [
    "true",
    "event.type == 'order.paid'",
    "event.type != 'order.paid'",
    "order.items_count > 2 and order.items_count < 5",
    "order.items_count >= 2 and order.items_count <= 2",
    "order.total > 2.5 and order.total != 3",
    "order.items_count == true",
    "not order.items_count",
    "order.payment.method == 'card' or order.payment.method == 'cash'",
    "order.payment.method < 'b' and order.payment.method > 'a'",
    "order.payment.method in ['card']",
    "order.payment.method in order.id",
    "'a' in order.id",
    "order.payment.method in ('card', order.id)",
    "order.id == order.public_id",
    "1 < order.items_count < 3",
    "order.delivery.storage_until == '2026-09-09'",
    "order.responsible_user_ids | length > 2",
    "order.id | length is defined",
    "order.payment.paid is true",
    "not (order.id ~ 'x')",
    "order.responsible_user_ids and customer",
    "order.id == 'a' if order.total else false",
]


@pytest.mark.parametrize("source", NEVER)
def test_a_condition_that_can_never_hold_is_found(source: str) -> None:
    assert impossible(expression_tree(source), GROUNDS) or source in ("false", "none and order.public_id")
    assert not can_hold_together([expression_tree(source)], GROUNDS)


@pytest.mark.parametrize("source", POSSIBLE)
def test_a_condition_that_may_hold_is_let_through(source: str) -> None:
    assert impossible(expression_tree(source), GROUNDS) == []
    assert can_hold_together([expression_tree(source)], GROUNDS)


def test_the_demand_that_is_impossible_by_itself_is_named() -> None:
    tree = expression_tree("order.id and order.items_count == '3' and order.public_id")
    assert impossible(tree, GROUNDS) == [Demand(("order", "items_count"), "eq", "3")]


def test_demands_that_contradict_are_all_named() -> None:
    found = impossible(expression_tree("order.id == 'a' and order.id == 'b'"), GROUNDS)
    assert [demand.value for demand in found] == ["a", "b"]


def test_what_has_too_many_alternatives_is_in_doubt() -> None:
    either = " and ".join(f"(order.id == 'a{n}' or order.id == 'b{n}')" for n in range(9))
    assert impossible(expression_tree(either), GROUNDS) == []
    half = expression_tree(" and ".join(f"(order.id == 'a{n}' or order.id == 'b{n}')" for n in range(5)))
    assert can_hold_together([half] * 2, GROUNDS)
    assert not can_hold_together([half], GROUNDS)


FIELDS = ("order.items_count", "order.payment.paid", "order.payment.method", "order.total", "order.public_id")
CONSTANTS = ("0", "3", "2.5", "'card'", "'x'", "true", "none", "''")
ATOMS = st.one_of(
    st.sampled_from(FIELDS),
    st.builds("{} {} {}".format, st.sampled_from(FIELDS), st.sampled_from(("==", "!=")), st.sampled_from(CONSTANTS)),
    st.builds("{} {} {}".format, st.sampled_from(FIELDS), st.sampled_from(("<", ">=")), st.sampled_from(("3", "'x'"))),
    st.builds("{} in ({}, 'x')".format, st.sampled_from(FIELDS), st.sampled_from(CONSTANTS)),
    st.builds("{} is {}".format, st.sampled_from(FIELDS), st.sampled_from(("defined", "none"))),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("(not {})".format, inner),
    ),
    max_leaves=6,
)
EVENTS = st.builds(
    lambda count, paid, method, total, public: order(
        type="order.paid",
        order__items_count=count,
        order__payment={"paid": paid, "method": method},
        order__total=total,
        order__public_id=public,
    ),
    st.sampled_from((None, 0, 1, 3, 4)),
    st.sampled_from((None, True, False)),
    st.sampled_from((None, "", "card", "x", "y")),
    st.sampled_from((None, "0", "2.50", "3", "100")),
    st.sampled_from((None, "", "x", "М-428")),
)


# A machine that tests has other things to do as well.
@settings(deadline=None)
@given(CONDITIONS, EVENTS)
def test_no_event_ever_meets_what_was_called_impossible(source: str, data: dict[str, object]) -> None:
    tree = expression_tree(source)
    if can_hold_together([tree], GROUNDS):
        return
    event = decode(json.dumps(data).encode(), 10_000)
    assert isinstance(event, Event)
    text = f'- {{id: r, on: order.paid, when: "{source}", lane: app, ttl: 1h, wordings: [{{text: a}}]}}'
    route = CompiledRoute.of(routes(text).routes[0].route, (ShopProfile("ducky"),))
    assert route.wants(names_of(event, LaneProfile("app", {"ducky": DUCKY}), DUCKY, True)) is not True
