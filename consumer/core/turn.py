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
        """All groups in the order in which they should be told, each in one choice at most. Empty for no groups."""
        ...

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        """The first of the line."""
        ...


def weighted_slack(group: Group, moment: Moment) -> float:
    """What serving a group now is worth: its weight and size over what is left of its `deliver_within`. Half an hour
    late or a day late is alike, so that a backlog is not served from its hopeless end."""
    slack = max(group.due - moment.now, 0.0)
    size = min(group.size, moment.capacity.recipients)
    return group.terms.priority.weight * size / (slack / max(group.terms.deliver_within_seconds, 0.001) + 0.02)


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

    Ladders of more than two steps are walked one step up, then two, and so on; the first walk that makes nobody later
    than the coarsest one does is kept.
    """

    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        ranked = sorted(((weighted_slack(group, moment), group) for group in groups), key=_worth, reverse=True)
        slots = _walk(ranked, moment).slots
        for slot in sorted(slots, key=lambda slot: slot.worth(moment.capacity.recipients), reverse=True):
            yield Choice(tuple(slot.groups), slot.message, slot.level)

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        return next(self.line(groups, moment), None)


Ranked = Sequence[tuple[float, Group]]


def _worth(ranked: tuple[float, Group]) -> float:
    return ranked[0]


def _walk(ranked: Ranked, moment: Moment) -> "_Walk":
    steps = max((len(group.wordings) - 1 for _, group in ranked if group.may_coarsen), default=0)
    coarsest = _Walk(ranked, moment, steps)
    finer = (_Walk(ranked, moment, step) for step in range(1, steps))
    return next((walk for walk in finer if walk.lateness <= coarsest.lateness), coarsest)


class _Slot:
    """One message, who is told it, and when."""

    __slots__ = ("groups", "level", "message", "score", "sent_at", "size")

    def __init__(self, message: Message, level: int, sent_at: float) -> None:
        self.message = message
        self.level = level
        self.sent_at = sent_at
        self.groups: list[Group] = []
        self.score = 0.0
        self.size = 0

    def add(self, group: Group, score: float) -> None:
        self.groups.append(group)
        self.score += score
        self.size += group.size

    def worth(self, recipients: int) -> float:
        # A single group's score counts no more than a request carries already.
        return self.score if len(self.groups) == 1 else self.score * min(1.0, recipients / self.size)


class _Walk:
    """One walk along the line, merging what would be late `steps` up the ladder. `lateness` is the greatest, in
    seconds, of those that may be coarsened."""

    def __init__(self, ranked: Ranked, moment: Moment, steps: int) -> None:
        self.slots: list[_Slot] = []
        self.lateness = 0.0
        self._moment = moment
        self._steps = steps
        self._merged: dict[tuple[Message, OnUnsure], _Slot] = {}
        self._parcels = 0
        for score, group in ranked:
            if not group.may_coarsen or self._sent_at() <= group.due:
                self._add(self._slot(group.message, 0), group, score)
            else:
                self._merge(group, score)

    def _merge(self, group: Group, score: float) -> None:
        message, level = group.coarser(self._steps)
        key = (message, group.terms.on_unsure)
        slot = self._merged.get(key)
        if slot is None:
            slot = self._merged[key] = self._slot(message, level)
        self.lateness = max(self.lateness, slot.sent_at - group.due)
        self._add(slot, group, score)

    def _sent_at(self) -> float:
        return self._moment.now + self._parcels // self._moment.capacity.parcels * self._moment.gap_seconds

    def _slot(self, message: Message, level: int) -> _Slot:
        self.slots.append(_Slot(message, level, self._sent_at()))
        return self.slots[-1]

    def _add(self, slot: _Slot, group: Group, score: float) -> None:
        recipients = self._moment.capacity.recipients
        before = math.ceil(slot.size / recipients)
        slot.add(group, score)
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
