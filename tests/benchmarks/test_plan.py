"""The plan's benchmark runs, and what it counts is what the events say."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumer.core.model import Record
from schemas.events import EVENT_TYPES
from tests.benchmarks import plan

EVENTS = 300


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    file: Path = tmp_path_factory.mktemp("plan") / "plan.json"
    plan.main(["--json", str(file), "--events", str(EVENTS), "--rounds", "1"])
    return {row["way"]: row for row in json.loads(file.read_text())}


def documents(records: list[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in records]


def is_told(event: dict[str, Any]) -> bool:
    """The catalogue tells whoever agreed to it; reminders to spend are advertising."""
    consents, customer = event["customer"]["consents"], event["customer"]
    agreed = consents["push"] and (consents["marketing"] or event["type"] != "bonus.expiring")
    return event["type"] in EVENT_TYPES and agreed and bool(customer["id"] or customer["phone"])


def test_each_way_takes_all_events_and_some_time(figures: dict[str, dict[str, Any]]) -> None:
    assert len(figures) == 7
    assert all(row["events"] == EVENTS and row["us_per_event"] > 0 for row in figures.values())


def test_the_events_that_are_read_are_those_of_known_types(figures: dict[str, dict[str, Any]]) -> None:
    known = sum(event["type"] in EVENT_TYPES for event in documents(plan.shop_records(EVENTS)))
    assert figures["decode"]["commands"] == known


@pytest.mark.parametrize(
    ("way", "records"),
    [
        ("plan, a shop's mixture", plan.shop_records),
        ("plan, personal texts", plan.order_records),
        ("plan, twelve texts", plan.bonus_records),
    ],
    ids=["shop", "orders", "bonuses"],
)
def test_a_command_comes_of_each_event_of_somebody_who_agreed(
    way: str, records: Any, figures: dict[str, dict[str, Any]]
) -> None:
    assert figures[way]["commands"] == sum(map(is_told, documents(records(EVENTS))))


def test_what_is_put_waits(figures: dict[str, dict[str, Any]]) -> None:
    assert figures["plan and put, twelve texts"]["commands"] == figures["plan, twelve texts"]["commands"]


def test_the_dry_run_judges_the_commands_of_both_lanes(figures: dict[str, dict[str, Any]]) -> None:
    told = ("order.created", "order.cancelled", "order.not_redeemed")
    shop = documents(plan.shop_records(EVENTS))
    staff = sum(len(event["order"]["responsible_user_ids"]) for event in shop if event["type"] in told)
    assert figures["dry run for both lanes"]["commands"] == figures["plan, a shop's mixture"]["commands"] + staff


def test_the_accruals_have_twelve_texts() -> None:
    bonuses = documents(plan.bonus_records(10 * EVENTS))
    assert len({(event["customer"]["locale"], event["bonus"]["amount"]) for event in bonuses}) == 12
