"""The order of very many groups, kept from one request to the next."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from itertools import count
from typing import Protocol, runtime_checkable

from consumer.core.group import Group
from consumer.core.model import Message, OnUnsure
from consumer.core.rows import Entry, Row, Who
from consumer.core.sizes import Sizes
from consumer.core.turn import Choice, Moment

Wording = tuple[Message, OnUnsure]

# A group moves when its turn has moved by this part of its patience: nobody notices less, and most puts cost nothing.
_MOVED = 0.01


Look = Callable[[bytes], Group | None]
"""The open group of a command, by its id; None where it is not open any more."""


class Order:
    """All open groups by their turn (`oldest + deliver_within * patience / (patience + n)`), which does not depend on
    the moment: it changes with the group alone, so nothing is sorted again.

    There is a row for each priority and `on_unsure`, and where somebody `merges` one for each coarser wording, of those
    who may go in it.
    """

    def __init__(self, sizes: Sizes, patience: float, look: Look, *, merges: bool = True) -> None:
        self.sizes = sizes
        self.merges = merges
        self._patience = patience
        self._numbers = count()
        self._count = 0
        self._look = look
        self._rows: defaultdict[tuple[OnUnsure, float], Row] = defaultdict(Row)
        self._company: defaultdict[Wording, Row] = defaultdict(Row)
        # How many groups have a wording at a level, and how many ladders end in it there.
        self._at: defaultdict[int, Counter[Wording]] = defaultdict(Counter)
        self._ends: defaultdict[int, Counter[Wording]] = defaultdict(Counter)

    def __len__(self) -> int:
        return self._count

    def group(self, who: Who) -> Group | None:
        """Whose place that is; None for one that has left it."""
        group = self._look(who) if isinstance(who, bytes) else who
        return group if group is not None and group.size else None

    @property
    def rows(self) -> Collection[tuple[OnUnsure, Row]]:
        """The rows in which anybody stands, and for which `on_unsure`."""
        return [(on_unsure, row) for (on_unsure, _), row in self._rows.items() if row]

    @property
    def steps(self) -> int:
        """The longest ladder, in steps up from full detail."""
        return max(self._at, default=0)

    def wordings(self, steps: int) -> int:
        """How many different messages are left when all go so many steps up their ladders."""
        return len(self._at[steps]) + sum(len(ends) for level, ends in self._ends.items() if level < steps)

    def company(self, message: Message, on_unsure: OnUnsure) -> Iterator[Entry]:
        """All who may go in that coarser wording, in turn."""
        return iter(self._company[message, on_unsure])

    def see(self, group: Group) -> None:
        """A group is new, has changed, or has come to its end."""
        if group.order is not self:
            if group.size:
                self._insert(group)
        elif not group.size:
            self._remove(group)
        elif abs(self._turn(group) - group.turn) > _MOVED * group.within_seconds:
            self._remove(group)
            self._insert(group)
        elif group.shown is not group.only:
            self._rename(group)

    def resume(self, group: Group) -> None:
        """Of a group of one there was no object for a while; it stands where it stood."""
        group.order, group.turn = self, self._turn(group)

    def _turn(self, group: Group) -> float:
        return group.oldest + group.within_seconds * self._patience / (self._patience + group.size)

    def _insert(self, group: Group) -> None:
        group.order, group.shown = self, group.only
        group.turn, group.place = turn, number = self._turn(group), next(self._numbers)
        due, who = group.due, group.only or group
        self._count += 1
        self._row(group).add(turn, number, due, who)
        if self.merges and group.may_coarsen:
            for wording in _coarser(group):
                self._company[wording].add(turn, number, due, who)
            self._note(group, 1)

    def _remove(self, group: Group) -> None:
        turn, number = group.turn, group.place
        group.order = None
        self._count -= 1
        self._row(group).remove(turn, number)
        if self.merges and group.may_coarsen:
            for wording in _coarser(group):
                self._company[wording].remove(turn, number)
                if not self._company[wording]:
                    del self._company[wording]
            self._note(group, -1)

    def _rename(self, group: Group) -> None:
        """It was the group of one command, and is not any more."""
        group.shown = group.only
        self._row(group).rename(group.turn, group.place, group)
        if self.merges and group.may_coarsen:
            for wording in _coarser(group):
                self._company[wording].rename(group.turn, group.place, group)

    def _row(self, group: Group) -> Row:
        return self._rows[group.terms.on_unsure, group.weight]

    def _note(self, group: Group, change: int) -> None:
        for level, message in enumerate(group.wordings[1:], 1):
            _count(self._at, level, (message, group.terms.on_unsure), change)
        _count(self._ends, len(group.wordings) - 1, (group.wordings[-1], group.terms.on_unsure), change)


def _coarser(group: Group) -> Collection[Wording]:
    """Each of its coarser wordings once."""
    on_unsure = group.terms.on_unsure
    return {(message, on_unsure): None for message in group.wordings[1:]}


def _count(levels: defaultdict[int, Counter[Wording]], level: int, wording: Wording, change: int) -> None:
    counts = levels[level]
    counts[wording] += change
    if not counts[wording]:
        del counts[wording]
    if not counts:
        del levels[level]


@runtime_checkable
class KeepsOrder(Protocol):
    """A policy that can decide by a kept order where ranking all groups at each request would cost too much."""

    def order(self, sizes: Sizes, look: Look, *, merges: bool) -> Order:
        """A new, empty one; without a quota nothing merges."""
        ...

    def brisk(self, order: Order, moment: Moment) -> Iterator[Choice]:
        """The first choices of the line, all of one `on_unsure`."""
        ...
