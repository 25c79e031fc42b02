"""Commands that wait with equal wordings and terms, so that one request can tell many of them."""

from collections import Counter
from heapq import heapify, heappop, heappush

from consumer.core.model import Command, Message, OnUnsure, Terms

# A heap keeps entries of commands that are gone until they come to its top; beyond this it is made anew.
_STALE_FACTOR = 2
_STALE_ROOM = 64

# A route that wants no wait at all still needs a scale for its slack.
_LEAST_WITHIN_SECONDS = 0.001

GroupKey = tuple[tuple[Message, ...], OnUnsure, float, float, bool, tuple[bool, ...]]


def group_key(command: Command) -> GroupKey:
    """What commands must have in common to be one group: everything but the route that they came from."""
    terms = command.terms
    return (
        command.wordings,
        terms.on_unsure,
        terms.weight,
        terms.deliver_within_seconds,
        terms.ladder,
        terms.unique,
    )


class Group:
    """One group of open commands. It never is empty while an outbox shows it."""

    __slots__ = (
        "_arrivals",
        "_recipients",
        "commands",
        "key",
        "source",
        "terms",
        "weight",
        "within_seconds",
        "wordings",
    )

    def __init__(self, command: Command, key: GroupKey) -> None:
        self.key = key
        self.wordings = command.wordings
        self.terms: Terms = command.terms
        # Asked for at every decision, so not looked up each time.
        self.weight = command.terms.weight
        self.within_seconds = max(command.terms.deliver_within_seconds, _LEAST_WITHIN_SECONDS)
        self.source = command.source
        self.commands: dict[bytes, Command] = {}
        self._recipients: Counter[str] = Counter()
        self._arrivals: list[tuple[float, bytes]] = []

    @property
    def size(self) -> int:
        """Unique recipients."""
        return len(self._recipients)

    @property
    def oldest(self) -> float:
        """When the oldest of its commands arrived, in broker seconds."""
        return self._top()[0]

    @property
    def due(self) -> float:
        """When its oldest command should have been delivered."""
        return self._top()[0] + self.within_seconds

    @property
    def message(self) -> Message:
        return self.wordings[0]

    @property
    def level(self) -> int:
        """The level at which it waits. A coarser one is chosen for one request only, so this is the most personal."""
        return 0

    @property
    def is_coarse(self) -> bool:
        """Nothing coarser is left."""
        return len(self.wordings) == 1

    @property
    def may_coarsen(self) -> bool:
        """There is a coarser wording, and its route lets the ladder be walked."""
        return self.terms.ladder and len(self.wordings) > 1

    @property
    def is_unique(self) -> bool:
        """Its wording names something that is the recipient's alone, so that the group cannot grow."""
        return bool(self.terms.unique) and self.terms.unique[0]

    def coarser(self, steps: int) -> tuple[Message, int]:
        """The wording that many steps up the ladder, or the last one; and its level."""
        level = min(steps, len(self.wordings) - 1)
        return self.wordings[level], level

    def add(self, command: Command) -> None:
        if command.wordings is not self.wordings:
            # Equal by the group's key: sharing one object only saves the room of the other.
            object.__setattr__(command, "wordings", self.wordings)
        self.commands[command.id] = command
        self._recipients[command.recipient] += 1
        heappush(self._arrivals, (command.arrived, command.id))

    def discard(self, id_: bytes) -> Command:
        """Take a command out; its entry in the heap goes when it comes to the top."""
        command = self.commands.pop(id_)
        left = self._recipients[command.recipient] - 1
        if left:
            self._recipients[command.recipient] = left
        else:
            del self._recipients[command.recipient]
        if len(self._arrivals) > _STALE_FACTOR * len(self.commands) + _STALE_ROOM:
            self._arrivals = [(command.arrived, command.id) for command in self.commands.values()]
            heapify(self._arrivals)
        return command

    def first(self) -> Command:
        """The command that arrived first."""
        return self.commands[self._top()[1]]

    def of_recipients(self, told: set[str]) -> list[Command]:
        """Its commands for any of these recipients."""
        if self._recipients.keys().isdisjoint(told):
            return []
        return [command for command in self.commands.values() if command.recipient in told]

    def _top(self) -> tuple[float, bytes]:
        arrivals, commands = self._arrivals, self.commands
        while arrivals[0][1] not in commands:
            heappop(arrivals)
        return arrivals[0]
