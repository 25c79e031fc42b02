"""Turn and price for lanes that make many requests a second: the same rule, over a kept order and in blocks of it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from consumer.core.group import Group
from consumer.core.model import OnUnsure
from consumer.core.order import Order
from consumer.core.prices import Prices
from consumer.core.rows import Entry
from consumer.core.turn import Choice, Moment, weighted_slack

# So many groups are looked at, and so many more for each parcel of a request, so that a decision has a bound.
_LOOKS = 100
_LOOKS_A_PARCEL = 4
_FREE_LOOKS = 4


def brisk_line(order: Order, moment: Moment, prices: Prices) -> Iterator[Choice]:
    """The first choices of the line, all of one `on_unsure`; empty when nothing is open.

    1. Groups go in turn.
    2. The price is the smallest number of recipients at which, by their places in the order, nobody is later than if
       everything small went coarse. What merging saves is taken as spread evenly over the order.
    3. A group below the price that is due within the next requests goes merged with its small siblings of the same
       coarser wording that are due soon, oldest first, as far as a parcel carries them. Other small groups go when
       there is room.
    4. When even the highest price leaves somebody more than five minutes late, the priorities compete by the weighted
       slack of the first in turn of each.
    """
    if order:
        yield from _Decision(order, moment, prices).line()


def free_line(order: Order, moment: Moment, prices: Prices) -> Iterator[Choice]:
    """The same on a lane without a quota: a request makes nobody else wait, so nothing is worth merging, and each group
    goes in turn and full detail. Only the first of each row are looked at."""
    if not order:
        return
    rows = order.rows
    firsts = [(row.first, policy) for policy, row in rows]
    overload = moment.now - min([due for (_, _, due, _), _ in firsts]) > prices.overload_seconds

    def place(entry: Entry) -> tuple[float, int]:
        _, number, _, who = entry
        group = order.group(who)
        return 0.0 if group is None else -weighted_slack(group, moment), number

    # By turn they are in order by themselves. Nearly always nobody asks for more than the first.
    first, on_unsure = min(firsts, key=lambda first: place(first[0])) if overload else min(firsts)
    yield from _alone(order, first)
    looks = _FREE_LOOKS * moment.capacity.parcels
    heads = [entry for policy, row in rows if policy is on_unsure for entry in islice(row, looks)]
    for entry in sorted(heads, key=place if overload else None):
        if entry[1] != first[1]:
            yield from _alone(order, entry)


def _alone(order: Order, entry: Entry) -> Iterator[Choice]:
    """Whoever stands there, if anybody does still, in full detail."""
    group = order.group(entry[3])
    if group is not None:
        yield Choice((group,), group.message, 0)


class _Decision:
    def __init__(self, order: Order, moment: Moment, prices: Prices) -> None:
        self._order = order
        self._moment = moment
        self._prices = prices
        blocks = [block for _, row in order.rows for block in row.blocks]
        blocks.sort(key=lambda block: block.turns[-1])
        # Of each block, who is due first and who stands last: how many groups stand before them, and by how much they
        # would be late if they went with the request after this one.
        self._walk: list[tuple[int, float]] = []
        before, granted = 0, moment.now + moment.gap_seconds
        for block in blocks:
            self._walk.append((before, granted - block.due))
            before += len(block)
            self._walk.append((before - 1, granted - block.dues[-1]))
        self._steps = self._fewest_steps()
        self._highest = self._lateness(prices.ladder[-1], self._steps)
        self._price = self._least_price()
        self._looks = _LOOKS + _LOOKS_A_PARCEL * moment.capacity.parcels
        self._soon = moment.now + prices.soon_gaps * moment.gap_seconds
        # Small groups of one coarser wording go together, so each wording needs a place before it is late.
        requests = 2 + order.wordings(self._steps) // moment.capacity.parcels
        self._hot = moment.now + requests * moment.gap_seconds

    def line(self) -> Iterator[Choice]:
        small: list[Entry] = []
        for entry in islice(self._entries(), self._looks):
            _, _, due, who = entry
            group = self._order.group(who)
            if group is None:
                continue  # An earlier parcel of this request has taken all of it.
            if group.size >= self._price or not group.may_coarsen:
                yield Choice((group,), group.message, 0)
            elif due <= self._hot:
                yield self._together(entry, group)
            else:
                small.append(entry)
        for entry in small:
            yield from _alone(self._order, entry)

    # --- the price ----------------------------------------------------------------------------------------------------

    def _lateness(self, price: int, steps: int) -> float:
        """How late the latest would be, in seconds, if everything below the price went so many steps coarser."""
        capacity = self._moment.capacity
        places = self._order.sizes.places_at(price, self._order.wordings(steps), capacity.recipients)
        seconds_a_group = places / len(self._order) / capacity.parcels * self._moment.gap_seconds
        return max(0.0, *[before * seconds_a_group + late for before, late in self._walk])

    def _fewest_steps(self) -> int:
        """With which nobody is later than with the longest ladder walked to its end."""
        longest, highest = max(self._order.steps, 1), self._prices.ladder[-1]
        if longest == 1:
            return 1
        least = self._lateness(highest, longest)
        return next(steps for steps in range(1, longest + 1) if self._lateness(highest, steps) <= least)

    def _least_price(self) -> int:
        ladder = self._prices.ladder
        place = bisect_left(ladder[:-1], True, key=lambda price: self._lateness(price, self._steps) <= self._highest)
        return ladder[place]

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _entries(self) -> Iterator[Entry]:
        overload = self._highest > self._prices.overload_seconds
        arrange = self._by_slack if overload else _in_turn
        rows = self._order.rows
        _, number, _, _ = next(arrange([[row.first] for _, row in rows]))
        return arrange(self._heads(next(policy for policy, row in rows if row.first[1] == number)))

    def _heads(self, on_unsure: OnUnsure) -> list[Sequence[Entry]]:
        """The front of each row. Copies: a row changes with each parcel that is taken."""
        return [list(islice(row, self._looks)) for policy, row in self._order.rows if policy is on_unsure]

    def _by_slack(self, lines: Iterable[Sequence[Entry]]) -> Iterator[Entry]:
        """Of the first of each line the worthiest, again and again."""
        scored = [self._scored(line) for line in lines]
        return (entry for _, _, entry in merge(*scored))

    def _scored(self, line: Sequence[Entry]) -> Iterator[tuple[float, int, Entry]]:
        for entry in line:
            _, number, _, who = entry
            group = self._order.group(who)
            if group is not None:
                yield -weighted_slack(group, self._moment), number, entry

    def _together(self, entry: Entry, first: Group) -> Choice:
        message, level = first.coarser(self._steps)
        room = self._moment.capacity.recipients
        groups, told = [first], first.size
        for turn, number, due, who in islice(self._order.company(message, first.terms.on_unsure), 2 * room):
            if told >= room or turn > self._soon:
                break
            group = self._order.group(who) if number != entry[1] and due <= self._soon else None
            if group is not None and group.size < self._price:
                groups.append(group)
                told += group.size
        return Choice(tuple(groups), message, level)


def _in_turn(lines: Iterable[Sequence[Entry]]) -> Iterator[Entry]:
    return merge(*lines)
