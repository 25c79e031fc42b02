"""The partition assignor of a lane's group: everything to one member, sticky by the highest claimed epoch."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

NAME = "vestnik-exclusive"
VERSION = 1


class Cluster(Protocol):
    """What an assignor asks of the library's cluster metadata."""

    def partitions_for_topic(self, topic: str) -> set[int] | None: ...


class ExclusiveAssignor(AbstractPartitionAssignor):
    """Base of the classes that `exclusive_assignor` makes; the library knows assignors as classes, so a member's state
    is its class's."""

    name: ClassVar[str] = NAME
    claim: ClassVar[int] = 0
    holding: ClassVar[bool] = False

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        data = written(cls.claim, holding=cls.holding)
        return ConsumerProtocolMemberMetadata(VERSION, sorted(topics), data)

    @classmethod
    def assign(
        cls, cluster: Cluster, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Run by whichever member the coordinator made leader; every member comes to the same result."""
        topics = {name: tuple(member.subscription) for name, member in members.items()}
        owner = chosen({name: member.user_data for name, member in members.items() if topics[name]})
        partitions = owned(cluster, topics[owner]) if owner is not None else []
        return {
            name: ConsumerProtocolMemberAssignment(VERSION, partitions if name == owner else [], b"")
            for name in members
        }

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember whether this member owns; who got nothing has lost its claim."""
        cls.holding = bool(assignment.assignment)
        if not cls.holding:
            cls.claim = 0


def exclusive_assignor() -> type[ExclusiveAssignor]:
    """A class of its own for one member."""
    return type("LaneAssignor", (ExclusiveAssignor,), {})


def written(claim: int, *, holding: bool) -> bytes:
    """User data of a member: a version byte, the claimed epoch in eight bytes (0 is none), whether it owns just now."""
    return bytes([VERSION]) + claim.to_bytes(8, "big") + bytes([holding])


def read(user_data: bytes | None) -> tuple[int, bool]:
    """The claim and whether the member owns. What is not ours counts as no claim; what a later version appended is
    passed over."""
    if not user_data or len(user_data) < 10 or user_data[0] < VERSION:
        return 0, False
    return int.from_bytes(user_data[1:9], "big"), user_data[9] == 1


def chosen(members: Mapping[str, bytes | None]) -> str | None:
    """The member with the highest claim; of equals, one that owns already; of those, the first by name."""
    ranked = sorted(members, key=lambda name: (*(-int(part) for part in read(members[name])), name))
    return ranked[0] if ranked else None


def owned(cluster: Cluster, topics: Iterable[str]) -> list[Any]:
    """All partitions of the owner's topics that exist; topics which others alone subscribe wait for their owner."""
    known = ((topic, cluster.partitions_for_topic(topic)) for topic in sorted(set(topics)))
    return [(topic, sorted(partitions)) for topic, partitions in known if partitions]
