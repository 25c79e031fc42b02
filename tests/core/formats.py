"""Generated events, and the envelopes that shops put around them."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

from consumer.core.model import Position, Record
from tests.core.planning import bonus, order

Headers = tuple[tuple[str, bytes], ...]
_LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяabcxyz \"\\/'\n\t{}[]:,🎁€"
ENVELOPE = ("type", "event_id", "occurred_at", "source")


def text(dice: random.Random, least: int = 0, most: int = 30) -> str:
    return "".join(dice.choices(_LETTERS, k=dice.randint(least, most)))


def events(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Events of both families, all their fields filled in."""
    dice = random.Random(seed)
    for number in range(count):
        made = _order(dice) if dice.random() < 0.7 else _bonus(dice)
        yield made | {"event_id": f"e-{seed}-{number}", "source": dice.choice(("oms", "loyalty", "касса 7"))}


def _moment(dice: random.Random) -> str:
    clock = f"{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}"
    fraction = dice.choice(("", f".{dice.randint(0, 999):03}", f".{dice.randint(0, 999_999):06}"))
    return f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}T{clock}{fraction}{dice.choice(('Z', '+03:00'))}"


def _order(dice: random.Random) -> dict[str, Any]:
    types = ("order.created", "order.paid", "order.shipped", "order.ready_for_pickup", "order.cancelled")
    return order(
        type=dice.choice(types),
        occurred_at=_moment(dice),
        customer__id=str(dice.randint(1, 10**9)),
        order__id=str(dice.randint(1, 10**9)),
        order__public_id=text(dice, 1, 20),
        order__revision=dice.choice((None, 0, 2**53 - 1, dice.randint(1, 10**6))),
        order__total=f"{dice.randint(0, 10**7)}.{dice.randint(0, 99):02}",
        order__delivery={"title": text(dice), "storage_until": dice.choice((None, "2026-09-09"))},
        order__payment=dice.choice((None, {"paid": dice.random() < 0.5, "method": "card"})),
        order__cancel_reason=dice.choice((None, text(dice))),
        customer__consents={"push": dice.choice((True, False, None)), "marketing": None},
    )


def _bonus(dice: random.Random) -> dict[str, Any]:
    return bonus(
        type=dice.choice(("bonus.accrued", "bonus.spent", "bonus.expiring")),
        occurred_at=_moment(dice),
        bonus__amount=str(dice.randint(0, 10**5)),
        bonus__reason=text(dice),
    )


def record(value: Any, headers: Headers = (), topic: str = "shop.orders") -> Record:
    """A record; what is not bytes is written as JSON."""
    made = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    return Record(Position(topic, 0, 7), 1_788_246_905.0, b"123", made, headers)


def bare(event: dict[str, Any]) -> dict[str, Any]:
    """The event without what an envelope says for it."""
    return {name: value for name, value in event.items() if name not in (*ENVELOPE, "version")}


def attributes(event: dict[str, Any]) -> dict[str, str]:
    """The attributes of a CloudEvent that says the same."""
    return {
        "specversion": "1.0",
        "id": event["event_id"],
        "type": event["type"],
        "source": event["source"],
        "time": event["occurred_at"],
    }


def structured(event: dict[str, Any]) -> Record:
    headers = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
    return record(attributes(event) | {"datacontenttype": "application/json", "data": bare(event)}, headers)


def structured_in_base64(event: dict[str, Any]) -> Record:
    data = base64.b64encode(json.dumps(bare(event)).encode()).decode()
    return record(attributes(event) | {"data_base64": data})


def binary(event: dict[str, Any]) -> Record:
    said = tuple((f"ce_{name}", value.encode()) for name, value in attributes(event).items())
    return record(bare(event), (*said, ("content-type", b"application/json")))


def change(event: dict[str, Any]) -> Record:
    """A row of an outbox table as Debezium tells of it, with its schema."""
    row = {
        "id": event["event_id"],
        "aggregatetype": event["source"],
        "aggregateid": "5",
        "type": event["type"],
        "payload": json.dumps(bare(event) | {"occurred_at": event["occurred_at"]}, ensure_ascii=False),
    }
    source = {"connector": "postgresql", "ts_ms": 1_788_246_900_123, "table": "outbox"}
    payload = {"before": None, "after": row, "source": source, "op": "c", "ts_ms": 1_788_246_900_456}
    return record({"schema": {"type": "struct", "optional": False}, "payload": payload})


def routed(event: dict[str, Any]) -> Record:
    """What Debezium's outbox router leaves: a text with JSON in it, and the id in a header."""
    said = {name: value for name, value in event.items() if name != "event_id"}
    payload = json.dumps(said, ensure_ascii=False)
    return record({"schema": {"type": "string"}, "payload": payload}, (("id", event["event_id"].encode()),))


def routed_text(event: dict[str, Any]) -> Record:
    return record(json.dumps(event))


def framed(event: dict[str, Any]) -> Record:
    """Confluent's wire format with a JSON Schema."""
    return record(b"\0\0\0\0\x07" + json.dumps(event).encode())
