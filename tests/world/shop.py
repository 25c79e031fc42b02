"""A shop that publishes events, and what must come of each, reckoned without the planner."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from typing import Any

from consumer.core.model import Record
from consumer.core.plan import Planner
from consumer.core.profile import LaneProfile, ShopProfile
from consumer.core.routes import RouteSet, load_routes

MEMORY_SECONDS = 12 * 3600.0
SHORT_TTL, LONG_TTL = 40.0, 3 * 3600.0
CROWD = 1000
STATUSES = ("processing", "shipped", "ready_for_pickup", "delivered")

ROUTES = """
- id: order-status
  on: [order.processing, order.shipped, order.ready_for_pickup, order.delivered]
  when: event.customer.consents.push
  lane: push
  thread: event.order.id
  ttl: 3h
  deliver_within: 2m
  wordings:
    - {title: "Заказ {{ order.public_id }}", text: "Теперь: {{ order.status }}"}
    - {title: "Ваш заказ", text: "Теперь: {{ order.status }}"}
    - {title: "Ваш заказ", text: "Есть новости"}
- id: order-paid
  on: order.paid
  lane: push
  priority: urgent
  ttl: 40s
  deliver_within: 20s
  wordings:
    - {title: "Оплачено", text: "Спасибо!"}
- id: order-staff
  on: order.cancelled
  lane: push
  to: event.order.responsible_user_ids
  thread: "'staff ' ~ event.order.id"
  ttl: 3h
  on_unsure: stop
  wordings:
    - {title: "Отмена", text: "Заказ {{ order.public_id }} отменён"}
    - {title: "Отмена", text: "Заказы отменены"}
- id: order-refunded
  on: order.refunded
  lane: push
  ttl: 3h
  wordings:
    - {title: "Возврат", text: "Вернём {{ order.total | money }}"}
- id: order-refunded-short
  on: order.refunded
  lane: push
  ttl: 3h
  on_unsure: stop
  wordings:
    - {title: "Возврат", text: "Деньги уже в пути"}
- id: bonus-accrued
  on: bonus.accrued
  lane: push
  ttl: 3h
  priority: low
  wordings:
    - {title: "Бонусы", text: "Вам начислили {{ bonus.amount }}"}
    - {title: "Бонусы", text: "Вам начислили бонусы"}
- id: bonus-expiring
  on: bonus.expiring
  lane: push
  ttl: 3h
  on_unsure: repeat
  priority: low
  wordings:
    - {title: "Бонусы", text: "Скоро сгорят"}
"""

STOP_ROUTES = frozenset({"order-staff", "order-refunded-short", "bonus-accrued"})
TTL_SECONDS = {"order-paid": SHORT_TTL}


@cache
def planner() -> Planner:
    """The real plan; it keeps nothing from one record to the next, so all worlds share it."""
    routes = load_routes({"world.yaml": ROUTES})
    assert isinstance(routes, RouteSet), routes
    return Planner(LaneProfile("push", {"ducky": ShopProfile("ducky", "ducky")}, memory_seconds=MEMORY_SECONDS), routes)


def command_id(event_id: str, route: str, recipient: str) -> str:
    """The documented id: a hash of (shop, source, event id, route id, recipient), each with its length before it."""
    parts = [part.encode() for part in ("ducky", "oms", "id", event_id, route, recipient)]
    return blake2b(b"".join(len(part).to_bytes(4, "big") + part for part in parts), digest_size=12).hexdigest()


@dataclass
class Expected:
    """One command that an event must become."""

    id: str
    route: str
    recipient: str
    thread: tuple[str, str] | None
    rank: int
    occurred_at: float
    records: list[Record] = field(default_factory=list)

    @property
    def stop(self) -> bool:
        return self.route in STOP_ROUTES

    @property
    def deadline(self) -> float:
        """Of the latest record that asked for it, in broker seconds."""
        return max(self._deadlines)

    @property
    def earliest_deadline(self) -> float:
        return min(self._deadlines)

    @property
    def _deadlines(self) -> list[float]:
        ttl = TTL_SECONDS.get(self.route, LONG_TTL)
        times = [(min(self.occurred_at, record.timestamp), record.timestamp) for record in self.records]
        return [min(arrived + ttl, stamp + MEMORY_SECONDS) for arrived, stamp in times]


@dataclass
class Asked:
    """What one record must become: commands, and so many dead letters."""

    commands: list[Expected]
    letters: int = 0


@dataclass
class Draft:
    """An event ready to be published, and what it becomes."""

    key: bytes
    value: bytes
    wants: list[tuple[str, str, tuple[str, str] | None, int]]
    event_id: str
    occurred_at: float
    letters: int = 0


@dataclass(frozen=True)
class Trade:
    """How much and of what kind a world's shop publishes."""

    events: int
    customers: int
    seconds: float
    revisions: bool
    conflicts: bool


class Shop:
    """Draws events; `publish` gives one to the broker and returns its record."""

    def __init__(
        self,
        trade: Trade,
        dice: random.Random,
        publish: Callable[[bytes, bytes, int | None], Record],
        now: Callable[[], float],
    ) -> None:
        self.expected: dict[str, Expected] = {}
        self.asked: dict[tuple[int, int], Asked] = {}
        self.published = 0
        self.conflicted: set[str] = set()
        self._trade = trade
        self._dice = dice
        self._publish = publish
        self._now = now
        self._number = 0
        self._revisions: dict[int, int] = {}
        self._early: list[Draft] = []
        self._sent: list[Draft] = []

    def tick(self) -> None:
        """One thing happens at the shop."""
        kind = self._dice.choices(
            ["status", "paid", "cancelled", "refunded", "accrued", "burst", "poison", "ignored"],
            [38, 16, 8, 6, 14, 3, 9, 4],
        )[0]
        drafts: list[Draft] = getattr(self, f"_{kind}")()
        for draft in drafts:
            if self._dice.random() < 0.15 and kind == "status":
                self._early.append(draft)  # comes out of order
            else:
                self.give(draft)
        if self._early and self._dice.random() < 0.3:
            self.give(self._early.pop(self._dice.randrange(len(self._early))))
        while self._sent and self._dice.random() < 0.12:
            self._again(self._dice.choice(self._sent[-40:]))

    def close(self) -> None:
        """What was held back comes out."""
        for draft in self._early:
            self.give(draft)
        self._early.clear()

    def give(self, draft: Draft, partition: int | None = None) -> Record:
        record = self._publish(draft.key, draft.value, partition)
        self.published += 1
        asked = Asked([], draft.letters)
        for route, recipient, thread, rank in draft.wants:
            id_ = command_id(draft.event_id, route, recipient)
            known = self.expected.get(id_)
            if known is None:
                known = self.expected[id_] = Expected(id_, route, recipient, thread, rank, draft.occurred_at)
            known.records.append(record)
            asked.commands.append(known)
        self.asked[record.position.partition, record.position.offset] = asked
        self._sent.append(draft)
        return record

    def _again(self, draft: Draft) -> None:
        if self._trade.conflicts and draft.wants and not draft.letters and self._dice.random() < 0.15:
            self._conflict(draft)
        else:
            # Now and then by another way, which knows nothing of keys.
            self.give(draft, self._dice.randrange(3) if self._dice.random() < 0.3 else None)

    def _conflict(self, draft: Draft) -> None:
        """The same event id with another payload: each part of it is a dead letter, and the first one stands."""
        record = self._publish(draft.key, draft.value.replace(b'"ducky"', b'"ducky" ', 1), None)
        self.published += 1
        self.asked[record.position.partition, record.position.offset] = Asked([], len(draft.wants))

    # --- events -------------------------------------------------------------------------------------------------------

    def fresh(self) -> Draft:
        """One plain event that nothing may hold up."""
        return self._draft(
            "order.processing", f"fresh-{self._number}", self._order(10_000, "processing"), "order-status"
        )

    def _customer(self) -> str:
        return f"c{self._dice.randrange(self._trade.customers)}"

    def _occurred(self) -> float:
        """Now, cut to microseconds as a text shows it."""
        return round(self._now() - self._dice.uniform(0.0, 2.0), 6)

    def _draft(
        self, type_: str, customer: str, more: dict[str, Any], *routes: str, letters: int = 0, push: bool = True
    ) -> Draft:
        self._number += 1
        event_id, occurred = f"e{self._number}", self._occurred()
        event = {
            "event_id": event_id,
            "type": type_,
            "version": 1,
            "occurred_at": datetime.fromtimestamp(occurred, UTC).isoformat(timespec="microseconds"),
            "source": "oms",
            "shop": "ducky",
            "customer": {"id": customer, "consents": {"push": push}},
        } | more
        order = more.get("order", {})
        rank = order.get("revision")
        if rank is None:
            rank = round(datetime.fromisoformat(str(event["occurred_at"])).timestamp() * 1_000_000)
        wants = []
        for route in routes:
            recipients = map(str, order["responsible_user_ids"]) if route == "order-staff" else (customer,)
            for recipient in recipients:
                threads = {"order-status": order.get("id"), "order-staff": f"staff {order.get('id')}"}
                thread = (threads[route], recipient) if route in threads else None
                wants.append((route, recipient, thread, rank))
        value = json.dumps(event, ensure_ascii=False).encode()
        return Draft(customer.encode(), value, wants, event_id, occurred, letters)

    def _order(self, number: int, status: str) -> dict[str, Any]:
        self._revisions[number] = self._revisions.get(number, 0) + 1
        order: dict[str, Any] = {
            "id": f"o{number}",
            "public_id": f"М-{number % 7}",
            "status": status,
            "responsible_user_ids": [1 + number % 3, 4 + number % 2],
        }
        if self._trade.revisions:
            order["revision"] = self._revisions[number]
        return {"order": order}

    def _status(self) -> list[Draft]:
        number = self._dice.randrange(2 * self._trade.customers)
        customer = f"c{number % self._trade.customers}"
        count = self._dice.choice([1, 1, 2, 3])
        return [
            self._draft(f"order.{status}", customer, self._order(number, status), "order-status")
            for status in self._dice.choices(STATUSES, k=count)
        ]

    def _paid(self) -> list[Draft]:
        number = self._dice.randrange(2 * self._trade.customers)
        return [
            self._draft("order.paid", f"c{number % self._trade.customers}", self._order(number, "paid"), "order-paid")
        ]

    def _cancelled(self) -> list[Draft]:
        number = self._dice.randrange(2 * self._trade.customers)
        order = self._order(number, "cancelled")
        return [self._draft("order.cancelled", f"c{number % self._trade.customers}", order, "order-staff")]

    def _refunded(self) -> list[Draft]:
        """Without a total one of two routes cannot say its text: a letter, and the other goes on."""
        customer, order = self._customer(), self._order(20_000, "refunded")
        if self._dice.random() < 0.5:
            return [self._draft("order.refunded", customer, order, "order-refunded-short", letters=1)]
        order["order"]["total"] = "100.00"
        return [self._draft("order.refunded", customer, order, "order-refunded", "order-refunded-short")]

    def _accrued(self) -> list[Draft]:
        bonus = {"operation_id": f"b{self._number}", "amount": str(self._dice.randrange(1, 6) * 50)}
        return [self._draft("bonus.accrued", self._customer(), {"bonus": bonus}, "bonus-accrued")]

    def _burst(self) -> list[Draft]:
        people = self._dice.sample(range(CROWD), self._dice.randrange(5, 25))
        bonus = {"operation_id": "burst", "amount": "100"}
        return [self._draft("bonus.expiring", f"p{person}", {"bonus": bonus}, "bonus-expiring") for person in people]

    def _poison(self) -> list[Draft]:
        bad = self._dice.choice([b"{", b"\xff\xfe", b"[]", b'{"type": "order.paid", "version": 1}'])
        return [Draft(self._customer().encode(), bad, [], "", 0.0, letters=1)]

    def _ignored(self) -> list[Draft]:
        if self._dice.random() < 0.5:
            return [self._draft("order.created", self._customer(), self._order(30_000, "created"))]
        order = self._order(30_001, "processing")
        return [self._draft("order.processing", self._customer(), order, push=False)]
