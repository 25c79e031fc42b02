"""The bound of the backlog, and each source's part of it."""

from collections import Counter, defaultdict
from itertools import chain

from consumer.core.group import Group
from consumer.core.model import Bounds, Command, Message

# Measured on a whole process (tests/benchmarks/waiting.py): what a waiting command takes beside its texts and its
# recipient's name, folded, with its places in all indexes; and a group, with its place in the order. The few that are
# whole take twice as much.
_COMMAND_BYTES = 430
_GROUP_BYTES = 830
# Russian text takes two bytes a character in memory.
_CHARACTER_BYTES = 2
# Sources without a share of their own never get nothing, or they would stand still for ever.
_LEAST_REST = 0.05


class Room:
    """A source has room while all that waits is below the bound, and what waits of it is below its share.

    `Bounds.shares` names parts of the bound for some sources; the sources that it does not name share what is left
    equally, at least a twentieth of the bound together. Commands without a source (restored from the journal) count in
    the whole only.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._rest = max(1.0 - sum(bounds.shares.values()), _LEAST_REST)
        self._unnamed: set[str] = set()
        self._commands = 0
        self.bytes = 0
        self._commands_of: Counter[str] = Counter()
        self._bytes_of: defaultdict[str, int] = defaultdict(int)

    @property
    def full(self) -> bool:
        """Whether the whole bound is reached."""
        return self._commands >= self._bounds.commands or self.bytes >= self._bounds.bytes

    def has_room(self, source: str) -> bool:
        if self.full:
            return False
        share = self._share(source)
        commands, size = self._commands_of[source], self._bytes_of[source]
        return commands < self._bounds.commands * share and size < self._bounds.bytes * share

    def add(self, command: Command) -> None:
        self._count(command.source, 1, command_bytes(command))

    def remove(self, command: Command) -> None:
        self._count(command.source, -1, -command_bytes(command))

    def add_group(self, group: Group) -> None:
        """The texts are shared by the whole group; the source that began it bears them."""
        self._count(group.source, 0, wordings_bytes(group.wordings))

    def remove_group(self, group: Group) -> None:
        self._count(group.source, 0, -wordings_bytes(group.wordings))

    def _count(self, source: str, commands: int, size: int) -> None:
        self._commands += commands
        self.bytes += size
        self._commands_of[source] += commands
        self._bytes_of[source] += size

    def _share(self, source: str) -> float:
        named = self._bounds.shares.get(source)
        if named is not None:
            return named
        self._unnamed.add(source)
        return self._rest / len(self._unnamed)


def command_bytes(command: Command) -> int:
    """About what a waiting command takes in memory, without its texts."""
    return _COMMAND_BYTES + _CHARACTER_BYTES * len(command.recipient)


def wordings_bytes(wordings: tuple[Message, ...]) -> int:
    """About what a group takes in memory with its texts."""
    characters = sum(map(len, filter(None, chain.from_iterable(wordings))))
    return _GROUP_BYTES + _CHARACTER_BYTES * characters
