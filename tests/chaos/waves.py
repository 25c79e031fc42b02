"""What a row's shop publishes: waves of equal messages, orders that move on step by step, and a poisoned record now and
then."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from random import Random

from consumer.demo.events import Document, encode, new_event_id
from consumer.demo.shop import Publication

ROUTE = """\
- id: {kind}-{lane}
  on: {event}
  lane: {lane}
  ttl: 3h
  {more}wordings:
    - title: "Магазин"
      text: "{text}"
"""

# Fields of which a lane's check believes that they take few values: what names its one recipient could not be grouped.
KINDS = (
    ("paid", "order.paid", "Оплачено, волна {{ order.source_status }}", ""),
    ("accrued", "bonus.accrued", "Начислено, волна {{ bonus.reason }}", ""),
)
STEP = (
    "step",
    "order.processing",
    "Заказ {{ order.source_status }}, шаг {{ order.revision }}",
    "thread: event.order.id\n  ",
)


def routes(lanes: Sequence[str]) -> str:
    """Orders are told again in doubt, bonuses never; steps have a thread, and go to the first lane alone."""
    wanted = [(kind, lane) for lane in lanes for kind in KINDS] + [(STEP, lanes[0])]
    return "".join(
        _route(kind, event, text, more, lane) for (kind, event, text, more), lane in wanted
    )  # fmt: skip


def _route(kind: str, event: str, text: str, more: str, lane: str) -> str:
    made = ROUTE.format(kind=kind, event=event, text=text, more=more, lane=lane)
    # The staff's provider shows no title.
    return made if lane.startswith("app") else made.replace('- title: "Магазин"\n      text', "- text")


@dataclass(frozen=True, slots=True)
class Load:
    """`per_wave` orders and as many bonuses every `wave_seconds`, each in equal words, to different customers. Without
    `waves` it never ends. Every `poison_every`-th record is none; 0 is never."""

    seed: int = 1
    customers: int = 50
    per_wave: int = 4
    wave_seconds: float = 1.0
    waves: int | None = None
    poison_every: int = 20
    step_every: int = 2

    def publications(self, sources: Sequence[str]) -> Iterator[Publication]:
        """All records with the seconds between them."""
        dice, number = Random(self.seed), count(1)
        numbers = count() if self.waves is None else range(self.waves)
        for wave in numbers:
            events = list(self._wave(wave, sources, dice))
            for topic, customer, document in events:
                poisoned = self.poison_every and next(number) % self.poison_every == 0
                delay = self.wave_seconds / len(events)
                if poisoned:
                    value = encode(document)[:-9]
                    yield Publication(topic, customer.encode(), value, (), 0.0, poison="cut_json")
                yield Publication(topic, customer.encode(), encode(document), (), delay)

    def _wave(self, wave: int, sources: Sequence[str], dice: Random) -> Iterator[tuple[str, str, Document]]:
        names = [str(100 + number) for number in range(self.customers)]
        name = f"{self.seed}-{wave}"
        for customer in dice.sample(names, self.per_wave):
            order = {"id": f"o{self.seed}-{wave}-{customer}", "source_status": name, "revision": 1}
            yield sources[0], customer, _event("order.paid", customer, {"order": order}, dice)
        for customer in dice.sample(names, self.per_wave):
            bonus = {"amount": "5", "reason": name}
            yield sources[1], customer, _event("bonus.accrued", customer, {"bonus": bonus}, dice)
        if self.step_every and wave % self.step_every == 0:
            step, customer = wave // self.step_every, names[(wave // self.step_every // 8) % len(names)]
            name = f"t{self.seed}-{step // 8}"
            order = {"id": name, "source_status": name, "revision": step % 8 + 1}
            yield sources[0], customer, _event("order.processing", customer, {"order": order}, dice)


def _event(kind: str, customer: str, more: Document, dice: Random) -> Document:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    head = {"event_id": new_event_id(dice), "type": kind, "version": 1, "occurred_at": at, "source": "oms"}
    return {**head, "shop": "ducky", "customer": {"id": customer, "consents": {"push": True}}, **more}
