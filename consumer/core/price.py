"""Turn and price: the policy that sends the least in coarser wordings (rule R)."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from consumer.core.brisk import brisk_line, free_line
from consumer.core.group import Group
from consumer.core.model import Message, OnUnsure
from consumer.core.order import Look, Order
from consumer.core.prices import Prices
from consumer.core.sizes import Sizes
from consumer.core.turn import Choice, Moment, slack_with_ladder

Wording = tuple[Message, OnUnsure]


@dataclass(slots=True)
class TurnAndPrice:
    """One lane's policy; it remembers its last price, so each lane needs its own.

    1. `due = oldest + deliver_within - gap`, `turn = oldest + deliver_within * 300 / (300 + n)`; groups go in turn.
    2. While the last price was above 1, groups that are unique to a recipient stand merged in their coarser wording:
       they cannot grow.
    3. The price is the smallest number of recipients at which nobody is later than if everything small went coarse.
    4. The head is the first in turn with at least that many. It goes, unless smaller groups need this request to be in
       time (of the coarser wordings that fall due, the k-th within k gaps) and the head is not due before them: then
       all small groups of the coarser wording that is due first go together, as far as they are due soon.
    5. When even the highest price leaves somebody more than five minutes late, weighted slack decides.

    Where ladders have more than two steps, a decision merges one step up, or two, and so on: the fewest at which nobody
    is later than with all of them. A batch of several parcels is filled up with the other groups in turn, those that
    are worth the price first. With very many groups on a lane that makes many requests a second `brisk_line` decides,
    and without a quota `free_line`.
    """

    prices: Prices = field(default_factory=Prices)
    last_price: int = 0

    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        if not groups:
            return
        queue = self._queue(groups, moment)
        highest = queue.lateness(self.prices.ladder[-1])
        self.last_price = queue.price(highest)
        if highest > self.prices.overload_seconds:
            yield from slack_with_ladder.line(groups, moment)
            return
        first = queue.first(self.last_price)
        yield first
        yield from queue.others(first, self.last_price)

    def order(self, sizes: Sizes, look: Look, *, merges: bool) -> Order:
        return Order(sizes, self.prices.patience, look, merges=merges)

    def brisk(self, order: Order, moment: Moment) -> Iterator[Choice]:
        return (brisk_line if moment.gap_seconds else free_line)(order, moment, self.prices)

    def _queue(self, groups: Sequence[Group], moment: Moment) -> "_Queue":
        """With the fewest steps up the ladders at which nobody is later than with all of them."""
        rules = _Rules(self.prices, self.last_price > 1, max(len(group.wordings) for group in groups) - 1)
        coarsest = _Queue(groups, moment, rules)
        if rules.steps <= 1:
            return coarsest
        highest = self.prices.ladder[-1]
        least = coarsest.lateness(highest)
        finer = (_Queue(groups, moment, rules._replace(steps=steps)) for steps in range(1, rules.steps))
        return next((queue for queue in finer if queue.lateness(highest) <= least), coarsest)

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        return next(self.line(groups, moment), None)


class _Rules(NamedTuple):
    """How one decision is made: whether unique groups stand merged, and how many steps up the ladder merging goes."""

    prices: Prices
    merge_unique: bool
    steps: int


class _Standing:
    """A group as the queue sees it, or several that stand merged. `due` and `turn` are seconds from now."""

    __slots__ = ("due", "groups", "level", "own", "places", "size", "target", "turn")

    def __init__(self, groups: Sequence[Group], level: int, own: int, target: int) -> None:
        self.groups = groups
        self.level = level
        # Wordings by number: what it says, and the next coarser one where it may be coarsened, else -1.
        self.own = own
        self.target = target
        self.size = 0
        self.due = self.turn = math.inf
        self.places = 1

    @property
    def choice(self) -> Choice:
        return Choice(tuple(self.groups), self.groups[0].wordings[self.level], self.level)


class _Queue:
    """All open groups in the order of their turn."""

    def __init__(self, groups: Sequence[Group], moment: Moment, rules: _Rules) -> None:
        self._moment = moment
        self._prices = rules.prices
        self._steps = rules.steps
        self._soon = rules.prices.soon_gaps * moment.gap_seconds
        # Only coarser wordings have numbers; -1 stands for all others.
        self._numbers: dict[Wording, int] = {}
        standings = self._standings(groups, merge_unique=rules.merge_unique)
        for standing in standings:
            self._place(standing)
        self._line = sorted(standings, key=attrgetter("turn"))

    def lateness(self, price: int) -> float:
        """How late the latest would be, in seconds, if everything smaller than the price went coarse when it is due."""
        gap, parcels, soon = self._moment.gap_seconds, self._moment.capacity.parcels, self._soon
        latest, position = 0.0, 0
        walked: dict[int, int] = {}
        for standing in self._line:
            if standing.size >= price or standing.target < 0:
                place = position
                if standing.own >= 0:
                    walked.setdefault(standing.own, place)
                position += standing.places
            elif standing.due <= soon:
                place = walked.setdefault(standing.target, position)
                position += place == position
            else:
                continue
            late = place // parcels * gap - standing.due
            if late > latest:  # noqa: PLR1730 - max() would be a third of what a walk costs
                latest = late
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
        if hot is None or (head is not None and head.due <= min(0.0, hot.due)):
            return (head or self._line[0]).choice
        return self._together(hot, price)

    def others(self, first: Choice, price: int) -> Iterator[Choice]:
        """What goes with it where a request carries several messages."""
        gone = set(map(id, first.groups))
        rest = [standing for standing in self._line if id(standing.groups[0]) not in gone]
        for standing in sorted(rest, key=lambda standing: standing.size < price):
            yield standing.choice

    def _hot(self, price: int) -> _Standing | None:
        """The small group that is due first, if it, or one behind it, would be late when this request went elsewhere.

        Small groups of one coarser wording go in one request, so the k-th wording to fall due has until k requests.
        """
        gap, parcels = self._moment.gap_seconds, self._moment.capacity.parcels
        firsts = self._first_due(price)
        late = any(standing.due <= (1 + place // parcels) * gap for place, standing in enumerate(firsts))
        return firsts[0] if late else None

    def _first_due(self, price: int) -> list[_Standing]:
        """Of each coarser wording the small group that is due first, in the order in which they are due."""
        firsts: dict[int, _Standing] = {}
        for standing in self._line:
            if standing.due <= self._soon and standing.size < price:
                # What has no company counts by itself.
                wording = standing.target if standing.target >= 0 else standing.own
                key = wording if wording >= 0 else -1 - len(firsts)
                known = firsts.get(key)
                if known is None or standing.due < known.due:
                    firsts[key] = standing
        return sorted(firsts.values(), key=attrgetter("due"))

    def _together(self, hot: _Standing, price: int) -> Choice:
        """Deciding late and together is what saves: one small group merged alone saves nothing."""
        if hot.target < 0 and hot.own < 0:
            return hot.choice
        target, level = hot.own, hot.level
        if hot.target >= 0:
            target, level = hot.target, self._coarser(hot.groups[0], hot.level)
        company = [
            standing
            for standing in self._line
            if target in (standing.target, standing.own)
            and standing.due <= self._soon
            and standing.size < price
            and standing is not hot
        ]
        groups = [group for standing in (hot, *company) for group in standing.groups]
        return Choice(tuple(groups), hot.groups[0].wordings[level], level)

    # --- how the queue is made ----------------------------------------------------------------------------------------

    def _standings(self, groups: Sequence[Group], *, merge_unique: bool) -> list[_Standing]:
        own = [group for group in groups if group.is_unique and group.may_coarsen]
        merged: dict[int, _Standing] = {}
        if own and (merge_unique or self._never_alone(own)):
            groups = [group for group in groups if not (group.is_unique and group.may_coarsen)]
            self._merge(own, merged)
        alone = [_Standing((group,), 0, -1, self._target(group, 0)) for group in groups]
        for standing in alone:
            # After all targets are known: does the full wording of this one stand in another's ladder?
            group = standing.groups[0]
            standing.own = self._numbers.get((group.message, group.terms.on_unsure), -1)
        return [*alone, *merged.values()]

    def _never_alone(self, own: Sequence[Group]) -> bool:
        """So many that their own requests would take longer than any of them may wait."""
        seconds = len(own) * self._moment.gap_seconds / self._moment.capacity.parcels
        return seconds > max(group.within_seconds for group in own)

    def _merge(self, own: Sequence[Group], merged: dict[int, _Standing]) -> None:
        members: dict[int, list[Group]] = {}
        for group in own:
            members.setdefault(self._number(group, 1), []).append(group)
        for number, together in members.items():
            merged[number] = _Standing(together, 1, number, self._target(together[0], 1))

    def _coarser(self, group: Group, level: int) -> int:
        """The level to which merging takes it from there."""
        return min(level + max(self._steps, 1), len(group.wordings) - 1)

    def _target(self, group: Group, level: int) -> int:
        """The number of the wording into which it may be merged from a level; -1 where there is none."""
        if not group.terms.ladder or level + 1 >= len(group.wordings):
            return -1
        return self._number(group, self._coarser(group, level))

    def _number(self, group: Group, level: int) -> int:
        return self._numbers.setdefault((group.wordings[level], group.terms.on_unsure), len(self._numbers))

    def _place(self, standing: _Standing) -> None:
        """When it is due and when its turn comes. This is done for every group at every decision."""
        now, gap = self._moment.now, self._moment.gap_seconds
        standing.size = size = sum([group.size for group in standing.groups])
        standing.places = -(-size // self._moment.capacity.recipients)
        patience = self._prices.patience
        hurry = patience / (patience + size)
        for group in standing.groups:
            age, within = now - group.oldest, group.within_seconds
            standing.due = min(standing.due, within - gap - age)
            standing.turn = min(standing.turn, within * hurry - age)


def turn_and_price() -> TurnAndPrice:
    """Rule R with its usual constants, for one lane."""
    return TurnAndPrice()
