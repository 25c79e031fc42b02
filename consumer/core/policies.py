"""Policies by name: the ones that a lane may use, and those that others use, to be compared with."""

from collections.abc import Callable, Mapping

from consumer.core.group import Group
from consumer.core.price import turn_and_price
from consumer.core.turn import InOrder, Moment, Policy, fifo, largest, oldest, slack_with_ladder

# Above any age that a message can have in seconds, so that a class always beats the next.
_CLASS_STEP = 1e9


def _deadline(group: Group, _: Moment) -> float:
    return -group.first().deadline


def _class_then_age(group: Group, moment: Moment) -> float:
    return group.weight * _CLASS_STEP + moment.now - group.oldest


def _slack_of_ttl(group: Group, moment: Moment) -> float:
    """Weighted slack as in `weighted_slack`, but of the time until the oldest command expires."""
    first = group.first()
    slack = max(first.deadline - moment.now, 0.0)
    lifetime = max(first.deadline - first.arrived, 1e-3)
    return group.weight * min(group.size, moment.capacity.recipients) / (slack / lifetime + 0.02)


# The earliest end of life; the urgent before the normal before the low; the greatest weighted slack of the ttl. All of
# them in full detail.
deadline = InOrder(_deadline)
strict = InOrder(_class_then_age)
slack = InOrder(_slack_of_ttl)

# A lane's policy may remember something, so each lane gets one of its own. In the order of merit on the simulated day.
POLICIES: Mapping[str, Callable[[], Policy]] = {
    "fifo": lambda: fifo,
    "strict": lambda: strict,
    "oldest": lambda: oldest,
    "largest": lambda: largest,
    "deadline": lambda: deadline,
    "slack": lambda: slack,
    "ladder": lambda: slack_with_ladder,
    "turn": turn_and_price,
}
