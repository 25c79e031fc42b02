"""The work: orders, each with words and a request of its own; accruals of twelve texts, which share them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import yaml

from consumer.catalogue import catalogue_files
from consumer.demo.events import SHOP, Customer, bonus_event, encode, make_bonus, make_order, order_event
from consumer.demo.lifecycle import Step
from tests.benchmarks.contestants.job import EVENT_TYPE, TEXT, TITLE

READY = Step(EVENT_TYPE, "arrived", 0.0, 0.0)
# In two languages these make twelve texts.
AMOUNTS = ("50", "100", "150", "250", "500", "1000")


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of work. `events` makes so many of a seed, no two of one customer; `lane` is what the lane has beside
    its provider."""

    name: str
    events: Callable[[int, int], list[bytes]]
    route: dict[str, Any]
    recipients_per_request: int
    lane: dict[str, Any] = field(default_factory=dict)


def customer_of(number: int, seed: int, random: Random) -> Customer:
    """Customers of different seeds are different; all agree to be told."""
    phone, locale = f"79{random.randrange(10**9):09d}", random.choice(("ru", "en"))
    return Customer(str(10_000_000 * seed + number), phone, locale, "Europe/Moscow", push=True, marketing=True)


def _event_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def order_events(count: int, seed: int) -> list[bytes]:
    """Orders that wait to be fetched."""
    random, at, found = Random(seed), datetime.now(UTC), []
    for number in range(count):
        order = make_order(10_000 * seed + number, customer_of(number, seed, random), "pickup", random)
        order.revision = 1
        found.append(encode(order_event(order, READY, _event_id(random), at)))
    return found


def bonus_events(count: int, seed: int) -> list[bytes]:
    """Accruals of one night."""
    random, at, found = Random(seed), datetime.now(UTC), []
    for number in range(count):
        customer = customer_of(number, seed, random)
        bonus = {**make_bonus("bonus.accrued", number, at, random), "amount": random.choice(AMOUNTS)}
        bonus["operation_id"] = f"b-{seed}-{number}"
        found.append(encode(bonus_event(customer, bonus, "bonus.accrued", _event_id(random), at)))
    return found


def _catalogue(route: str) -> dict[str, Any]:
    files = {path: text for path, text in catalogue_files().items() if path.startswith("routes/")}
    every = [each for text in files.values() for each in yaml.safe_load(text)]
    found: dict[Any, Any] = next(each for each in every if each["id"] == route)
    # The examples lie beside the catalogue; and a plain reader of YAML takes `on` for yes.
    return {{True: "on"}.get(name, name): value for name, value in found.items() if name != "examples"}


ORDERS = Job(
    "orders",
    order_events,
    {
        "id": "order-ready",
        "on": EVENT_TYPE,
        "when": "event.customer.consents.push",
        "to": "event.customer",
        "thread": "event.order.id",
        "ttl": "12h",
        "deliver_within": "5m",
        "wordings": [{"title": TITLE, "text": TEXT}],
    },
    recipients_per_request=1,
    lane={"in_flight": 256},
)
COALESCED = Job(
    "coalesced",
    bonus_events,
    _catalogue("bonus-accrued"),
    recipients_per_request=1000,
    # Few at once: while they are under way, the groups grow.
    lane={"in_flight": 2},
)


def configuration(job: Job, bootstrap: str, lane: str, topic: str, url: str) -> dict[str, Any]:
    """A lane without a quota, if the job does not say otherwise: nothing but the work itself holds it back."""
    provider = {
        "type": "webhook",
        "url": url,
        "body": {"to": "{{ recipients }}", "title": "{{ title }}", "text": "{{ text }}"},
        "answers": [{"when": "status == `200`", "verdict": "delivered"}],
        "recipients_per_request": job.recipients_per_request,
    }
    return {
        "kafka": {"bootstrap": bootstrap},
        "topics": {"sources": [topic]},
        "shops": {SHOP: {"slug": SHOP}},
        "lanes": {lane: {"provider": provider, "mode": "live", "start_at": "earliest", **job.lane}},
        "admin": {"port": 0},
        "logs": {"level": "warning"},
    }


def routes(job: Job, lane: str) -> list[dict[str, Any]]:
    """The job's one route."""
    copied: dict[str, Any] = json.loads(json.dumps(job.route))
    return [{**copied, "lane": lane}]
