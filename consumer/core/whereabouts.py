"""Where a live command is at this moment, and what it waits for: what only its lane's owner knows."""

from enum import StrEnum
from typing import NamedTuple

from consumer.core.desk import Desk
from consumer.core.model import Command, Position
from consumer.core.shelf import Place


class Where(StrEnum):
    """Where a command of a lane is."""

    OPEN = "open"
    HELD = "held"
    ASLEEP = "asleep"
    PARKED = "parked"
    IN_PARTS = "in_parts"
    IN_FLIGHT = "in_flight"
    IN_DOUBT = "in_doubt"


class Whereabouts(NamedTuple):
    """One live command. Open: with how many `people` its message would go out as things stand, and since when the
    oldest of them waits. Held: an older one of its thread is in flight or in doubt. In parts: its request was refused
    whole, and is being taken apart. `until`: when it sleeps no longer. Times are broker seconds."""

    where: Where
    route: str
    recipient: str
    arrived: float
    deadline: float
    positions: tuple[Position, ...]
    title: str = ""
    people: int = 0
    oldest: float = 0.0
    until: float | None = None


def whereabouts(desk: Desk, id_: bytes) -> Whereabouts | None:
    """Of a command by its id; None where the desk holds no such command."""
    live = desk.books.live.get(id_)
    if live is None:
        sleeper = desk.memory.parked.get(id_)
        return (
            None
            if sleeper is None
            else _at(Where.PARKED, sleeper.command, sleeper.positions)._replace(until=sleeper.until)
        )
    found = _at(_PLACES[live.place], live.command, tuple(live.positions))
    if found.where is Where.HELD:
        group = desk.outbox.group_of(id_)
        if group is not None:
            return found._replace(where=Where.OPEN, title=group.message.title, people=group.size, oldest=group.oldest)
    if found.where is Where.IN_FLIGHT and id_ in desk.bisection:
        return found._replace(where=Where.IN_PARTS)
    return found._replace(until=desk.lot.asleep_until(id_))


def _at(where: Where, command: Command, positions: tuple[Position, ...]) -> Whereabouts:
    return Whereabouts(where, command.terms.route, command.recipient, command.arrived, command.deadline, positions)


# What waits and is in no group waits for an older one of its thread.
_PLACES = {
    Place.WAITING: Where.HELD,
    Place.BOUND: Where.IN_FLIGHT,
    Place.IN_DOUBT: Where.IN_DOUBT,
    Place.ASLEEP: Where.ASLEEP,
}
