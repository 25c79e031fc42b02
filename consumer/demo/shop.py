"""A small lively shop: orders live, bonuses come and go, and some producers misbehave, all from one seed."""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import NamedTuple

from consumer.demo.events import (
    BONUSES,
    NOBODY,
    ORDERS,
    Customer,
    Document,
    Order,
    bonus_event,
    encode,
    make_bonus,
    make_customer,
    make_order,
    new_event_id,
    order_event,
)
from consumer.demo.lifecycle import PATHS, PICKUP_POINTS, Step, choose_path
from consumer.demo.poison import SPOILS

Headers = tuple[tuple[str, bytes], ...]

# Bonus operations of their own, and how often each happens.
_BONUS_WEIGHTS = {
    "bonus.accrued": 8,
    "bonus.activated": 5,
    "bonus.expiring": 5,
    "bonus.spent": 2,
    "bonus.expired": 2,
    "bonus.tier_changed": 1,
}

# What the loyalty system says when an order gets so far, and how often.
_FOLLOW_UPS = {
    "order.paid": ("bonus.spent", 0.2),
    "order.delivered": ("bonus.accrued", 0.5),
    "order.cancelled": ("bonus.returned", 0.6),
}


class Publication(NamedTuple):
    """One record to publish, `delay_seconds` after the one before it. `poison` names how it is broken; a record with a
    poison must become a dead letter."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    delay_seconds: float
    poison: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the shop publishes, and how many records a second outside of bursts. The shares are parts of one."""

    seconds: float = 60.0
    per_second: float = 6.0
    customers: int = 400
    burst: int = 60
    bonus_share: float = 0.3
    repeat_share: float = 0.05
    disorder_share: float = 0.03
    oddity_share: float = 0.02
    poison_every_seconds: float = 5.0


@dataclass(slots=True)
class _Life:
    order: Order
    steps: deque[Step]


@dataclass(slots=True)
class Shop:
    """One run of the shop: the same dice, beginning and pace give the same records, byte for byte."""

    random: Random
    begin: datetime
    pace: Pace = field(default_factory=Pace)
    _customers: list[Customer] = field(default_factory=list)
    _lives: list[tuple[float, int, _Life]] = field(default_factory=list)
    _held: deque[Publication] = field(default_factory=deque)
    _recent: deque[Publication] = field(default_factory=lambda: deque(maxlen=40))
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _now: float = 0.0

    def publications(self) -> Iterator[Publication]:
        """All records of the run in the order of their publishing; the delays add up to at most `pace.seconds`."""
        self._customers = [make_customer(number, self.random) for number in range(self.pace.customers)]
        agenda = self._agenda()
        while True:
            delay = self.random.expovariate(self.pace.per_second)
            if self._now + delay > self.pace.seconds:
                return
            self._now += delay
            yield self._tick()._replace(delay_seconds=delay)
            while agenda and agenda[0][0] <= self._now:
                yield from self._occasion(agenda.popleft()[1])

    def _agenda(self) -> deque[tuple[float, str]]:
        """What happens at a fixed time: three bursts, and a poisoned record every few seconds from the start on."""
        seconds, names = self.pace.seconds, list(SPOILS)
        bursts = [(0.15, "pickup_run"), (0.4, "accrual_run"), (0.7, "expiring_run")]
        poisons = max(len(names), int(seconds / self.pace.poison_every_seconds))
        occasions = [(share * seconds, name) for share, name in bursts]
        occasions += [((n + 0.5) / (poisons + 1) * seconds, names[n % len(names)]) for n in range(poisons)]
        return deque(sorted(occasions))

    def _occasion(self, name: str) -> Iterator[Publication]:
        if name == "pickup_run":
            yield from self._pickup_run()
        elif name == "accrual_run":
            yield from self._bonus_run("bonus.accrued", self.pace.burst)
        elif name == "expiring_run":
            yield from self._bonus_run("bonus.expiring", self.pace.burst // 2)
        else:
            yield self._poisoned(name)

    # --- one record -----------------------------------------------------------------------------------------------

    def _tick(self) -> Publication:
        if self._held:
            return self._held.popleft()
        dice = self.random.random()
        for share, act in (
            (self.pace.repeat_share, self._repeated),
            (self.pace.oddity_share, self._oddity),
            (self.pace.bonus_share, self._bonus),
        ):
            if dice < share:
                return act()
            dice -= share
        return self._order()

    def _repeated(self) -> Publication:
        """A producer that was not sure and said it again: the same bytes under the same event id."""
        return self.random.choice(self._recent) if self._recent else self._bonus()

    def _oddity(self) -> Publication:
        """What a consumer must pass over: events about nobody, and types that it does not know."""
        document = self._bonus_document(NOBODY, "bonus.accrued")
        if self.random.random() < 0.5:
            document = {**self._bonus_document(self._someone(), "bonus.accrued"), "type": "bonus.gift_wrapped"}
        return self._publication(BONUSES, None, document)

    def _bonus(self) -> Publication:
        type_ = self.random.choices(list(_BONUS_WEIGHTS), weights=list(_BONUS_WEIGHTS.values()))[0]
        customer = self._someone()
        return self._publication(BONUSES, customer, self._bonus_document(customer, type_))

    def _order(self) -> Publication:
        """The next step of the order that is due, or a new order."""
        due = self._lives and self._lives[0][0] <= self._now
        life = heapq.heappop(self._lives)[2] if due else self._new_life()
        if len(life.steps) > 1 and self.random.random() < self.pace.disorder_share:
            return self._two_in_disorder(life)
        return self._step(life)

    def _new_life(self) -> _Life:
        path = choose_path(self.random, PATHS)
        order = make_order(next(self._numbers), self._someone(), path.kind, self.random)
        return _Life(order, deque(path.steps))

    def _step(self, life: _Life) -> Publication:
        publication = self._said(life)
        if life.steps:
            due = self._now + life.steps[0].gap_seconds(self.random)
            heapq.heappush(self._lives, (due, next(self._numbers), life))
        return publication

    def _said(self, life: _Life) -> Publication:
        order, step = life.order, life.steps.popleft()
        order.revision += 1
        order.paid = step.type != "order.refunded" and (order.paid or step.type == "order.paid")
        document = order_event(order, step, new_event_id(self.random), self._at())
        self._follow_up(order, step)
        return self._publication(ORDERS, order.customer, document)

    def _follow_up(self, order: Order, step: Step) -> None:
        type_, share = _FOLLOW_UPS.get(step.type, ("", 0.0))
        if self.random.random() < share:
            document = self._bonus_document(order.customer, type_, order.id)
            self._held.append(self._publication(BONUSES, order.customer, document))

    def _two_in_disorder(self, life: _Life) -> Publication:
        """Two steps of one order that overtook each other on the way; the older one comes with the next record."""
        older = self._said(life)
        newer = self._step(life)
        self._held.appendleft(older)
        return newer

    # --- many at once ---------------------------------------------------------------------------------------------

    def _pickup_run(self) -> Iterator[Publication]:
        """A lorry came: a morning's orders wait at one pickup point. They were made before the shop's run began."""
        point = self.random.choice(PICKUP_POINTS)
        for _ in range(self.pace.burst // 2):
            order = make_order(next(self._numbers), self._someone(), "pickup", self.random)
            order.title, order.paid, order.revision = point, True, 5
            steps = next(path for path in PATHS if path.name == "picked_up").steps[5:]
            yield self._step(_Life(order, deque(steps)))

    def _bonus_run(self, type_: str, size: int) -> Iterator[Publication]:
        """A nightly job: one operation for many customers, in equal words."""
        bonus = make_bonus(type_, next(self._numbers), self._at(), self.random)
        for customer in self.random.sample(self._customers, min(size, len(self._customers))):
            own = {**bonus, "operation_id": f"b-{next(self._numbers)}"}
            document = bonus_event(customer, own, type_, new_event_id(self.random), self._at())
            yield self._publication(BONUSES, customer, document)

    # --- the pieces -----------------------------------------------------------------------------------------------

    def _poisoned(self, name: str) -> Publication:
        customer = self._someone()
        life = _Life(make_order(next(self._numbers), customer, "pickup", self.random), deque(PATHS[0].steps))
        life.order.revision = 1
        document = order_event(life.order, life.steps[0], new_event_id(self.random), self._at())
        return Publication(ORDERS, customer.key, SPOILS[name](document), (), 0.0, poison=name)

    def _bonus_document(self, customer: Customer, type_: str, order_id: str | None = None) -> Document:
        bonus = {**make_bonus(type_, next(self._numbers), self._at(), self.random), "order_id": order_id}
        return bonus_event(customer, bonus, type_, new_event_id(self.random), self._at())

    def _publication(self, topic: str, customer: Customer | None, document: Document) -> Publication:
        key = customer.key if customer else None
        headers = (("content-type", b"application/json"), ("producer", str(document["source"]).encode()))
        publication = Publication(topic, key, encode(document), headers, 0.0)
        self._recent.append(publication)
        return publication

    def _someone(self) -> Customer:
        return self.random.choice(self._customers)

    def _at(self) -> datetime:
        return self.begin + timedelta(seconds=self._now)
