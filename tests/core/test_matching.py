"""Routes that never match and routes that tell one person twice are told with their place."""

import pytest

from consumer.core.matching import warn_shadowed, warn_unmatched
from consumer.core.profile import LaneFacts, LaneProfile
from tests.core.planning import SHOPS, routes

FACTS = LaneFacts(LaneProfile("app", SHOPS))


def route(name: str, **keys: str) -> str:
    head = {"id": name, "on": "order.paid", "lane": "app", "ttl": "12h", "wordings": "[{text: a}]"} | keys
    return "- " + "\n  ".join(f"{key.rstrip('_')}: {value}" for key, value in head.items()) + "\n"


def unmatched(facts: LaneFacts = FACTS, **keys: str) -> list[str]:
    return [str(problem) for problem in warn_unmatched(routes(route("r", **keys)).routes[0], facts)]


def shadowed(*texts: str) -> list[str]:
    return [str(problem) for problem in warn_shadowed(routes("".join(texts)).routes, FACTS)]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("event.type == 'order.payd'", ": event.type == 'order.payd' is never true; did you mean \"order.paid\"?"),
        ("shop.id == 3", ": shop.id == 3 is never true; there are ducky"),
        ("lane.slug in ('a', 'b')", ": lane.slug in ('a', 'b') is never true; there are ducky"),
        (
            "order.payment.paid == 'yes'",
            ": order.payment.paid == 'yes' is never true; order.payment.paid is true or false, without quotes",
        ),
        (
            "order.items_count > '1'",
            ": order.items_count > '1' is never true; order.items_count is a number, without quotes",
        ),
        ("order.id == 12", ": order.id == 12 is never true; order.id is a text, in quotes"),
        (
            "order.payment.paid and not order.payment.paid",
            (
                ": order.payment.paid and not order.payment.paid contradict one another; "
                "write `or` where one of them is enough"
            ),
        ),
        ("false", "; enabled: false switches a route off"),
    ],
)
def test_a_condition_that_can_never_hold_says_why(when: str, words: str) -> None:
    assert unmatched(when=f'"{when}"') == [f"routes.yaml:6: route r: when can never hold{words}"]


def test_a_route_without_a_condition_or_with_a_possible_one_is_fine() -> None:
    assert unmatched() == []
    assert unmatched(when="event.customer.consents.push and shop.id == 'ducky'") == []
    assert unmatched(when="order.responsible_user_ids | length") == []


def test_a_lane_without_shops_has_nobody_to_tell() -> None:
    found = unmatched(LaneFacts(LaneProfile("app", {})))
    assert found == ["routes.yaml:3: route r: lane app serves no shop, so that the route can never match"]


def test_routes_that_tell_one_person_twice_are_named_both() -> None:
    assert shadowed(route("a"), route("b", when="order.id")) == [
        (
            "routes.yaml:6: route b: whom route a tells of order.paid, this one tells too (routes.yaml:1); "
            "add to `when` what tells them apart, or make them one"
        )
    ]
    assert shadowed(route("a"), route("b", on="[order.created, order.paid]", to="customer"))


@pytest.mark.parametrize(
    "other",
    [
        {"on": "order.created"},
        {"enabled": "false"},
        {"to": "event.order.responsible_user_ids"},
        {"to": "'[order.id]'"},
        {"when": "order.payment.method != 'card'"},
        {"from_": "2026-09-02T00:00:00Z"},
    ],
)
def test_routes_that_nothing_brings_together_are_fine(other: dict[str, str]) -> None:
    first = route("a", when="order.payment.method == 'card'", until="2026-09-02T00:00:00Z")
    assert shadowed(first, route("b", **other)) == []
    assert shadowed(route("b", **other), first) == []
