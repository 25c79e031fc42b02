"""How far a route reaches on a scarce lane: different texts, and people a minute."""

import math

import pytest

from consumer.core.profile import LaneFacts, LaneProfile, ShopProfile
from consumer.core.reach import pushes_per_minute, reaches
from tests.core.planning import DUCKY, READY, routes
from tests.core.test_check import one

LANE = LaneFacts(LaneProfile("app", {"ducky": DUCKY}), 10, recipients=1000)
LADDER = (
    "[{title: a, text: '{{ order.id }}'}, {title: '{{ order.delivery.title }}', text: '{{ order.items_count }}'},"
    " {title: a, text: b}]"
)


def test_each_wording_has_its_texts_and_the_people_that_it_can_tell() -> None:
    (reach,) = reaches(routes(one(LADDER, deliver_within="30m")), {"app": LANE})
    assert (reach.route, reach.lane, reach.deliver_within_seconds) == ("r", "app", 1800.0)
    assert [each.texts for each in reach.wordings] == [math.inf, 10_000, 1]
    assert [each.is_unique for each in reach.wordings] == [True, False, False]
    assert [each.fields for each in reach.wordings] == [
        ("order.id",),
        ("order.delivery.title", "order.items_count"),
        (),
    ]
    assert [round(each.pushes_per_minute) for each in reach.wordings] == [10, 10, 9967]


def test_of_several_languages_the_one_with_the_most_texts_counts() -> None:
    wordings = "{ru: [{title: a, text: b}], en: [{title: a, text: '{{ order.items_count }}'}]}"
    (reach,) = reaches(routes(one(wordings)), {"app": LANE})
    assert [each.fields for each in reach.wordings] == [("order.items_count",)]
    assert len(reaches(routes(READY), {"app": LANE})[0].wordings) == 2


def test_a_lane_with_room_is_told_of_too() -> None:
    (reach,) = reaches(routes(one(LADDER)), {"app": LaneFacts(LANE.profile)})
    assert [(each.texts, each.pushes_per_minute) for each in reach.wordings] == [
        (math.inf, math.inf),
        (10_000, math.inf),
        (1, math.inf),
    ]


@pytest.mark.parametrize(
    ("shown", "slugs", "texts", "fields"),
    [
        ("{{ lane.slug }}", ["ducky"], 1, ()),
        ("{{ shop.id }} {{ lane.id }}", ["ducky"], 1, ()),
        ("{{ lane.slug }}", ["ducky", "goose", "goose"], 2, ("lane.slug",)),
        ("{{ lane.slug }} {{ shop.id }} {{ lane.id }}", ["ducky", "goose", "goose"], 3, ("lane.slug", "shop.id")),
        ("{{ lane.slug }} {{ order.payment.method }}", ["a", "b"], 20, ("lane.slug", "order.payment.method")),
        ("{{ lane.slug }}", [], 1, ()),
    ],
)
def test_shops_are_counted_and_not_guessed(shown: str, slugs: list[str], texts: int, fields: tuple[str, ...]) -> None:
    shops = {str(index): ShopProfile(str(index), slug) for index, slug in enumerate(slugs)}
    lane = LaneFacts(LaneProfile("app", shops), 10, recipients=1000)
    (reach,) = reaches(routes(one(f"{{ru: [{{title: a, text: '{shown}'}}]}}")), {"app": lane})
    assert [(each.texts, each.fields) for each in reach.wordings] == [(texts, fields)]


def test_routes_that_are_off_or_lead_nowhere_are_left_out() -> None:
    assert reaches(routes(one(LADDER)), {}) == []
    assert reaches(routes(one(LADDER, enabled="false")), {"app": LANE}) == []


@pytest.mark.parametrize(
    ("texts", "minutes", "told"),
    [
        (0, 30, 10_000),
        (150, 30, 5005),
        (299, 30, 43),
        (300, 30, 10),
        (3000, 30, 10),
        (math.inf, 30, 10),
        (1, 0, 10),
    ],
)
def test_requests_that_are_left_when_every_text_had_one_carry_many(texts: float, minutes: float, told: int) -> None:
    assert round(pushes_per_minute(texts, minutes, LANE)) == told


@pytest.mark.parametrize("texts", [1, 20, 150, 290])
def test_so_many_are_told_in_time_however_unevenly_they_share_the_texts(texts: int) -> None:
    """All but one text have one recipient more than a full request, which wastes the most."""
    people = math.floor(pushes_per_minute(texts, 30, LANE) * 30)
    shares = [1001] * min(texts - 1, people // 1001)
    shares.append(people - sum(shares))
    assert sum(math.ceil(share / 1000) for share in shares) <= 300


def test_a_lane_without_a_quota_has_no_bound() -> None:
    assert math.isinf(pushes_per_minute(math.inf, 30, LaneFacts(LANE.profile)))
