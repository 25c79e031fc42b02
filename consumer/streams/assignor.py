"""The partition assignor of a lane's group: everything to one member, sticky by the highest claimed epoch; and that
of a share's group, which spreads a lane's shares over the processes."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from consumer.core.shares import Share, preferred

NAME = "vestnik-exclusive"
VERSION = 1
CLAIM_BYTES = 10


class Cluster(Protocol):
    """What an assignor asks of the library's cluster metadata."""

    def partitions_for_topic(self, topic: str) -> set[int] | None: ...


class LaneAssignor(AbstractPartitionAssignor):
    """What the assignors of lanes and shares have in common; the library knows assignors as classes, so a member's
    state is its class's. `choose` names the one who gets everything, `share` what everything is."""

    name: ClassVar[str] = NAME
    claim: ClassVar[int] = 0
    holding: ClassVar[bool] = False
    ready: ClassVar[bool] = False
    told_ready: ClassVar[bool] = False
    share: ClassVar[Share] = Share("")
    process: ClassVar[str] = ""

    @classmethod
    def choose(cls, members: Mapping[str, bytes | None]) -> str | None:
        return chosen(members)

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        cls.told_ready = cls.ready
        data = written(cls.claim, holding=cls.holding) + bytes([cls.ready]) + cls.process.encode()
        return ConsumerProtocolMemberMetadata(VERSION, sorted(topics), data)

    @classmethod
    def assign(
        cls, cluster: Cluster, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Run by whichever member the coordinator made leader; every member comes to the same result."""
        topics = {name: tuple(member.subscription) for name, member in members.items()}
        owner = cls.choose({name: member.user_data for name, member in members.items() if topics[name]})
        partitions = owned(cluster, topics[owner], cls.share) if owner is not None else []
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


class ShareAssignor(LaneAssignor):
    """Spread before stickiness: who gets a share goes by its number and the processes' names, of those who have read
    its journal back. A process that comes stands by until then, and the share goes on where it is."""

    @classmethod
    def choose(cls, members: Mapping[str, bytes | None]) -> str | None:
        ready = {id_: data for id_, data in members.items() if is_ready(data)} or members
        return preferred({id_: process_of(data) for id_, data in ready.items()}, cls.share)


def exclusive_assignor() -> type[LaneAssignor]:
    """A class of its own for one member of a lane's group."""
    return type("ExclusiveAssignor", (LaneAssignor,), {})


def protocol_of(share: Share) -> str:
    """What members of the share's group agree upon. Whoever has another number of shares is not let in by the broker,
    for it would hand out other partitions."""
    return NAME if share.of == 1 else f"vestnik-share-of-{share.of}"


def share_assignor(share: Share, process: str) -> type[LaneAssignor]:
    """The same of a share's group. `process` names the process, equally in the groups of all its shares."""
    return type("ShareAssignor", (ShareAssignor,), {"name": protocol_of(share), "share": share, "process": process})


def written(claim: int, *, holding: bool) -> bytes:
    """User data of a member: a version byte, the claimed epoch in eight bytes (0 is none), whether it owns just now."""
    return bytes([VERSION]) + claim.to_bytes(8, "big") + bytes([holding])


def read(user_data: bytes | None) -> tuple[int, bool]:
    """The claim and whether the member owns. What is not ours counts as no claim; what a later version appended is
    passed over."""
    if not user_data or len(user_data) < CLAIM_BYTES or user_data[0] < VERSION:
        return 0, False
    return int.from_bytes(user_data[1:9], "big"), user_data[9] == 1


def chosen(members: Mapping[str, bytes | None]) -> str | None:
    """The member with the highest claim; of equals, one that owns already; of those, the first by name."""
    ranked = sorted(members, key=lambda name: (*(-int(part) for part in read(members[name])), name))
    return ranked[0] if ranked else None


def is_ready(user_data: bytes | None) -> bool:
    """Whether the member has read its journal back; the byte behind the claim says so."""
    return (user_data or b"")[CLAIM_BYTES : CLAIM_BYTES + 1] == b"\1"


def process_of(user_data: bytes | None) -> str:
    """The name of the member's process, which stands behind that."""
    return (user_data or b"")[CLAIM_BYTES + 1 :].decode(errors="replace")


def owned(cluster: Cluster, topics: Iterable[str], share: Share = Share("")) -> list[Any]:  # noqa: B008 - a value
    """All the share's partitions of the owner's topics that exist; topics which others alone subscribe wait for their
    owner."""
    known = ((topic, cluster.partitions_for_topic(topic) or ()) for topic in sorted(set(topics)))
    own = ((topic, sorted(each for each in partitions if share.has(topic, each))) for topic, partitions in known)
    return [(topic, partitions) for topic, partitions in own if partitions]
