"""The contract with the outside: every event type has a model, a fresh schema, and fields with a cardinality."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from consumer.core.fields import kinds
from schemas.envelope import Cardinality, Event
from schemas.events import ANY_EVENT, EVENT_TYPES
from schemas.generate import FOLDER, documents, write
from tests.core.planning import bonus, order

ORDERS = (
    *("created", "paid", "payment_failed", "processing", "ready_to_dispatch", "shipped", "ready_for_pickup"),
    *("storage_expiring", "delivered", "completed", "partially_received", "not_redeemed", "cancelled", "refunded"),
)
BONUSES = ("accrued", "activated", "spent", "returned", "expiring", "expired", "tier_changed")
TYPES = [*(f"order.{name}" for name in ORDERS), *(f"bonus.{name}" for name in BONUSES)]


def example(name: str) -> dict[str, Any]:
    return order(type=name) if name.startswith("order.") else bonus(type=name)


def leaves(model: type[BaseModel]) -> Iterator[tuple[str, list[Any]]]:
    for name, info in model.model_fields.items():
        parts = [kind for kind in kinds(info.annotation) if issubclass(kind, BaseModel)]
        if parts:
            for part in parts:
                yield from ((f"{name}.{below}", marks) for below, marks in leaves(part))
        else:
            yield name, [mark for mark in info.metadata if isinstance(mark, Cardinality)]


def test_every_type_that_shops_publish_has_a_model() -> None:
    assert sorted(EVENT_TYPES) == sorted(TYPES)


def test_the_schemas_are_fresh() -> None:
    """`python -m schemas.generate` writes them."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")} == documents()


def test_writing_leaves_nothing_stale(tmp_path: Path) -> None:
    (tmp_path / "order.teleported.json").write_text("{}")
    write(tmp_path)
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(documents())


@pytest.mark.parametrize("name", TYPES)
def test_every_field_that_a_template_can_use_has_one_cardinality(name: str) -> None:
    assert [field for field, marks in leaves(EVENT_TYPES[name]) if len(marks) != 1] == []


@pytest.mark.parametrize("name", TYPES)
def test_model_and_schema_take_the_same_event(name: str) -> None:
    event = ANY_EVENT.validate_json(json.dumps(example(name)))
    assert type(event) is EVENT_TYPES[name]
    jsonschema.validate(example(name), json.loads(documents()[f"{name}.json"]))


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"occurred_at": "2026-09-01"}, {"order__total": 5}, {"order__id": ""}, {"order__currency": "rub"}],
)
def test_model_and_schema_refuse_the_same_event(change: dict[str, Any]) -> None:
    schema = json.loads(documents()["order.ready_for_pickup.json"])
    with pytest.raises(ValidationError):
        ANY_EVENT.validate_json(json.dumps(order(**change)))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(order(**change), schema)


@pytest.mark.parametrize("name", ["bonus.accrued", "bonus.expiring"])
def test_a_movement_has_an_amount(name: str) -> None:
    with pytest.raises(ValidationError):
        ANY_EVENT.validate_json(json.dumps(bonus(type=name, bonus__amount=None)))
    changed = ANY_EVENT.validate_json(json.dumps(bonus(type="bonus.tier_changed", bonus__amount=None)))
    assert changed.type == "bonus.tier_changed"


def test_the_envelope_alone_is_no_event() -> None:
    event = Event.model_validate_json(json.dumps({**order(), "type": "x"}))
    assert event.revision is None
    with pytest.raises(NotImplementedError):
        _ = event.operation


def test_cardinalities_have_an_order() -> None:
    assert sorted(Cardinality, key=lambda each: each.rank) == [
        Cardinality.ONE_OF_N,
        Cardinality.BUCKETED,
        Cardinality.UNIQUE,
    ]
