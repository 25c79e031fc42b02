"""What `vestnik check` tells a template author of a folder as `vestnik init` writes it, with this or that changed."""

from pathlib import Path

import pytest

from consumer.app.setup import Mistakes, load_setup
from tests.app.support import edit

ORPHAN = "no route has this event for an example"


def warnings(folder: Path) -> tuple[str, ...]:
    """What is told beside the mistakes or without any."""
    found = load_setup(folder / "vestnik.yaml", {})
    assert not isinstance(found, list) or isinstance(found, Mistakes)
    return found.warnings


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("priority: normal", "priority: 7"),
        ("id: order-refunded", "bogus: 1\n  id: order-refunded"),
        ("- id: order-created", "- id: {order-created"),
        ("on: order.paid", "on: order.payd"),
    ],
)
def test_the_examples_of_a_route_with_a_mistake_are_not_taken_for_orphans(catalogue: Path, old: str, new: str) -> None:
    edit(catalogue / "routes" / "customer_orders.yaml", old, new)
    assert not [each for each in warnings(catalogue) if ORPHAN in each or "no route" in each]


def test_an_orphan_is_told_where_all_routes_are_read(catalogue: Path) -> None:
    spare = catalogue / "examples" / "spare.json"
    spare.write_text((catalogue / "examples" / "order_paid.json").read_text("utf-8"), "utf-8")
    edit(catalogue / "routes" / "customer_orders.yaml", 'expect: {title: "Заказ', 'expect: {title: "Другой')
    assert [each for each in warnings(catalogue) if ORPHAN in each] == [
        f"{spare}:1: {ORPHAN}; name it in a route, or remove it"
    ]
