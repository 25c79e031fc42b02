"""The job that every contestant does with an event: validate it, render title and text, make the body of one POST.

It stands on pydantic and Jinja2 alone, for most contestants run in an environment of their own, without Vestnik.
"""

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

TITLE = "Заказ {{ order.public_id }} ждёт вас"
TEXT = "{{ order.delivery.title }}: приходите за заказом на {{ order.total }} ₽, код {{ order.id }}"
HEADERS = {"Content-Type": "application/json"}
EVENT_TYPE = "order.ready_for_pickup"


@dataclass(frozen=True, slots=True)
class Task:
    """What a contestant is told on its command line: where the events are, where the pushes go, and how many requests
    may be under way at once."""

    bootstrap: str
    topic: str
    group: str
    url: str
    in_flight: int
    uvloop: bool = False
    lean: bool = False

    @property
    def host(self) -> str:
        return self.url.split("/")[2]


def task() -> Task:
    """The task of this process."""
    return Task(**json.loads(sys.argv[1]))


class Consents(BaseModel):
    push: bool
    marketing: bool


class Customer(BaseModel):
    id: str
    phone: str | None = None
    locale: str | None = None
    timezone: str | None = None
    consents: Consents


class Delivery(BaseModel):
    kind: str
    title: str
    tracking_url: str | None = None
    storage_until: str | None = None


class Order(BaseModel):
    id: str
    public_id: str
    status: str
    revision: int
    total: Decimal
    currency: str
    items_count: int
    delivery: Delivery


class Event(BaseModel):
    """An order's event, as strictly read as a careful consumer would."""

    event_id: UUID
    type: str
    version: int
    occurred_at: datetime
    source: str
    shop: str
    customer: Customer
    order: Order


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_TITLE = _ENVIRONMENT.from_string(TITLE)
_TEXT = _ENVIRONMENT.from_string(TEXT)


def body_of(value: bytes) -> bytes:
    """The body of the request that this event asks for."""
    event = Event.model_validate_json(value)
    names: dict[str, Any] = {"order": event.order, "customer": event.customer}
    push = {"to": [event.customer.id], "title": _TITLE.render(names), "text": _TEXT.render(names)}
    return json.dumps(push, ensure_ascii=False).encode()
