"""A route that is known by its id neither moves to another lane nor to other people."""

import pytest

from consumer.core.check import silence_of
from consumer.core.decode import decode
from consumer.core.profile import LaneProfile, ShopProfile
from consumer.core.showing import Showing
from consumer.core.succession import moved_routes
from schemas.envelope import Event
from tests.core.planning import DUCKY, SHOPS, order, record, routes

TEXT = "- {id: r, on: order.ready_for_pickup, lane: app, to: TO, ttl: 1h, wordings: [{title: a, text: b}]}\n"


def moved(before: str, after: str) -> list[str]:
    return [str(problem) for problem in moved_routes(routes(before), routes(after))]


@pytest.mark.parametrize("to", ["event.customer", "customer"])
def test_a_route_that_stays_where_it_is_may_change_its_texts(to: str) -> None:
    old = TEXT.replace("TO", "event.customer")
    assert moved(old, TEXT.replace("TO", to).replace("text: b", "text: c")) == []
    assert moved(old.replace("id: r", "id: gone"), TEXT.replace("TO", "event.order.id")) == []


def test_a_route_that_moves_is_told_with_what_to_do() -> None:
    old, new = TEXT.replace("TO", "event.customer"), TEXT.replace("TO", "'[1, order.id]'").replace("app", "other")
    mend = "end it with until: and let a route with another id begin with from: at the same time"
    assert moved(old, new) == [
        f"routes.yaml:1: route r: lane is other, and the route that is deployed has app; {mend}",
        f"routes.yaml:1: route r: to is [1, order.id], and the route that is deployed has event.customer; {mend}",
    ]


def an_event(**changes: object) -> Event:
    event = decode(record(order(**changes)).value, 100_000)
    assert isinstance(event, Event)
    return event


def test_why_an_event_is_told_to_nobody_is_said_on_any_lane() -> None:
    route = routes().routes[0].route
    assert silence_of(route, an_event(), LaneProfile("app", SHOPS)) == ""
    assert silence_of(route, an_event(customer__consents=None), LaneProfile("app", {})) == "when is false"
    assert silence_of(route, an_event(shop=None), LaneProfile("app", {})) == ""


def test_every_wording_is_shown_with_its_place_and_what_makes_it_ones_own() -> None:
    showing = Showing(routes().routes[0], DUCKY)
    shown = showing.all(an_event())
    assert [(each.locale, each.level, each.path) for each in shown] == [
        ("ru", 0, ("wordings", "ru", 0)),
        ("ru", 1, ("wordings", "ru", 1)),
        ("en", 0, ("wordings", "en", 0)),
    ]
    assert [each.unique for each in shown] == [("order.id", "order.public_id"), (), ()]
    assert [each.locale for each in showing.all(an_event(), ["en"])] == ["en"]


def test_the_language_is_the_customers_the_shops_or_the_nearest() -> None:
    showing = Showing(routes().routes[0], DUCKY)
    assert showing.locale_of(an_event(customer__locale="en-GB")) == "en"
    assert showing.locale_of(an_event(customer=None)) == "ru"
    assert showing.nearest_locale("de") == "ru"
    staff = routes(TEXT.replace("TO", "event.order.responsible_user_ids")).routes[0]
    shown = Showing(staff, ShopProfile("ducky", locale="en"))
    assert shown.locale_of(an_event(customer__locale="ru")) == "en"
    assert [each.path for each in shown.all(an_event())] == [("wordings", 0)]
