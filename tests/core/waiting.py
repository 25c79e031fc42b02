"""Commands for tests of the outbox: short to write."""

from itertools import count

from consumer.core.group import Group, group_key
from consumer.core.model import Command, Message, OnUnsure, Priority, Terms

_NUMBERS = count()
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
    made = Group(commands[0], group_key(commands[0]))
    for each in commands:
        made.add(each)
    return made
