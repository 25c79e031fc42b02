"""Every live command once, by its id: whole while it is new or under way, and folded small while it waits for long."""

import math
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto

from consumer.core import folds
from consumer.core.folds import Folds, State
from consumer.core.glimpse import Glimpse
from consumer.core.group import Group
from consumer.core.model import Command, Position, Quiet
from consumer.core.threads import Threads

# Up to so many are all whole, more than requests of 1000 have ready while they follow one another: to fold and unfold
# one takes up to 20 µs. Of more, so many are whole, those that came last.
_ALL_WHOLE = 16_384
_LAST_WHOLE = 256


class Place(IntEnum):
    """Where a live command is. What is parked is in the memory, and live again only when its time has come. `LOOSE` is
    what waits in an outbox that belongs to no desk."""

    WAITING = auto()
    BOUND = auto()
    IN_DOUBT = auto()
    ASLEEP = auto()
    LOOSE = auto()


# To look into a dictionary takes a tenth of what it takes to ask the enumeration.
_PLACES = {int(place): place for place in Place}


@dataclass(slots=True)
class Live:
    """A live command, and the records that asked for it: one command may have several, and one outcome. The first
    `settled` of them are settled already, because the command was parked. `group` is where it is open."""

    command: Command
    positions: list[Position]
    place: Place
    settled: int = 0
    group: Group | None = None


class Loners:
    """Whoever knows the groups, and may let one be folded with its only command. Of itself it lets none."""

    def fold(self, group: Group, id_: bytes) -> bool:
        """It is let go of; False where it has to stay whole."""
        return False

    def unfold(self, group: Group, id_: bytes) -> None:
        """It is whole again, as another object."""


class Shelf:
    """A mapping of live commands by id. Only what is open in a group is ever folded; who asks for it gets it whole,
    and may change it until somebody asks for another one."""

    def __init__(self, all_whole: int = _ALL_WHOLE, last_whole: int = _LAST_WHOLE) -> None:
        self._all_whole = all_whole
        self._last_whole = last_whole
        self.groups: dict[int, Group] = {}
        self.threads = Threads(self.rank)
        self.loners = Loners()
        # Nothing is folded while a request has groups in its hands.
        self.still = False
        self._lives: dict[bytes, Live | bytes] = {}
        self._whole: deque[bytes] = deque()
        self._folds = Folds()
        self._oldest: float | None = None

    def __len__(self) -> int:
        return len(self._lives)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lives)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._lives

    def __getitem__(self, id_: bytes) -> Live:
        live = self._lives[id_]
        return self._unfold(id_, live) if isinstance(live, bytes) else live

    def get(self, id_: bytes) -> Live | None:
        live = self._lives.get(id_)
        return self._unfold(id_, live) if isinstance(live, bytes) else live

    def add(self, live: Live) -> None:
        self._lives[live.command.id] = live

    def pop(self, id_: bytes) -> Live:
        live = self[id_]
        del self._lives[id_]
        return live

    def clear(self) -> None:
        self._lives.clear()
        self._whole.clear()
        self.groups.clear()

    # --- what is asked without unfolding ------------------------------------------------------------------------------

    def command(self, id_: bytes) -> Command:
        return self[id_].command

    def look(self, id_: bytes) -> Group | None:
        """The group in which a command is open, or a glimpse of one that is folded."""
        live = self._lives.get(id_)
        if isinstance(live, Live):
            return live.group
        if live is None:
            return None
        return Glimpse(self, self._folds, id_, live) if folds.is_alone(live) else self.groups[folds.group_number(live)]

    def loners_folded(self) -> Iterator[Glimpse]:
        """Of all groups that are folded."""
        for id_, live in self._lives.items():
            if isinstance(live, bytes) and folds.is_alone(live):
                yield Glimpse(self, self._folds, id_, live)

    def oldest_folded(self) -> float:
        """The earliest arrival in a group that is folded. It is looked for again only after the one that had it is
        whole."""
        if self._oldest is None:
            lives = self._lives.values()
            arrivals = [folds.arrived(each) for each in lives if isinstance(each, bytes) and folds.is_alone(each)]
            self._oldest = min(arrivals, default=math.inf)
        return self._oldest

    def stands_in(self, id_: bytes, group: Group) -> bool:
        """Whether the command is open in that group."""
        live = self._lives.get(id_)
        if isinstance(live, bytes):
            return folds.group_number(live) == group.number
        return live is not None and live.group is group

    def rank(self, id_: bytes) -> int:
        live = self._lives[id_]
        return folds.rank(live) if isinstance(live, bytes) else live.command.rank

    def open_until(self, id_: bytes) -> float | None:
        """The deadline of what is open; None of anything else."""
        live = self._lives.get(id_)
        if isinstance(live, bytes):
            return folds.deadline(live)
        return None if live is None or live.group is None else live.command.deadline

    def of_quiet(self, quiets: Collection[Quiet]) -> Iterator[bytes]:
        """Those that have one of these quiet hours."""
        for id_, live in self._lives.items():
            if (self._folds.kind(live)[2] if isinstance(live, bytes) else live.command.quiet) in quiets:
                yield id_

    def open_records(self) -> Iterator[tuple[bytes, list[Position]]]:
        """Each with the records that it keeps from being settled."""
        for id_, live in self._lives.items():
            if isinstance(live, bytes):
                yield id_, self._folds.open_positions(live)
            else:
                yield id_, live.positions[live.settled :]

    # --- folding ------------------------------------------------------------------------------------------------------

    def rest(self, id_: bytes) -> None:
        """It is in a group, and may be folded when enough others have come after it."""
        whole = self._whole
        whole.append(id_)
        if self.still:
            return
        if len(self._lives) > self._all_whole:
            for _ in range(min(2, len(whole) - self._last_whole)):
                oldest = whole.popleft()
                if oldest != id_:
                    self._fold(oldest)
        elif len(whole) > 2 * self._all_whole:
            self._whole = deque(dict.fromkeys(each for each in whole if self.open_until(each) is not None))

    def _fold(self, id_: bytes) -> None:
        live = self._lives.get(id_)
        if not isinstance(live, Live) or live.group is None:
            return
        command, group = live.command, live.group
        alone = group.only == id_ and self.loners.fold(group, id_)
        folded = self._folds.fold(command, group, live.positions, State(live.place, live.settled, alone))
        if folded is not None:
            self._lives[id_] = folded
            if command.thread is not None:
                self.threads.fold(command.thread, id_)
            if alone and self._oldest is not None:
                self._oldest = min(self._oldest, command.arrived)
        elif alone:
            self.loners.unfold(group, id_)

    def _unfold(self, id_: bytes, folded: bytes) -> Live:
        group = None if folds.is_alone(folded) else self.groups[folds.group_number(folded)]
        command, state = self._folds.unfold(id_, folded, group)
        live = Live(command, self._folds.positions(folded), _PLACES[state.place], state.settled, group)
        self._lives[id_] = live
        if group is None:
            live.group = self._restored(command, folded)
        if command.thread is not None:
            self.threads.unfold(command.thread, id_)
        self.rest(id_)
        return live

    def _restored(self, command: Command, folded: bytes) -> Group:
        """The group that was folded with its command."""
        group = Group(command, self, folds.group_number(folded))
        group.add(command)
        self._folds.restore(group, folded)
        if command.arrived == self._oldest:
            self._oldest = None
        self.loners.unfold(group, command.id)
        return group
