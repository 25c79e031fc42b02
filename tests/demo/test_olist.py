"""Real orders as events, from files with the holes and the odd times that real files have."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from consumer.core.model import Trouble
from consumer.demo.olist import BRAZIL, OlistOrder, Window, publications, read_orders
from schemas.bonus import BONUS_EVENTS
from schemas.envelope import Event
from schemas.order import ORDER_EVENTS

ORDERS = """order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,\
order_delivered_customer_date,order_estimated_delivery_date
o1,c1,delivered,2017-11-24 10:00:00,2017-11-24 10:30:00,2017-11-26 12:00:00,2017-11-25 09:00:00,2017-12-01 00:00:00
o2,c2,canceled,2017-11-24 11:00:00,,,,2017-12-01 00:00:00
o3,c3,shipped,2017-11-24 12:00:00,2017-11-24 12:01:00,broken,,
"""
CUSTOMERS = "customer_id,customer_unique_id\nc1,person1\nc2,person2\n"
PAYMENTS = "order_id,payment_type,payment_value\no1,voucher,20.50\no1,credit_card,100.00\no3,boleto,NaN\n"
ITEMS = "order_id,order_item_id\no1,1\no1,2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (
        ("orders.csv", ORDERS),
        ("customers.csv", CUSTOMERS),
        ("order_payments.csv", PAYMENTS),
        ("order_items.csv", ITEMS),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def read(folder: Path) -> list[OlistOrder]:
    orders = read_orders(folder)
    assert not isinstance(orders, Trouble)
    return orders


def window(days: int = 400, begin: datetime | None = None, speed: float = 3600.0) -> Window:
    since = datetime(2017, 11, 24, tzinfo=BRAZIL)
    return Window(since, since + timedelta(days=days), speed, begin)


def test_a_row_becomes_the_events_of_the_times_that_it_has_in_their_order(folder: Path) -> None:
    """o1 was delivered before its carrier had it, as the file says; o3's broken time gives no event."""
    documents = [json.loads(p.value) for p in publications(read(folder), window())]
    told = [(d["type"], (d.get("order") or {}).get("id") or d["bonus"]["order_id"]) for d in documents]
    assert told == [
        ("order.created", "o1"),
        ("order.paid", "o1"),
        ("order.created", "o2"),
        ("order.cancelled", "o2"),
        ("order.created", "o3"),
        ("order.paid", "o3"),
        ("order.delivered", "o1"),
        ("bonus.accrued", "o1"),
        ("order.shipped", "o1"),
        ("bonus.expiring", "o1"),
    ]


def test_each_event_is_valid_by_the_schema_of_its_type(folder: Path) -> None:
    models: dict[str, type[Event]] = {
        get_args(model.model_fields["type"].annotation)[0]: model for model in (*ORDER_EVENTS, *BONUS_EVENTS)
    }
    events = [
        models[json.loads(p.value)["type"]].model_validate_json(p.value) for p in publications(read(folder), window())
    ]
    assert len(events) == 10


def test_the_bonus_is_five_in_a_hundred_of_all_payments_rounded_down(folder: Path) -> None:
    bonuses = [json.loads(p.value)["bonus"] for p in publications(read(folder), window()) if p.topic == "shop.bonuses"]
    assert [bonus["amount"] for bonus in bonuses] == ["6", "6"]


def test_the_speed_up_divides_the_delays(folder: Path) -> None:
    slow = [p.delay_seconds for p in publications(read(folder), window(speed=1.0))]
    fast = [p.delay_seconds for p in publications(read(folder), window(speed=3600.0))]
    assert fast == pytest.approx([delay / 3600 for delay in slow])
    assert slow[1] == 1800


def test_without_a_shift_publishing_twice_repeats_every_byte_and_the_old_times_stay(folder: Path) -> None:
    first, second = (list(publications(read(folder), window())) for _ in range(2))
    assert first == second
    assert json.loads(first[0].value)["occurred_at"] == "2017-11-24T10:00:00.000-03:00"


def test_shifted_events_occur_when_they_are_published(folder: Path) -> None:
    begin = datetime(2026, 9, 1, tzinfo=UTC)
    elapsed = 0.0
    for publication in publications(read(folder), window(begin=begin)):
        elapsed += publication.delay_seconds
        occurred = datetime.fromisoformat(json.loads(publication.value)["occurred_at"])
        assert abs((occurred - begin).total_seconds() - elapsed) < 0.01


def test_shifted_events_of_another_beginning_are_other_events(folder: Path) -> None:
    """One event id with two payloads would be a conflict, and a dead letter for each."""
    begins = [datetime(2026, 9, day, tzinfo=UTC) for day in (1, 2)]
    runs = [[json.loads(p.value)["event_id"] for p in publications(read(folder), window(begin=b))] for b in begins]
    assert not set(runs[0]) & set(runs[1])


def test_only_what_happened_in_the_window_is_published(folder: Path) -> None:
    types = [json.loads(p.value)["type"] for p in publications(read(folder), window(days=1))]
    assert types == ["order.created", "order.paid", "order.created", "order.cancelled", "order.created", "order.paid"]


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "customers.csv").unlink()
    trouble = read_orders(folder)
    assert isinstance(trouble, Trouble)
    assert "customers.csv" in trouble.detail


def test_files_of_another_form_are_a_trouble_and_no_stack_trace(folder: Path) -> None:
    (folder / "orders.csv").write_text("id,name\n1,x\n", encoding="utf-8")
    trouble = read_orders(folder)
    assert isinstance(trouble, Trouble)
    assert "Olist" in trouble.detail
