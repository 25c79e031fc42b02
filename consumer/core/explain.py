"""Why an open group waits: its size, its age, what is left of its time, and when it goes out as things stand."""

from collections.abc import Iterable
from typing import NamedTuple

from consumer.core.group import Group
from consumer.core.turn import Choice, Moment


class Waiting(NamedTuple):
    """One open group. `title` is of its full detail, `level` the wording in which it would go: 0 is full detail.

    `size` is recipients; `slack_seconds` is what is left until it should have been delivered, below zero when it is
    late. `rank` counts the parcels that go out before it, `goes_in_seconds` is when its request starts if nothing comes
    in between and the quota alone holds it.
    """

    title: str
    level: int
    size: int
    age_seconds: float
    slack_seconds: float
    rank: int
    goes_in_seconds: float


def explained(line: Iterable[Choice], moment: Moment, limit: int) -> list[Waiting]:
    """The first groups of a policy's line, at most `limit`."""
    told: list[Waiting] = []
    rank = 0
    for choice in line:
        goes_in = rank // moment.capacity.parcels * moment.gap_seconds
        told.extend(_waiting(group, choice.level, rank, goes_in, moment.now) for group in choice.groups)
        if len(told) >= limit:
            break
        most = min(moment.capacity.recipients, choice.most or moment.capacity.recipients)
        rank += -(-sum(group.size for group in choice.groups) // most)
    return told[:limit]


def _waiting(group: Group, level: int, rank: int, goes_in: float, now: float) -> Waiting:
    return Waiting(group.message.title, level, group.size, now - group.oldest, group.due - now, rank, goes_in)
