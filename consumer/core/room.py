"""The bound of the backlog, and each source's part of it."""

from collections import defaultdict
from itertools import chain

from consumer.core.group import Group
from consumer.core.model import Bounds, Command, Message

# Measured on a whole process (tests/benchmarks/waiting.py): what a waiting command takes beside its texts and its
# recipient's name, folded, with its places in all indexes; a group, with its place in the order; and a group that is
# folded with its only command. The few commands that are whole take three times as much.
_COMMAND_BYTES = 390
_GROUP_BYTES = 740
_FOLDED_GROUP_BYTES = 20
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
        self._loads: defaultdict[str, _Load] = defaultdict(_Load)

    @property
    def bytes(self) -> int:
        """About how much memory all that waits takes."""
        return sum([load.bytes for load in self._loads.values()])

    @property
    def full(self) -> bool:
        """Whether the whole bound is reached."""
        commands = sum([load.commands for load in self._loads.values()])
        return commands >= self._bounds.commands or self.bytes >= self._bounds.bytes

    def has_room(self, source: str) -> bool:
        if self.full:
            return False
        share = self._share(source)
        load = self._loads[source]
        return load.commands < self._bounds.commands * share and load.bytes < self._bounds.bytes * share

    def add(self, command: Command) -> None:
        load = self._loads[command.source]
        load.commands += 1
        load.bytes += command_bytes(command)

    def remove(self, command: Command) -> None:
        load = self._loads[command.source]
        load.commands -= 1
        load.bytes -= command_bytes(command)

    def add_group(self, group: Group) -> None:
        """The texts are shared by the whole group; the source that began it bears them."""
        self._loads[group.source].bytes += wordings_bytes(group.wordings)

    def remove_group(self, group: Group) -> None:
        self._loads[group.source].bytes -= wordings_bytes(group.wordings)

    def fold_group(self, group: Group) -> None:
        """It is folded with its command."""
        self._loads[group.source].bytes -= _GROUP_BYTES - _FOLDED_GROUP_BYTES

    def unfold_group(self, group: Group) -> None:
        self._loads[group.source].bytes += _GROUP_BYTES - _FOLDED_GROUP_BYTES

    def _share(self, source: str) -> float:
        named = self._bounds.shares.get(source)
        if named is not None:
            return named
        self._unnamed.add(source)
        return self._rest / len(self._unnamed)


class _Load:
    """What waits of one source."""

    __slots__ = ("bytes", "commands")

    def __init__(self) -> None:
        self.commands = 0
        self.bytes = 0


def command_bytes(command: Command) -> int:
    """About what a waiting command takes in memory, without its texts."""
    return _COMMAND_BYTES + _CHARACTER_BYTES * len(command.recipient)


def wordings_bytes(wordings: tuple[Message, ...]) -> int:
    """About what a group takes in memory with its texts."""
    characters = sum(map(len, filter(None, chain.from_iterable(wordings))))
    return _GROUP_BYTES + _CHARACTER_BYTES * characters
