"""`vestnik lane pause` and `resume`: what people say of lanes, written to the control topic and read from it."""

import getpass
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consumer.app.moments import read_ahead
from consumer.app.setup import Setup
from consumer.app.tables import all_rows, put_rows
from consumer.app.wiring import open_table
from consumer.core.control import REASON_LENGTH, TOPIC, Order, order_row, read_order


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for on the command line, as they wrote it."""

    lane: str
    paused: bool
    reason: str = ""
    until: str | None = None
    who: str | None = None


def caller() -> str:
    """Who asks, for people: the user of this process and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"[:REASON_LENGTH]


def ordered(setup: Setup, wish: Wish, now: datetime) -> Order | str:
    """The order, or what is wrong with the wish."""
    if no_lane := setup.config.no_lane(wish.lane):
        return no_lane
    if wish.paused and not wish.reason.strip():
        return "a pause needs a --reason: whoever finds the lane silent at night will read it"
    if len(wish.reason) > REASON_LENGTH or len(wish.who or "") > REASON_LENGTH:
        return f"the reason and the name have at most {REASON_LENGTH} characters"
    until = read_ahead(wish.until, now) if wish.until else None
    if isinstance(until, str):
        return until
    since = now.replace(microsecond=0)
    return Order(paused=wish.paused, who=wish.who or caller(), reason=wish.reason.strip(), since=since, until=until)


async def tell(setup: Setup, lane: str, order: Order) -> str | None:
    """Write the order; in words, why that could not be done. Every process of the lane reads it within a second."""
    return await put_rows(open_table(setup, lambda _fact: None, topic=TOPIC), [order_row(lane, order)])


async def orders(setup: Setup) -> dict[str, Order] | str:
    """The last order to each lane that ever got one, by lane; in words, why they cannot be read."""
    rows = await all_rows(open_table(setup, lambda _fact: None, topic=TOPIC))
    if isinstance(rows, str):
        return rows
    found = {key.decode(errors="replace"): read_order(value) for key, value in rows.items()}
    return {lane: order for lane, order in found.items() if order is not None}


def plain(lane: str, order: Order) -> dict[str, Any]:
    """An order for machines."""
    return {"lane": lane, **order.model_dump(mode="json")}
