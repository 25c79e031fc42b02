"""Real orders (the Olist data set's CSV files) as events: life cycles by their real times, and bonuses made from them.

Rows that lack a time give no event for it; times that run backwards are kept as they are, so that a delivery may be
published before its dispatch. The files' local times carry no zone and are read as UTC-3.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

from consumer.core.model import Trouble
from consumer.demo.events import BONUSES, ORDERS, SHOP, Document, encode
from consumer.demo.shop import Publication

BRAZIL = timezone(timedelta(hours=-3))
_NAMESPACE = UUID("6f0e9a51-4b1e-5d0c-9c52-0a6d3f3c2b11")
_FILES = ("orders.csv", "customers.csv", "order_payments.csv", "order_items.csv")
_BONUS_SHARE = Decimal("0.05")
_ACCRUED_AFTER = timedelta(days=1)
_EXPIRES_AFTER = timedelta(days=90)
_WARNED_BEFORE = timedelta(days=7)
_CANCELLED_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class OlistOrder:
    """One row of `orders.csv` with what the other files know of it. A time that the row lacks is None."""

    id: str
    customer: str
    status: str
    purchased: datetime | None
    approved: datetime | None
    carried: datetime | None
    delivered: datetime | None
    estimated: datetime | None
    paid: Decimal | None
    method: str
    items: int


class Happening(NamedTuple):
    """Something that happened to an order at a time of the data set. `stage` is the order's revision."""

    at: datetime
    order: OlistOrder
    type: str
    stage: int


@dataclass(frozen=True, slots=True)
class Window:
    """What is published, and how fast: `speed` seconds of the data set take one second.

    `begin` is when publishing begins; with it, `occurred_at` is shifted to the time of publishing. Without it the
    events keep their own times, and publishing twice repeats them byte for byte. The event ids of shifted events carry
    `begin`, because one id must never stand for two payloads.
    """

    since: datetime
    until: datetime
    speed: float = 3600.0
    begin: datetime | None = None

    def moved(self, at: datetime) -> datetime:
        """The time that an event says it occurred at."""
        return at if self.begin is None else self.begin + (at - self.since) / self.speed

    @property
    def seed(self) -> str:
        return "" if self.begin is None else self.begin.isoformat()


def read_orders(folder: Path) -> list[OlistOrder] | Trouble:
    """All orders of the four CSV files; a file that is missing or of another form is a trouble that names it."""
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        return Trouble("other", f"no {', '.join(missing)} in {folder}")
    try:
        return _join(*([*_rows(folder / name)] for name in _FILES))
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        return Trouble("other", f"the files in {folder} do not look like the Olist data set: {error!r}")


def publications(orders: Iterable[OlistOrder], window: Window) -> Iterator[Publication]:
    """What happened within the window, in the order of its times, as records with their delays."""
    chosen = sorted(
        (
            happening
            for order in orders
            for happening in happenings(order)
            if window.since <= happening.at < window.until
        ),
        key=lambda happening: (happening.at, happening.order.id, happening.stage),
    )
    before = window.since
    for happening in chosen:
        delay = (happening.at - before).total_seconds() / window.speed
        before = happening.at
        yield _publication(happening, window, delay)


def happenings(order: OlistOrder) -> Iterator[Happening]:
    """The life of one order as its row tells it, bonuses included."""
    stages = (
        ("order.created", order.purchased),
        ("order.paid", order.approved),
        ("order.shipped", order.carried),
        ("order.delivered", order.delivered),
    )
    for stage, (type_, at) in enumerate(stages, 1):
        if at is not None:
            yield Happening(at, order, type_, stage)
    known = [at for _, at in stages if at is not None]
    if order.status == "canceled" and known:
        yield Happening(max(known) + _CANCELLED_AFTER, order, "order.cancelled", 5)
    if order.delivered is not None and bonus_amount(order) > 0:
        accrued = order.delivered + _ACCRUED_AFTER
        yield Happening(accrued, order, "bonus.accrued", 6)
        yield Happening(accrued + _EXPIRES_AFTER - _WARNED_BEFORE, order, "bonus.expiring", 7)


def bonus_amount(order: OlistOrder) -> int:
    """Five in a hundred of what was paid, in whole units, rounded down."""
    return int((order.paid or Decimal(0)) * _BONUS_SHARE)


# --- reading ----------------------------------------------------------------------------------------------------------


def _rows(path: Path) -> Iterator[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _join(
    orders: Iterable[Mapping[str, str]],
    customers: Iterable[Mapping[str, str]],
    payments: Iterable[Mapping[str, str]],
    items: Iterable[Mapping[str, str]],
) -> list[OlistOrder]:
    people = {row["customer_id"]: row["customer_unique_id"] for row in customers}
    counts = Counter(row["order_id"] for row in items)
    paid: defaultdict[str, list[tuple[Decimal, str]]] = defaultdict(list)
    for row in payments:
        if (value := _amount(row["payment_value"])) is not None:
            paid[row["order_id"]].append((value, row["payment_type"]))
    return [_order(row, people, paid.get(row["order_id"], []), counts[row["order_id"]]) for row in orders]


def _order(
    row: Mapping[str, str], people: Mapping[str, str], paid: list[tuple[Decimal, str]], items: int
) -> OlistOrder:
    return OlistOrder(
        id=row["order_id"],
        customer=people.get(row["customer_id"], row["customer_id"]),
        status=row["order_status"],
        purchased=_time(row["order_purchase_timestamp"]),
        approved=_time(row["order_approved_at"]),
        carried=_time(row["order_delivered_carrier_date"]),
        delivered=_time(row["order_delivered_customer_date"]),
        estimated=_time(row["order_estimated_delivery_date"]),
        paid=sum((value for value, _ in paid), Decimal(0)) if paid else None,
        method=max(paid)[1] if paid else "unknown",
        items=items,
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BRAZIL)
    except ValueError:
        return None


def _amount(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


# --- writing ----------------------------------------------------------------------------------------------------------


def _publication(happening: Happening, window: Window, delay_seconds: float) -> Publication:
    order, type_ = happening.order, happening.type
    topic, source = (ORDERS, "oms") if type_.startswith("order.") else (BONUSES, "loyalty")
    document: Document = {
        "event_id": str(uuid5(_NAMESPACE, f"{order.id}/{type_}/{window.seed}")),
        "type": type_,
        "version": 1,
        "occurred_at": window.moved(happening.at).isoformat(timespec="milliseconds"),
        "source": source,
        "shop": SHOP,
        "customer": _customer(order),
    }
    part = {"order": _order_part(happening, window)} if topic == ORDERS else {"bonus": _bonus_part(happening, window)}
    headers = (("content-type", b"application/json"), ("producer", b"olist"))
    return Publication(topic, order.customer.encode(), encode({**document, **part}), headers, delay_seconds)


def _customer(order: OlistOrder) -> Document:
    consents = {"push": True, "marketing": False}
    return {"id": order.customer, "locale": "en", "timezone": "America/Sao_Paulo", "consents": consents}


def _order_part(happening: Happening, window: Window) -> Document:
    order = happening.order
    status = happening.type.removeprefix("order.")
    shifted = window.moved(happening.at) - happening.at
    until = None if order.estimated is None else (order.estimated + shifted).date().isoformat()
    return {
        "id": order.id,
        "public_id": order.id[:8].upper(),
        "status": status,
        "source_status": order.status,
        "revision": happening.stage,
        "currency": "BRL",
        "total": str((order.paid or Decimal(0)).quantize(Decimal("0.01"), ROUND_DOWN)),
        "items_count": order.items,
        "payment": {"paid": order.approved is not None and happening.stage > 1, "method": order.method},
        "delivery": {"kind": "courier", "title": "Olist delivery", "tracking_url": None, "storage_until": until},
        "cancel_reason": "canceled" if status == "cancelled" else None,
        "responsible_user_ids": [],
    }


def _bonus_part(happening: Happening, window: Window) -> Document:
    amount = str(bonus_amount(happening.order))
    left = _EXPIRES_AFTER if happening.type == "bonus.accrued" else _WARNED_BEFORE
    return {
        "operation_id": f"b-{happening.order.id[:12]}",
        "amount": amount,
        "balance": amount,
        "reason": "5 % of a purchase",
        "order_id": happening.order.id,
        "expires_at": (window.moved(happening.at) + left).isoformat(timespec="seconds"),
        "kind": "regular",
    }
