"""Whose turn it is: which groups get the next request, and in which wording."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consumer.core.group import Group
from consumer.core.model import Capacity, Message, OnUnsure


class Moment(NamedTuple):
    """When a request is granted (broker seconds), how long until the next one, and what it may carry."""

    now: float
    gap_seconds: float
    capacity: Capacity


class Choice(NamedTuple):
    """Groups that are told the same message, all of one `on_unsure`; `level` is the message's place in their ladder.
    `most` is how many recipients the policy wants in the request; None is as many as fit."""

    groups: tuple[Group, ...]
    message: Message
    level: int
    most: int | None = None

    @property
    def on_unsure(self) -> OnUnsure:
        return self.groups[0].terms.on_unsure


class Policy(Protocol):
    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        """Groups in the order in which they should be told, each in one choice at most; of very many the first ones.
        Empty for no groups only."""
        ...

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        """The first of the line."""
        ...


def weighted_slack(group: Group, moment: Moment) -> float:
    """What serving a group now is worth: its weight and size over what is left of its `deliver_within`. Half an hour
    late or a day late is alike, so that a backlog is not served from its hopeless end."""
    slack = max(group.due - moment.now, 0.0)
    size = min(group.size, moment.capacity.recipients)
    return group.weight * size / (slack / group.within_seconds + 0.02)


@dataclass(frozen=True, slots=True)
class InOrder:
    """Groups by the greatest score, each alone and in full detail; at most `most` recipients a request."""

    score: Callable[[Group, Moment], float]
    most: int | None = None

    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        for group in sorted(groups, key=lambda group: self.score(group, moment), reverse=True):
            yield Choice((group,), group.message, 0, self.most)

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        return next(self.line(groups, moment), None)


@dataclass(frozen=True, slots=True)
class SlackWithLadder:
    """Weighted slack over `deliver_within`, with the detail ladder by rank (policy B).

    1. Groups stand in the order of `weighted_slack`.
    2. The line is walked. The r-th request goes out at now + r * gap; a group takes as many requests as it fills. A
       group that would so be later than its due, and may be coarsened, is merged with every other such group of the
       same coarser wording and `on_unsure`; together they take the place of the first of them.
    3. A merged group is worth the sum of its parts, as far as one request can carry it; the line is put in the order of
       worth again.

    Where ladders have more than two steps the walk is made one step up, then two, and so on; the first line that makes
    nobody later than the coarsest one does is kept. Of very many groups only the first `most_groups` in rank are
    walked, so that a decision stays cheap.
    """

    most_groups: int = 5000

    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        ranked = sorted(((weighted_slack(group, moment), group) for group in groups), key=_worth, reverse=True)
        for slot in _best_line(ranked[: self.most_groups], moment):
            yield Choice(tuple(slot.groups), slot.message, slot.level)

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        return next(self.line(groups, moment), None)


Ranked = Sequence[tuple[float, Group]]


def _worth(ranked: tuple[float, Group]) -> float:
    return ranked[0]


class _Slot:
    """One message and who is told it."""

    __slots__ = ("groups", "level", "message", "score", "size")

    def __init__(self, message: Message, level: int) -> None:
        self.message = message
        self.level = level
        self.groups: list[Group] = []
        self.score = 0.0
        self.size = 0

    def worth(self, recipients: int) -> float:
        # A single group's score counts no more than a request carries already.
        return self.score if len(self.groups) == 1 else self.score * min(1.0, recipients / self.size)


def _best_line(ranked: Ranked, moment: Moment) -> list[_Slot]:
    steps = max((len(group.wordings) - 1 for _, group in ranked if group.may_coarsen), default=0)
    coarsest = _Walk(ranked, moment, steps).line
    if steps > 1:
        least = _lateness(coarsest, moment)
        for step in range(1, steps):
            finer = _Walk(ranked, moment, step).line
            if _lateness(finer, moment) <= least:
                return finer
    return coarsest


def _lateness(line: Sequence[_Slot], moment: Moment) -> float:
    """The greatest in seconds, not below 0, when the line is sent as it stands."""
    lateness, parcels = 0.0, 0
    for slot in line:
        sent_at = moment.now + parcels // moment.capacity.parcels * moment.gap_seconds
        lateness = max(lateness, sent_at - min(group.due for group in slot.groups))
        parcels += math.ceil(slot.size / moment.capacity.recipients)
    return lateness


class _Walk:
    """One walk in the order of rank, merging what would be late `steps` up the ladder; `line` is what comes of it, in
    the order of worth."""

    def __init__(self, ranked: Ranked, moment: Moment, steps: int) -> None:
        self._moment = moment
        self._steps = steps
        self._slots: list[_Slot] = []
        self._merged: dict[tuple[Message, OnUnsure], _Slot] = {}
        self._parcels = 0
        for score, group in ranked:
            alone = not group.may_coarsen or self._sent_at() <= group.due
            self._add(self._slot(group.message, 0) if alone else self._shared(group), group, score)
        recipients = moment.capacity.recipients
        self.line = sorted(self._slots, key=lambda slot: slot.worth(recipients), reverse=True)

    def _sent_at(self) -> float:
        return self._moment.now + self._parcels // self._moment.capacity.parcels * self._moment.gap_seconds

    def _slot(self, message: Message, level: int) -> _Slot:
        self._slots.append(_Slot(message, level))
        return self._slots[-1]

    def _shared(self, group: Group) -> _Slot:
        message, level = group.coarser(self._steps)
        key = (message, group.terms.on_unsure)
        if key not in self._merged:
            self._merged[key] = self._slot(message, level)
        return self._merged[key]

    def _add(self, slot: _Slot, group: Group, score: float) -> None:
        recipients = self._moment.capacity.recipients
        before = math.ceil(slot.size / recipients)
        slot.groups.append(group)
        slot.score += score
        slot.size += group.size
        self._parcels += math.ceil(slot.size / recipients) - before


def _age(group: Group, moment: Moment) -> float:
    return moment.now - group.oldest


def _size(group: Group, _: Moment) -> float:
    return group.size


# What others do, to be compared with: one recipient a request in the order of arrival; open groups by age; by size.
fifo = InOrder(_age, most=1)
oldest = InOrder(_age)
largest = InOrder(_size)
# What a lane uses.
slack_with_ladder = SlackWithLadder()
