"""One refused batch, and the search for those in it who are guilty."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from consumer.core.model import Command, Message, Parcel, Refused

# So many requests more than a search for one culprit takes, all refused: then it is not about single recipients.
_SPARE = 4
# Once somebody was told, twice as many: the culprits are many, but the rest of the batch is not.
_PROVEN_PATIENCE = 2
# A stuck batch is asked once more after this time: no other text may come that would decide about it.
STUCK_SECONDS = 300.0

# One recipient's commands in one parcel: they go together, so that nobody is told the same twice.
Unit = tuple[Command, ...]


def units(parcels: Iterable[Parcel]) -> list[Unit]:
    """What can be told apart: the commands of each recipient in each parcel."""
    found: list[Unit] = []
    for parcel in parcels:
        told: dict[str, list[Command]] = {}
        for command in parcel.commands:
            told.setdefault(command.recipient, []).append(command)
        found.extend(map(tuple, told.values()))
    return found


class Case:
    """One refused batch. `search` is known to hold somebody guilty, of `rest` nothing is known; `asked` is on the wire,
    and if it passes then `aside` is known to hold the guilty one and need not be asked whole."""

    def __init__(self, verdict: Refused) -> None:
        self._heads: list[Parcel] = []
        self._home: dict[bytes, int] = {}
        self.search: list[Unit] = []
        self.rest: list[Unit] = []
        self.asked: list[Unit] = []
        self.aside: list[Unit] = []
        self.condemned: list[Unit] = []
        self.proven = False
        self.verdict = verdict
        self.patience = float(_SPARE)
        self.in_a_row = 1
        self._stuck_since: float | None = None

    def join(self, parcels: Sequence[Parcel]) -> None:
        """These were refused whole. With the first ones a search begins; others wait with those that are stuck."""
        for place, parcel in enumerate(parcels, len(self._heads)):
            self._home.update((command.id, place) for command in parcel.commands)
        begins = not self._heads
        self._heads.extend(parcel._replace(commands=()) for parcel in parcels)
        if begins:
            self.search = units(parcels)
            self.patience += math.log2(len(self.search))
        else:
            self.rest.extend(units(parcels))

    @property
    def messages(self) -> frozenset[Message]:
        return frozenset(head.message for head in self._heads)

    @property
    def stuck(self) -> bool:
        """Asking on would waste the quota: more refusals in a row than any one culprit explains."""
        return self.in_a_row > self._limit

    @property
    def _limit(self) -> float:
        return self.patience * (_PROVEN_PATIENCE if self.proven else 1)

    def tend(self, now: float) -> None:
        """A stuck one may ask for one more part every five minutes; if that is told, the search goes on."""
        if not self.stuck:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        elif now - self._stuck_since >= STUCK_SECONDS:
            self._stuck_since, self.in_a_row = now, int(self._limit)

    @property
    def ready(self) -> bool:
        return not self.asked and not self.stuck and bool(self.search or self.rest)

    @property
    def over(self) -> bool:
        """Nobody is left to be asked."""
        return not (self.asked or self.aside or self.search or self.rest)

    @property
    def idle(self) -> Iterator[list[Unit]]:
        """All lists but the one on the wire."""
        yield from (self.search, self.rest, self.aside, self.condemned)

    def parcels(self, chosen: Iterable[Unit]) -> tuple[Parcel, ...]:
        at: dict[int, list[Command]] = {}
        for unit in chosen:
            at.setdefault(self._home[unit[0].id], []).extend(unit)
        return tuple(self._heads[place]._replace(commands=tuple(commands)) for place, commands in sorted(at.items()))

    def next(self) -> list[Unit]:
        """What to ask next: the first half of those among whom a culprit is; else the rest, whole. While nobody was
        told yet, after a culprit one of the rest alone: if that is told, the text is not what is wrong."""
        if self.search:
            return self.search[: max(1, len(self.search) // 2)]
        return self.rest[-1:] if self.condemned and not self.proven else self.rest

    def ask(self) -> list[Unit]:
        self.asked = self.next()
        if self.search:
            self.aside, self.search = self.search[len(self.asked) :], []
        else:
            self.rest = self.rest[: len(self.rest) - len(self.asked)]
        return self.asked

    def accepted(self) -> None:
        self.asked, self.search, self.aside = [], self.aside, []
        self.proven = True
        self.in_a_row = 0

    def refused(self, verdict: Refused) -> None:
        self.verdict = verdict
        self.in_a_row += 1
        if len(self.asked) == 1:
            self.condemned.extend(self.asked)
        else:
            self.search = self.asked
        # The last aside is the smallest, and the next to be asked.
        self.rest, self.asked, self.aside = self.rest + self.aside, [], []

    def withdraw(self, ids: Collection[bytes]) -> list[Command]:
        """Some of those who were to be asked are taken off the request before it leaves. Nothing is known any more of
        those beside them."""
        gone = [command for unit in self.asked for command in unit if command.id in ids]
        self.asked = list(_without(self.asked, ids))
        self.rest, self.aside = self.rest + self.aside, []
        return gone

    def returned(self) -> None:
        """The request did not happen."""
        if self.aside:
            self.search = self.asked + self.aside
        else:
            self.rest = self.rest + self.asked
        self.asked, self.aside = [], []

    def left(self, *, told: bool, refused: bool) -> None:
        """What was asked goes its own way, and takes what was known of the others with it."""
        self.proven = self.proven or told
        self.in_a_row = 0 if told else self.in_a_row + refused
        self.rest, self.asked, self.aside = self.rest + self.aside, [], []

    def drop(self, goes: Callable[[Command], bool]) -> list[Command]:
        """Take out who is not on the wire; whoever stays behind is not known to be guilty any more."""
        gone = [command for units_ in self.idle for unit in units_ for command in unit if goes(command)]
        if gone:
            ids = {command.id for command in gone}
            search, rest, aside, self.condemned = (list(_without(units_, ids)) for units_ in self.idle)
            if sum(map(len, search + aside)) < sum(map(len, self.search + self.aside)):
                search, rest, aside = [], rest + search + aside, []
            self.search, self.rest, self.aside = search, rest, aside
        return gone

    def everybody(self) -> list[Unit]:
        """All who are not on the wire; they are here no longer."""
        found = [unit for units_ in self.idle for unit in units_]
        self.search, self.rest, self.aside, self.condemned = [], [], [], []
        return found


def _without(chosen: Iterable[Unit], ids: Collection[bytes]) -> Iterator[Unit]:
    for unit in chosen:
        kept = tuple(command for command in unit if command.id not in ids)
        if kept:
            yield kept
