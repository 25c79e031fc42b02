"""Commands for tests of the outbox: short to write."""

from itertools import count

from consumer.core.group import Group
from consumer.core.model import Command, Message, OnUnsure, Priority, Terms
from consumer.core.shelf import Live, Place, Shelf

_NUMBERS = count()
SHELF = Shelf()
READY = Message("Your order is ready", "Come and fetch it")


def wording(text: str) -> Message:
    return Message(text, "")


def terms(
    priority: Priority = Priority.NORMAL,
    within: float = 1800.0,
    on_unsure: OnUnsure = OnUnsure.REPEAT,
    *,
    ladder: bool = True,
    route: str = "order-ready",
    unique: tuple[bool, ...] = (),
) -> Terms:
    return Terms(route, priority, within, on_unsure, unique, ladder)


def command(
    *wordings: str,
    to: str = "",
    thread: int | None = None,
    rank: int = 0,
    arrived: float = 0.0,
    ttl: float = 7200.0,
    source: str = "shop.orders",
    under: Terms | None = None,
) -> Command:
    """A command with an id of its own; without a recipient it gets one of its own, too."""
    number = next(_NUMBERS)
    return Command(
        id=number.to_bytes(12),
        digest=b"\0\0\0\1",
        terms=under or terms(),
        recipient=to or f"customer-{number}",
        wordings=tuple(map(wording, wordings)) or (READY,),
        thread=thread,
        rank=rank,
        arrived=arrived,
        deadline=arrived + ttl,
        source=source,
    )


def group(*commands: Command) -> Group:
    made = Group(commands[0], SHELF)
    for each in commands:
        join(made, each)
    return made


def join(group: Group, command: Command) -> None:
    """It waits in the group."""
    SHELF.add(Live(command, [], Place.LOOSE, group=group))
    group.add(command)


def leave(group: Group, command: Command) -> None:
    """It waits there no more."""
    SHELF.pop(command.id)
    group.discard(command)
