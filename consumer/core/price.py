"""Turn and price: the policy that sends the least in coarser wordings (rule R)."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from consumer.core.group import Group
from consumer.core.model import Message, OnUnsure
from consumer.core.turn import Choice, Moment, slack_with_ladder

Wording = tuple[Message, OnUnsure]


@dataclass(frozen=True, slots=True)
class Prices:
    """The constants of the rule. They were chosen on one synthetic day; a shop's own topic may want others.

    `patience`: a group of so many recipients has half the patience of a lonely one. `soon_gaps`: how far ahead small
    groups are merged with one that is due. `ladder`: the prices that are tried; its end keeps one tight moment from
    sending whole bursts coarse. `overload_seconds`: lateness at which weighted slack decides instead.
    """

    patience: float = 200.0
    soon_gaps: float = 100.0
    ladder: tuple[int, ...] = (0, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256)
    overload_seconds: float = 300.0


@dataclass(slots=True)
class TurnAndPrice:
    """One lane's policy; it remembers its last price, so each lane needs its own.

    1. `due = oldest + deliver_within - gap`, `turn = oldest + deliver_within * 200 / (200 + n)`; groups go in turn.
    2. While the last price was above 1, groups that are unique to a recipient stand merged in their coarser wording:
       they cannot grow.
    3. The price is the smallest number of recipients at which nobody is later than if everything small went coarse.
    4. The head is the first in turn with at least that many. It goes, unless a smaller group is due within a gap and
       before it: then all small groups of that one's coarser wording that are due soon go together.
    5. When even the highest price leaves somebody more than five minutes late, weighted slack decides.

    A batch of several parcels is filled up with the other groups in turn, those that are worth the price first.
    """

    prices: Prices = field(default_factory=Prices)
    last_price: int = 0

    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        if not groups:
            return
        queue = _Queue(groups, moment, self.prices, merge_unique=self.last_price > 1)
        highest = queue.lateness(self.prices.ladder[-1])
        self.last_price = queue.price(highest)
        if highest > self.prices.overload_seconds:
            yield from slack_with_ladder.line(groups, moment)
            return
        first = queue.first(self.last_price)
        yield first
        yield from queue.others(first, self.last_price)

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        return next(self.line(groups, moment), None)


class _Standing:
    """A group as the queue sees it, or several that stand merged."""

    __slots__ = ("coarser", "due", "groups", "level", "message", "on_unsure", "size", "target_level", "turn")

    def __init__(self, groups: Sequence[Group], level: int, moment: Moment, patience: float) -> None:
        first = groups[0]
        self.groups = groups
        self.message, self.level = first.coarser(level)
        self.on_unsure = first.terms.on_unsure
        self.size = sum(group.size for group in groups)
        self.due = min(group.due for group in groups) - moment.gap_seconds
        hurry = patience / (patience + self.size)
        self.turn = min(group.oldest + group.within_seconds * hurry for group in groups)
        message, self.target_level = first.coarser(level + 1) if first.terms.ladder else (self.message, self.level)
        self.coarser: Wording | None = (message, self.on_unsure) if self.target_level > self.level else None

    @property
    def wording(self) -> Wording:
        return (self.message, self.on_unsure)

    @property
    def choice(self) -> Choice:
        return Choice(tuple(self.groups), self.message, self.level)


class _Queue:
    """All open groups in the order of their turn."""

    def __init__(self, groups: Sequence[Group], moment: Moment, prices: Prices, *, merge_unique: bool) -> None:
        self._moment = moment
        self._prices = prices
        self._soon = moment.now + prices.soon_gaps * moment.gap_seconds
        standings = _standings(groups, moment, prices.patience, merge_unique=merge_unique)
        self._line = sorted(standings, key=lambda standing: standing.turn)

    def lateness(self, price: int) -> float:
        """How late the latest would be, in seconds, if everything smaller than the price went coarse when it is due."""
        latest, position = 0.0, 0
        walked: dict[Wording, int] = {}
        for standing in self._line:
            if standing.size >= price or standing.coarser is None:
                walked.setdefault(standing.wording, position)
                latest = max(latest, self._sent_at(position) - standing.due)
                position += math.ceil(standing.size / self._moment.capacity.recipients)
            elif standing.due <= self._soon:
                place = walked.setdefault(standing.coarser, position)
                latest = max(latest, self._sent_at(place) - standing.due)
                position += place == position
        return latest

    def price(self, highest: float) -> int:
        """The smallest price that makes nobody later than the highest one does."""
        ladder = self._prices.ladder
        place = bisect_left(ladder[:-1], True, key=lambda price: self.lateness(price) <= highest)
        return ladder[place]

    def first(self, price: int) -> Choice:
        """What goes now."""
        head = next((standing for standing in self._line if standing.size >= price), None)
        hot = self._hot(price)
        if hot is None or (head is not None and head.due <= min(self._moment.now, hot.due)):
            return (head or self._line[0]).choice
        return self._together(hot, price)

    def others(self, first: Choice, price: int) -> Iterator[Choice]:
        """What goes with it where a request carries several messages."""
        gone = set(map(id, first.groups))
        rest = [standing for standing in self._line if id(standing.groups[0]) not in gone]
        for standing in sorted(rest, key=lambda standing: standing.size < price):
            yield standing.choice

    def _sent_at(self, position: int) -> float:
        return self._moment.now + position // self._moment.capacity.parcels * self._moment.gap_seconds

    def _hot(self, price: int) -> _Standing | None:
        within = self._moment.now + self._moment.gap_seconds
        small = (standing for standing in self._line if standing.size < price and standing.due <= within)
        return min(small, key=lambda standing: standing.due, default=None)

    def _together(self, hot: _Standing, price: int) -> Choice:
        """Deciding late and together is what saves: one small group merged alone saves nothing."""
        target = hot.coarser or hot.wording
        company = [
            standing
            for standing in self._line
            if standing is not hot
            and standing.size < price
            and standing.due <= self._soon
            and target in (standing.coarser, standing.wording)
        ]
        groups = [group for standing in (hot, *company) for group in standing.groups]
        return Choice(tuple(groups), target[0], hot.target_level)


def _standings(groups: Sequence[Group], moment: Moment, patience: float, *, merge_unique: bool) -> list[_Standing]:
    alone: list[_Standing] = []
    merged: dict[Wording, list[Group]] = {}
    for group in groups:
        if merge_unique and group.is_unique and group.may_coarsen:
            merged.setdefault((group.coarser(1)[0], group.terms.on_unsure), []).append(group)
        else:
            alone.append(_Standing((group,), 0, moment, patience))
    return alone + [_Standing(members, 1, moment, patience) for members in merged.values()]


def turn_and_price() -> TurnAndPrice:
    """Rule R with its usual constants, for one lane."""
    return TurnAndPrice()
