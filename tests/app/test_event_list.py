"""`vestnik event list`: which events there are, who uses them, and what is in one."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumer.app.commands.shared import FINE, USAGE
from schemas.events import EVENT_TYPES
from schemas.meanings import MEANINGS
from tests.app.support import CONFIG, ROUTES, write
from tests.app.test_cli import call

CART = """\
title: A cart that was left
type: object
required: [cart]
properties:
  type: {const: cart.abandoned}
  version: {const: 1}
  cart:
    type: object
    required: [id, size]
    properties:
      id: {type: string, maxLength: 128}
      size: {type: string, enum: [small, large]}
      rank: {type: integer, enum: [1, 2]}
      total: {type: string, format: money}
      tags: {type: array, items: {type: string}}
examples:
  - {type: cart.abandoned, version: 1, occurred_at: "2026-09-01T10:15:00+03:00", cart: {id: c-1, size: small}}
"""


def told(*words: object) -> Any:
    found = call("event", "list", *words, "-o", "json")
    assert found.exit_code == FINE, found.output
    return json.loads(found.stdout)


def fields(name: str, *words: object) -> dict[str, Any]:
    return {each["path"]: each for each in told(name, *words)["fields"]}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with routes and an event of its own."""
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "cart.yaml").write_text(CART, "utf-8")
    return write(tmp_path, CONFIG + "own_events: events\n")


def test_every_event_is_listed_with_its_meaning_and_its_routes(shop: Path) -> None:
    rows = {row["type"]: row for row in told("-c", shop)}
    assert list(rows) == [*EVENT_TYPES, "cart.abandoned"]
    assert rows["order.paid"]["routes"] == ["order-paid"]
    assert (rows["order.paid"]["meaning"], rows["order.paid"]["own"]) == (MEANINGS["order.paid"], False)
    assert (rows["cart.abandoned"]["meaning"], rows["cart.abandoned"]["own"]) == ("A cart that was left", True)
    assert rows["order.shipped"]["routes"] == []


def test_a_route_that_is_off_is_listed_as_such(tmp_path: Path) -> None:
    path = write(tmp_path, routes=ROUTES.replace("  ttl: 3h", "  ttl: 3h\n  enabled: false"))
    assert next(row["off"] for row in told("-c", path) if row["type"] == "order.paid") == ["order-paid"]
    assert "order-paid (off)" in call("event", "list", "-c", path).stdout


def test_without_a_configuration_the_events_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = call("event", "list")
    assert shown.exit_code == FINE
    assert all(f"\n{name} " in shown.stdout for name in EVENT_TYPES)


def test_fields_say_whether_they_may_be_empty_and_how_they_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = fields("order.paid")
    assert not found["order.id"]["may_be_empty"]
    assert (found["order.total"]["type"], found["order.total"]["may_be_empty"]) == ("amount", True)
    assert found["order.total"]["example"] == "29336.00"
    assert found["order.payment.paid"] | {"description": ""} == {
        "path": "order.payment.paid",
        "type": "yes or no",
        "may_be_empty": True,
        "example": True,
        "allowed": [],
        "description": "",
    }
    assert found["event.type"]["allowed"] == ["order.paid"]
    assert found["order.delivery.storage_until"]["type"] == "date"
    assert found["event.occurred_at"]["type"] == "moment"
    assert found["order.responsible_user_ids"]["type"] == "list"
    assert not fields("bonus.accrued")["bonus.amount"]["may_be_empty"]


def test_an_event_of_the_shops_own_has_its_fields_examples_and_choices(shop: Path) -> None:
    found = fields("cart.abandoned", "-c", shop)
    assert (found["cart.id"]["example"], found["cart.id"]["may_be_empty"]) == ("c-1", False)
    assert (found["cart.size"]["type"], found["cart.size"]["allowed"]) == ("text", ["small", "large"])
    assert (found["cart.rank"]["type"], found["cart.rank"]["allowed"]) == ("whole number", [1, 2])
    assert found["cart.total"]["may_be_empty"]


def test_the_table_of_one_event_names_routes_and_fields(shop: Path) -> None:
    shown = call("event", "list", "cart.abandoned", "-c", shop).stdout
    assert "cart.abandoned: A cart that was left" in shown
    assert "Routes: -" in shown
    assert any(line.split() == ["cart.size", "text", "small", "small,", "large"] for line in shown.splitlines())


def test_an_example_of_the_folder_comes_first_and_a_broken_one_is_passed_over(tmp_path: Path) -> None:
    examples = "  examples:\n    - event: broken.json\n    - event: absent.json\n    - event: mine.json\n"
    path = write(tmp_path, routes=ROUTES + examples)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "mine.json").write_text('{"type": "order.paid", "order": {"public_id": "M-1"}}')
    assert fields("order.paid", "-c", path)["order.public_id"]["example"] == "M-1"


def test_mistakes_elsewhere_keep_nobody_from_the_list(tmp_path: Path) -> None:
    """Whoever writes a route with a mistake in it wants the fields all the more."""
    path = write(tmp_path, CONFIG.replace("mode: live", "mode: dead"), ROUTES.replace("order.id", "order.idd"))
    assert next(row["routes"] for row in told("-c", path) if row["type"] == "order.paid") == ["order-paid"]


def test_a_mistake_in_an_event_of_ones_own_is_told_beside_the_list(shop: Path) -> None:
    (shop.parent / "events" / "cart.yaml").write_text(CART.replace("maxLength", "maxLenght"), "utf-8")
    found = call("event", "list", "-c", shop)
    assert (found.exit_code, "maxLenght" in found.stderr) == (FINE, True)


def test_an_event_that_is_not_there_ends_with_2_and_the_nearest(tmp_path: Path) -> None:
    found = call("event", "list", "order.payed", "-c", write(tmp_path))
    assert (found.exit_code, "order.paid" in found.stderr) == (USAGE, True)


def test_a_configuration_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    assert call("event", "list", "-c", tmp_path / "absent.yaml").exit_code == USAGE
