"""The lively shop: one seed, one history, with everything in it that a demo must show."""

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any, get_args

import pytest

from consumer.core.decode import Undecodable, decode
from consumer.demo.lifecycle import PATHS, PICKUP_POINTS
from consumer.demo.poison import SPOILS
from consumer.demo.shop import Pace, Publication, Shop
from schemas.bonus import BONUS_EVENTS
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from schemas.order import ORDER_EVENTS

BEGIN = datetime(2026, 9, 1, 7, tzinfo=UTC)


def run(seed: int = 1, pace: Pace | None = None) -> list[Publication]:
    return list(Shop(Random(seed), BEGIN, pace or Pace()).publications())


def good(publications: list[Publication]) -> list[dict[str, Any]]:
    return [json.loads(publication.value) for publication in publications if not publication.poison]


def test_one_seed_gives_the_same_bytes_and_another_seed_other_ones() -> None:
    assert run(7) == run(7)
    assert run(7) != run(8)


def test_the_delays_fill_the_run_and_do_not_exceed_it() -> None:
    total = sum(publication.delay_seconds for publication in run(pace=Pace(seconds=40)))
    assert 35 < total <= 40


def test_each_way_of_being_broken_occurs_even_in_a_short_run() -> None:
    poisons = Counter(publication.poison for publication in run(pace=Pace(seconds=10)))
    assert set(poisons) == {"", *SPOILS}


@pytest.mark.parametrize("name", SPOILS)
def test_a_poisoned_record_is_no_event_to_the_decoder(name: str) -> None:
    expected = {
        "cut_json": DeadReason.INVALID_JSON,
        "not_json": DeadReason.INVALID_JSON,
        "cut_utf8": DeadReason.INVALID_JSON,
        "wrong_schema": DeadReason.SCHEMA,
        "not_a_number": DeadReason.NUMBER,
        "unknown_version": DeadReason.UNKNOWN_VERSION,
        "too_deep": DeadReason.DEPTH,
        "twice_the_key": DeadReason.DUPLICATE_KEY,
    }
    value = next(publication.value for publication in run() if publication.poison == name)
    found = decode(value, 256 * 1024)
    assert isinstance(found, Undecodable)
    assert found.reason is expected[name]


def test_each_record_that_is_not_poisoned_or_unknown_is_valid_by_the_schema_of_its_type() -> None:
    models: dict[str, type[Event]] = {
        get_args(model.model_fields["type"].annotation)[0]: model for model in (*ORDER_EVENTS, *BONUS_EVENTS)
    }
    publications = run(pace=Pace(seconds=300))
    for publication, document in zip((p for p in publications if not p.poison), good(publications), strict=True):
        if document["type"] != "bonus.gift_wrapped":
            models[document["type"]].model_validate_json(publication.value)


def test_all_types_of_a_life_and_all_bonus_types_are_published() -> None:
    types = {str(document["type"]) for document in good(run(pace=Pace(seconds=600)))}
    assert types >= {step.type for path in PATHS for step in path.steps}
    assert types >= {f"bonus.{name}" for name in ("accrued", "activated", "spent", "returned", "expiring", "expired")}
    assert {"bonus.tier_changed", "bonus.gift_wrapped"} <= types


def test_about_one_record_in_twenty_is_an_exact_repeat() -> None:
    values = [publication.value for publication in run(pace=Pace(seconds=600)) if not publication.poison]
    repeats = len(values) - len(set(values))
    assert 0.02 < repeats / len(values) < 0.06


def test_an_event_id_never_stands_for_two_payloads() -> None:
    payloads: dict[str, bytes] = {}
    for publication in run(pace=Pace(seconds=300)):
        if not publication.poison:
            event_id = json.loads(publication.value)["event_id"]
            assert payloads.setdefault(event_id, publication.value) == publication.value


def test_the_bursts_are_equal_bonuses_for_many_customers_at_once() -> None:
    bonuses = [d["bonus"] for d in good(run()) if d["type"] == "bonus.accrued"]
    common = Counter((bonus["amount"], bonus["expires_at"]) for bonus in bonuses)
    assert common.most_common(1)[0][1] >= Pace().burst


def test_a_morning_run_brings_one_pickup_point_to_many_customers() -> None:
    ready = [d["order"]["delivery"] for d in good(run()) if d["type"] == "order.ready_for_pickup"]
    points = Counter(delivery["title"] for delivery in ready if isinstance(delivery, dict))
    title, count = points.most_common(1)[0]
    assert title in PICKUP_POINTS
    assert count >= Pace().burst // 2


def test_revisions_of_an_order_grow_but_a_few_overtake_each_other_on_the_way() -> None:
    orders: dict[object, list[int]] = {}
    for document in good(run(pace=Pace(seconds=300, repeat_share=0.0))):
        if str(document["type"]).startswith("order."):
            revision = document["order"]["revision"]
            assert isinstance(revision, int)
            orders.setdefault(document["order"]["id"], []).append(revision)
    overtaken = sum(later < earlier for revisions in orders.values() for earlier, later in pairwise(revisions))
    assert all(len(set(revisions)) == len(revisions) for revisions in orders.values())
    assert 0 < overtaken < 0.1 * sum(map(len, orders.values()))


def test_somebody_is_nobody_and_staff_stand_beside_each_order() -> None:
    documents = good(run(pace=Pace(seconds=300)))
    assert any(not (d["customer"]["id"] or d["customer"]["phone"]) for d in documents)
    assert all(d["order"]["responsible_user_ids"] for d in documents if "order" in d)


def test_the_key_is_the_customer_so_that_an_order_stays_in_one_partition() -> None:
    for publication in run():
        if not publication.poison and publication.key is not None:
            customer = json.loads(publication.value)["customer"]
            assert publication.key.decode() in (customer["id"], customer["phone"])
