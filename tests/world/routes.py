"""The routes of the worlds, the planner that reads them, and what must come of each, reckoned without the planner."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b

from consumer.core.model import Position
from consumer.core.plan import Planner
from consumer.core.profile import LaneProfile, QuietProfile, ShopProfile
from consumer.core.routes import RouteSet, load_routes
from tests.world.adapters import BACKFILL

MEMORY_SECONDS = 12 * 3600.0
SHORT_TTL, LONG_TTL = 40.0, 3 * 3600.0

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
  quiet: hold
  wordings:
    - {title: "Бонусы", text: "Вам начислили {{ bonus.amount }}"}
    - {title: "Бонусы", text: "Вам начислили бонусы"}
- id: bonus-expiring
  on: bonus.expiring
  lane: push
  ttl: 3h
  on_unsure: repeat
  priority: low
  marketing: true
  quiet: drop
  wordings:
    - {title: "Бонусы", text: "Скоро сгорят"}
- id: bonus-tier
  on: bonus.tier_changed
  lane: push
  thread: event.customer.id
  ttl: 3h
  on_unsure: repeat
  quiet: hold
  wordings:
    - {title: "Бонусы", text: "Ваш уровень: {{ bonus.tier }}"}
    - {title: "Бонусы", text: "Ваш уровень изменился"}
"""

STOP_ROUTES = frozenset({"order-staff", "order-refunded-short", "bonus-accrued"})
HELD_AT_NIGHT = frozenset({"bonus-accrued", "bonus-tier"})
DROPPED_AT_NIGHT = frozenset({"bonus-expiring"})
MARKETING = frozenset({"bonus-expiring"})
TTL_SECONDS = {"order-paid": SHORT_TTL}


@cache
def planner(quiet: QuietProfile | None) -> Planner:
    """The real plan; it keeps nothing from one record to the next, so all worlds of the same night share it."""
    routes = load_routes({"world.yaml": ROUTES})
    assert isinstance(routes, RouteSet), routes
    shop = ShopProfile("ducky", "ducky", timezone="UTC", quiet=quiet)
    return Planner(LaneProfile("push", {"ducky": shop}, memory_seconds=MEMORY_SECONDS, backfill=BACKFILL), routes)


def command_id(event_id: str, route: str, recipient: str, salt: str = "") -> str:
    """The documented id: a hash of (shop, source, event id, route id, recipient), each with its length before it. A
    replay that tells again mixes its own id in."""
    words = ["ducky", "oms", "id", event_id, route, recipient] + ([salt] if salt else [])
    parts = [word.encode() for word in words]
    return blake2b(b"".join(len(part).to_bytes(4, "big") + part for part in parts), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Asking:
    """A record that asked for a command: where it stands, when it first stood, and what a replay adds to the ttl."""

    position: Position
    stamp: float
    extend_seconds: float = 0.0


@dataclass
class Expected:
    """One command that an event must become."""

    id: str
    route: str
    recipient: str
    thread: tuple[str, str] | None
    rank: int
    occurred_at: float
    agreed: bool = True
    askings: list[Asking] = field(default_factory=list)

    @property
    def stop(self) -> bool:
        return self.route in STOP_ROUTES

    @property
    def deadline(self) -> float:
        """The latest that any record gives it, in broker seconds."""
        return max(self._deadlines)

    @property
    def earliest_deadline(self) -> float:
        return min(self._deadlines)

    @property
    def _deadlines(self) -> Sequence[float]:
        ttl = TTL_SECONDS.get(self.route, LONG_TTL)
        return [
            min(min(self.occurred_at, each.stamp) + ttl + each.extend_seconds, each.stamp + MEMORY_SECONDS)
            for each in self.askings
        ]
