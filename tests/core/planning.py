"""Events, routes and lanes for the tests of planning."""

import json
from typing import Any

from consumer.core.model import Planned, Position, Record
from consumer.core.plan import LaneProfile, Planner
from consumer.core.profile import ShopProfile
from consumer.core.routes import RouteSet, load_routes

AT = 1_788_246_905.0  # 2026-09-01T10:15:05+03:00, five seconds after the events happened
DUCKY = ShopProfile("ducky", "ducky")
SHOPS = {"ducky": DUCKY}

READY = """
- id: order-ready
  on: order.ready_for_pickup
  when: event.customer.consents.push
  lane: app
  thread: event.order.id
  priority: urgent
  ttl: 12h
  deliver_within: 5m
  wordings:
    ru:
      - title: "Заказ {{ order.public_id }} ждёт вас"
        text: "{{ order.delivery.title }}, хранится до {{ order.delivery.storage_until | day }}"
        link: "{{ lane.slug }}://account/orders/{{ order.id }}"
      - {title: "Заказ готов к выдаче", text: "Подробности в приложении.", link: "{{ lane.slug }}://account/home"}
    en:
      - {title: "Your order is ready", text: "See the app."}
"""


def order(**changes: Any) -> dict[str, Any]:
    """An order event; changes are set at the top, `order__total` sets a field of the order."""
    event: dict[str, Any] = {
        "event_id": "e-1",
        "type": "order.ready_for_pickup",
        "version": 1,
        "occurred_at": "2026-09-01T10:15:00+03:00",
        "source": "oms",
        "shop": "ducky",
        "customer": {
            "id": "123",
            "phone": "8 (999) 123-45-67",
            "install_id": None,
            "locale": "ru",
            "timezone": "Europe/Moscow",
            "consents": {"push": True, "marketing": False},
        },
        "order": {
            "id": "05671863",
            "public_id": "М-428",
            "status": "ready_for_pickup",
            "revision": 4,
            "currency": "RUB",
            "total": "29336.00",
            "items_count": 3,
            "payment": {"paid": True, "method": "card"},
            "delivery": {"kind": "pickup", "title": "ПВЗ Boxberry", "storage_until": "2026-09-09"},
            "responsible_user_ids": [17, 24, 17, 0, -3],
        },
    }
    return _changed(event, changes)


def bonus(**changes: Any) -> dict[str, Any]:
    """A bonus event."""
    event: dict[str, Any] = {
        "event_id": "b-1",
        "type": "bonus.accrued",
        "version": 1,
        "occurred_at": "2026-09-01T10:15:00+03:00",
        "source": "loyalty",
        "shop": "ducky",
        "customer": {"id": "123", "phone": "79991234567"},
        "bonus": {
            "operation_id": "b-77",
            "amount": "250",
            "balance": "1250.50",
            "reason": "За покупку",
            "order_id": "05671863",
            "expires_at": "2026-09-30T23:59:59+03:00",
            "kind": "regular",
        },
    }
    return _changed(event, changes)


def _changed(event: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for name, value in changes.items():
        *path, last = name.split("__")
        part = event
        for step in path:
            part = part[step]
        if value is ...:
            del part[last]
        else:
            part[last] = value
    return event


def record(event: dict[str, Any] | bytes | None, timestamp: float = AT, offset: int = 7) -> Record:
    value = json.dumps(event, ensure_ascii=False).encode() if isinstance(event, dict) else event
    return Record(Position("shop.orders", 2, offset), timestamp, b"123", value)


def routes(text: str = READY) -> RouteSet:
    """The routes of one file, which must have no mistakes."""
    loaded = load_routes({"routes.yaml": text})
    assert isinstance(loaded, RouteSet), loaded
    return loaded


def planner(text: str = READY, profile: LaneProfile | None = None) -> Planner:
    return Planner(profile or LaneProfile("app", SHOPS), routes(text))


def planned(made: object) -> Planned:
    assert isinstance(made, Planned), made
    return made
