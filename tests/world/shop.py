"""A shop that publishes events, and somebody who replays them."""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from consumer.core.backfill import Backfilled
from consumer.core.model import Position, Record
from tests.world.adapters import BACKFILL, SECOND, SOURCE
from tests.world.routes import Asking, Expected, command_id

CROWD = 60
STATUSES = ("processing", "shipped", "ready_for_pickup", "delivered")
REPLAYED_MOST = 12


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
    agreed: bool = True
    topic: str = SOURCE


@dataclass(frozen=True)
class Trade:
    """How much and of what kind a world's shop publishes. `two`: bonuses come by a topic of their own. `replays`: old
    records come by the backfill topic beside."""

    events: int
    customers: int
    seconds: float
    revisions: bool
    conflicts: bool
    two: bool
    replays: bool


class Publish(Protocol):
    """Gives a record to the broker."""

    def __call__(
        self, topic: str, key: bytes, value: bytes, partition: int | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> Record: ...


class Shop:
    """Draws events; `publish` gives one to the broker and returns its record."""

    def __init__(
        self,
        trade: Trade,
        dice: random.Random,
        publish: Publish,
        now: Callable[[], float],
    ) -> None:
        self.expected: dict[str, Expected] = {}
        self.asked: dict[Position, Asked] = {}
        self.published = 0
        self._trade = trade
        self._dice = dice
        self._publish = publish
        self._now = now
        self._number = 0
        self._revisions: dict[int, int] = {}
        self._early: list[Draft] = []
        self._sent: list[tuple[Draft, Record]] = []
        self._missed: list[tuple[Draft, Record]] = []
        self._replays = 0

    def tick(self) -> None:
        """One thing happens at the shop."""
        kind = self._dice.choices(
            ["status", "paid", "cancelled", "refunded", "accrued", "tier", "burst", "poison", "ignored"],
            [38, 16, 8, 6, 10, 8, 3, 9, 4],
        )[0]
        drafts: list[Draft] = getattr(self, f"_{kind}")()
        for draft in drafts:
            if self._trade.replays and self._dice.random() < 0.1 and draft.wants and not draft.letters:
                self._miss(draft)
            elif self._dice.random() < 0.15 and kind in ("status", "tier"):
                self._early.append(draft)  # comes out of order
            else:
                self.give(draft)
        if self._early and self._dice.random() < 0.3:
            self.give(self._early.pop(self._dice.randrange(len(self._early))))
        while self._sent and self._dice.random() < 0.12:
            self._again(self._dice.choice(self._sent[-40:])[0])
        if self._trade.replays and self._dice.random() < 0.06:
            self._replay()

    def close(self) -> None:
        """What was held back comes out."""
        for draft in self._early:
            self.give(draft)
        self._early.clear()

    def give(self, draft: Draft, partition: int | None = None) -> Record:
        record = self._publish(self._topic(draft), draft.key, draft.value, partition)
        self.published += 1
        self._ask(draft, Asking(record.position, record.timestamp))
        self._sent.append((draft, record))
        return record

    def _topic(self, draft: Draft) -> str:
        return draft.topic if self._trade.two else SOURCE

    def _ask(self, draft: Draft, asking: Asking, routes: Iterable[str] = (), salt: str = "") -> None:
        asked = Asked([], draft.letters)
        wanted = [want for want in draft.wants if not routes or want[0] in routes]
        for route, recipient, thread, rank in wanted:
            id_ = command_id(draft.event_id, route, recipient, salt)
            known = self.expected.get(id_)
            if known is None:
                known = Expected(id_, route, recipient, thread, rank, draft.occurred_at, draft.agreed)
                self.expected[id_] = known
            known.askings.append(asking)
            asked.commands.append(known)
        self.asked[asking.position] = asked

    def _again(self, draft: Draft) -> None:
        if self._trade.conflicts and draft.wants and not draft.letters and self._dice.random() < 0.15:
            self._conflict(draft)
        else:
            # Now and then by another way, which knows nothing of keys.
            self.give(draft, self._dice.randrange(3) if self._dice.random() < 0.3 else None)

    def _conflict(self, draft: Draft) -> None:
        """The same event id with another payload: each part of it is a dead letter, and the first one stands."""
        value = draft.value.replace(b'"ducky"', b'"ducky" ', 1)
        record = self._publish(self._topic(draft), draft.key, value, None)
        self.published += 1
        self.asked[record.position] = Asked([], len(draft.wants))

    # --- replays ------------------------------------------------------------------------------------------------------

    def _miss(self, draft: Draft) -> None:
        """It stood in a topic that the lane did not read then; only a replay brings it."""
        position = Position(self._topic(draft), 9, len(self._missed))
        self._missed.append((draft, Record(position, self._now(), draft.key, draft.value)))

    def _replay(self) -> None:
        """Old records come again, missed ones among them, older than what was told since."""
        dice = self._dice
        self._replays += 1
        missed, self._missed = self._missed, []
        sound = [each for each in self._sent if each[0].wants and not each[0].letters]
        chosen = missed + dice.sample(sound, min(len(sound), dice.randrange(REPLAYED_MOST)))
        chosen.sort(key=lambda each: each[1].timestamp)
        again = dice.random() < 0.2
        extend = dice.choice([0.0, 0.0, 300.0])
        routes = dice.choice([frozenset[str](), frozenset({"order-status", "bonus-accrued"})])
        for draft, record in chosen:
            old = Backfilled(record, f"r{self._replays}", routes, again, extend)
            copy = self._publish(BACKFILL, draft.key, draft.value, None, old.to_headers())
            self._ask(draft, Asking(copy.position, record.timestamp, extend), routes, old.replay if again else "")

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
        bonus = type_.startswith("bonus.")
        agreed = "bonus-expiring" not in routes or self._dice.random() < 0.85
        event = {
            "event_id": event_id,
            "type": type_,
            "version": 1,
            "occurred_at": datetime.fromtimestamp(occurred, UTC).isoformat(timespec="microseconds"),
            "source": "oms",
            "shop": "ducky",
            "customer": {"id": customer, "consents": {"push": push, "marketing": agreed}},
        } | more
        order = more.get("order", {})
        rank = order.get("revision")
        if rank is None:
            rank = round(datetime.fromisoformat(str(event["occurred_at"])).timestamp() * 1_000_000)
        wants = []
        for route in routes:
            recipients = map(str, order["responsible_user_ids"]) if route == "order-staff" else (customer,)
            for recipient in recipients:
                threads = {
                    "order-status": order.get("id"),
                    "order-staff": f"staff {order.get('id')}",
                    "bonus-tier": customer,
                }
                thread = (threads[route], recipient) if route in threads else None
                wants.append((route, recipient, thread, rank))
        value = json.dumps(event, ensure_ascii=False).encode()
        topic = SECOND if bonus else SOURCE
        return Draft(customer.encode(), value, wants, event_id, occurred, letters, agreed, topic)

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

    def _tier(self) -> list[Draft]:
        bonus = {"operation_id": f"b{self._number}", "tier": self._dice.choice(["silver", "gold", "platinum"])}
        return [self._draft("bonus.tier_changed", self._customer(), {"bonus": bonus}, "bonus-tier")]

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
