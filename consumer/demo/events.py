"""Event documents as a shop's order system and its loyalty system would publish them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from uuid import UUID

from consumer.demo.lifecycle import BONUS_AMOUNTS, BONUS_REASONS, CANCEL_REASONS, TIERS, TITLES_BY_KIND, Step

SHOP = "ducky"
ORDERS = "shop.orders"
BONUSES = "shop.bonuses"
MOSCOW = timezone(timedelta(hours=3))

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who buys. Three in a hundred are known by their phone alone."""

    id: str | None
    phone: str | None
    locale: str
    timezone: str
    push: bool
    marketing: bool

    @property
    def key(self) -> bytes | None:
        """The record's key: whoever the events are about, so that they stay in order in one partition."""
        name = self.id or self.phone
        return name.encode() if name else None

    def document(self) -> Document:
        return {
            "id": self.id,
            "phone": self.phone,
            "install_id": None,
            "locale": self.locale,
            "timezone": self.timezone,
            "consents": {"push": self.push, "marketing": self.marketing},
        }


NOBODY = Customer(None, None, "ru", "Europe/Moscow", push=True, marketing=False)

_ZONES = (*("Europe/Moscow",) * 3, "Asia/Yekaterinburg", "Asia/Novosibirsk", "Asia/Vladivostok")


def make_customer(number: int, random: Random) -> Customer:
    """The customer of that number; nine in ten read Russian, nearly all agreed to pushes."""
    return Customer(
        id=str(100_000 + number) if random.random() < 0.97 else None,
        phone=f"79{random.randrange(10**9):09d}",
        locale="ru" if random.random() < 0.9 else "en",
        timezone=random.choice(_ZONES),
        push=random.random() < 0.97,
        marketing=random.random() < 0.6,
    )


def new_event_id(random: Random) -> str:
    """A version 4 UUID from the shop's own dice, so that one seed gives one history."""
    return str(UUID(int=random.getrandbits(128), version=4))


@dataclass(slots=True)
class Order:
    """An order while it lives. `revision` grows with each event."""

    id: str
    public_id: str
    customer: Customer
    kind: str
    title: str
    total_kopecks: int
    items_count: int
    method: str
    manager: int
    courier: int | None
    cancel_reason: str
    revision: int = 0
    paid: bool = False

    def document(self, step: Step, at: datetime) -> Document:
        """The event of this step, said at that time. The caller has raised `revision` already."""
        return {
            "id": self.id,
            "public_id": self.public_id,
            "status": step.status,
            "source_status": step.source_status,
            "revision": self.revision,
            "currency": "RUB",
            "total": money(self.total_kopecks),
            "items_count": self.items_count,
            "payment": {"paid": self.paid, "method": self.method},
            "delivery": self._delivery(step, at),
            "cancel_reason": self.cancel_reason if step.type == "order.cancelled" else None,
            "responsible_user_ids": [self.manager] if self.courier is None else [self.manager, self.courier],
        }

    def _delivery(self, step: Step, at: datetime) -> Document:
        kept_days = {"order.ready_for_pickup": 7, "order.storage_expiring": 2}.get(step.type)
        until = None if kept_days is None else (at + timedelta(days=kept_days)).date().isoformat()
        tracking = f"https://track.ducky.example/{self.id}" if self.kind != "store" else None
        return {"kind": self.kind, "title": self.title, "tracking_url": tracking, "storage_until": until}


_LETTERS = "АБВМСТ"


def make_order(number: int, customer: Customer, kind: str, random: Random) -> Order:
    """The order of that number, travelling as `kind` says."""
    return Order(
        id=f"{5_670_000 + number:08d}",
        public_id=f"{random.choice(_LETTERS)}-{100 + number}",
        customer=customer,
        kind=kind,
        title=random.choice(TITLES_BY_KIND[kind]),
        total_kopecks=random.randrange(390, 42_000) * 100 + random.choice((0, 0, 0, 50, 90)),
        items_count=random.choice((1, 1, 1, 2, 2, 3, 5)),
        method=random.choice(("card", "card", "sbp", "cash")),
        manager=random.randint(11, 19),
        courier=random.randint(31, 38) if kind == "courier" else None,
        cancel_reason=random.choice(CANCEL_REASONS),
    )


def money(kopecks: int) -> str:
    """Roubles as a decimal string with two places."""
    return f"{kopecks // 100}.{kopecks % 100:02d}"


def order_event(order: Order, step: Step, event_id: str, at: datetime) -> Document:
    return {
        **_envelope(event_id, step.type, at, "oms"),
        "customer": order.customer.document(),
        "order": order.document(step, at),
    }


def bonus_event(customer: Customer, bonus: Mapping[str, object], type_: str, event_id: str, at: datetime) -> Document:
    return {**_envelope(event_id, type_, at, "loyalty"), "customer": customer.document(), "bonus": dict(bonus)}


def make_bonus(type_: str, number: int, at: datetime, random: Random) -> Document:
    """One operation on a bonus account; the balance says nothing the text needs, the amount is one of a few."""
    amount = random.choice(BONUS_AMOUNTS)
    bonus: Document = {
        "operation_id": f"b-{number}",
        "amount": str(amount),
        "balance": str(amount + random.choice((0, 100, 250, 1000))),
        "reason": BONUS_REASONS[type_],
        "order_id": None,
        "expires_at": _expiry(type_, at),
        "kind": "regular",
    }
    if type_ == "bonus.tier_changed":
        bonus["tier"] = random.choice(TIERS)
    return bonus


def _expiry(type_: str, at: datetime) -> str | None:
    """The end of a day: in a week for what runs out soon, in ninety days for what is new."""
    days = {"bonus.expiring": 7, "bonus.accrued": 90, "bonus.activated": 90, "bonus.expired": 0}.get(type_)
    if days is None:
        return None
    end = at.astimezone(MOSCOW) + timedelta(days=days)
    return end.replace(hour=23, minute=59, second=59, microsecond=0).isoformat()


def _envelope(event_id: str, type_: str, at: datetime, source: str) -> Document:
    return {
        "event_id": event_id,
        "type": type_,
        "version": 1,
        "occurred_at": at.astimezone(MOSCOW).isoformat(timespec="milliseconds"),
        "source": source,
        "shop": SHOP,
    }


def encode(document: Document) -> bytes:
    """The bytes of a record, as a producer writes them."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
