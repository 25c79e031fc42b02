"""Marketing wants a consent; at night orders go out and the rest does as the shop or the route says."""

from dataclasses import replace
from typing import Any

import pytest

from consumer.core.model import Outcome, Quiet
from consumer.core.plan import LaneProfile, Planner
from consumer.core.profile import QuietProfile, ShopProfile
from tests.core.planning import DUCKY, READY, bonus, order, planned, planner, record

BONUS = """
- id: bonus-expiring
  on: bonus.expiring
  lane: app
  marketing: true
  ttl: 12h
  wordings:
    - {title: "Бонусы", text: "Сгорают"}
"""
NIGHTLY = replace(DUCKY, quiet=QuietProfile(22 * 60, 9 * 60))
AGREED = {"type": "bonus.expiring", "customer__consents": {"push": True, "marketing": True}}


def night_planner(text: str, quiet: str = "", shop: ShopProfile = NIGHTLY) -> Planner:
    profile = LaneProfile("app", {"ducky": shop}, default_shop="ducky")
    return planner(text.replace("  ttl: 12h\n", f"  ttl: 12h\n{quiet}"), profile)


@pytest.mark.parametrize("consents", [None, {}, {"marketing": None}, {"marketing": False}, {"push": True}])
def test_a_marketing_route_wants_a_clear_yes_to_marketing(consents: dict[str, Any] | None) -> None:
    plan = planned(night_planner(BONUS).plan(record(bonus(type="bonus.expiring", customer__consents=consents))))
    assert [(end.outcome, end.reason) for end in plan.ended] == [(Outcome.SUPPRESSED, "no_consent")]
    assert plan.commands == ()


def test_with_the_consent_its_commands_count_for_caps() -> None:
    plan = planned(night_planner(BONUS).plan(record(bonus(**AGREED))))
    assert [command.terms.marketing for command in plan.commands] == [True]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("  consent: none\n", False), ("  consent: marketing\n", True), ("", True)],
)
def test_a_route_may_say_which_consent_it_wants(line: str, wanted: bool) -> None:
    plan = planned(night_planner(BONUS, line).plan(record(bonus(type="bonus.expiring"))))
    assert len(plan.ended) == wanted


@pytest.mark.parametrize(
    ("routes", "event", "line", "drop"),
    [
        (BONUS, bonus(**AGREED), "", False),
        (BONUS, bonus(**AGREED), "  quiet: hold\n", False),
        (BONUS, bonus(**AGREED), "  quiet: drop\n", True),
        (BONUS, bonus(**AGREED), "  quiet: off\n", None),
        (READY, order(), "", None),
        (READY, order(), "  quiet: hold\n", False),
    ],
)
def test_orders_go_out_at_night_and_the_rest_as_the_shop_says(
    routes: str, event: dict[str, Any], line: str, drop: bool | None
) -> None:
    plan = planned(night_planner(routes, line).plan(record(event)))
    quiet = plan.commands[0].quiet
    assert quiet == (None if drop is None else Quiet(22 * 60, 9 * 60, "Europe/Moscow", drop))


def test_without_quiet_hours_of_the_shop_nobody_has_any() -> None:
    plan = planned(night_planner(BONUS, "  quiet: hold\n", DUCKY).plan(record(bonus(**AGREED))))
    assert plan.commands[0].quiet is None


def test_quiet_hours_are_in_the_customers_zone_and_one_object_for_all_of_it() -> None:
    shop = replace(NIGHTLY, quiet=QuietProfile(22 * 60, 9 * 60, drop=True))
    made = night_planner(BONUS, shop=shop)
    plans = [
        planned(made.plan(record(bonus(**AGREED, customer__id=name, customer__timezone=zone))))
        for name, zone in (("1", "Asia/Omsk"), ("2", "Asia/Omsk"), ("3", None), ("4", "Nowhere/At_All"))
    ]
    quiets = [plan.commands[0].quiet for plan in plans]
    assert [quiet.zone for quiet in quiets if quiet] == ["Asia/Omsk", "Asia/Omsk", "Europe/Moscow", "Europe/Moscow"]
    assert quiets[0] is quiets[1]
    assert all(quiet.drop for quiet in quiets if quiet)
