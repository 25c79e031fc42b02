"""A shared lane is so many lanes of its own, its shares: each has its part of the sources' partitions and no other's.

A share goes by its lane's id, a dot and its number, `hook.2`: no id has a dot, so that a share is known by its name.
It has its own consumer group, memory and backfill topic; in the lane's journal topic the partition of its number.
How many shares there are never changes, as the lane's id does not: the journal's partitions say how many there are.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from consumer.core.backfill import BACKFILL_PREFIX

SHARES_MOST = 64


@dataclass(frozen=True, slots=True)
class Share:
    """The share `number`, from 0 on, of a lane that has `of` of them. A lane that is not shared is its one share."""

    lane: str
    number: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        return self.lane if self.of == 1 else f"{self.lane}.{self.number}"

    def has(self, topic: str, partition: int) -> bool:
        """Whether a partition of one of its topics is its own. Its backfill topic, nobody else reads."""
        return partition % self.of == self.number or topic.startswith(BACKFILL_PREFIX)


def shares_of(lane: str, count: int | None) -> tuple[Share, ...]:
    """The shares of a lane; without a count it is not shared."""
    of = count or 1
    return tuple(Share(lane, number, of) for number in range(of))


def lane_of(name: str) -> str:
    """The id of the lane, by the name of any of its shares or its own."""
    return name.partition(".")[0]


def share_number(name: str) -> int:
    """The number of the share, which is its journal's partition; 0 of a lane that is not shared."""
    return int(name.partition(".")[2] or 0)


def preferred(processes: Mapping[str, str], share: Share) -> str | None:
    """The member that is to have the share. `processes`: by each member's id its process's name."""
    if not processes:
        return None
    owner = spread(set(processes.values()), share.of)[share.number]
    return min(member for member, process in processes.items() if process == owner)


def spread(processes: Collection[str], shares: int) -> list[str]:
    """Which process is to have each share: by the names alone, so that each share's group, without asking the others',
    comes to its own part of one plan, and nothing moves while the processes stay.

    Each has as many as any other, or one more. Of those with room a share goes to whose name and its number have the
    highest hash: where one process comes or goes, next to nothing moves between the others.
    """
    least, more = divmod(shares, len(processes))
    load = dict.fromkeys(sorted(processes), 0)
    plan: list[str] = []
    for number in range(shares):
        room = [name for name, held in load.items() if held < least + (more > 0)]
        owner = max(room, key=lambda name: blake2b(f"{name}/{number}".encode(), digest_size=8).digest())
        more -= load[owner] == least
        load[owner] += 1
        plan.append(owner)
    return plan


def changed_shares(journal: str, partitions: int, shares: int) -> str:
    """Why a lane does not begin with so many shares on a journal of so many partitions, and what to do."""
    was, now = spelt_shares(partitions), spelt_shares(shares)
    return f"{journal} belongs to a lane with {was}, not with {now}, and that never changes: {keep_shares(partitions)}"


def spelt_shares(count: int) -> str:
    """As a configuration says it."""
    return f"shares: {count}" if count > 1 else "no shares"


def keep_shares(count: int) -> str:
    """What to do where a lane that had so many shares is to have another number of them."""
    keep = f"say shares: {count}" if count > 1 else "leave out shares"
    return f"{keep}, or give the lane a new id, and end its routes (until:) where their successors begin (from:)"
