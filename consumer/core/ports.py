"""What the engine needs from the outside, as protocols. Adapters implement them; the engine knows nothing else.

Expected trouble is a value. A call that must not fail (`append`) returns when it is done, however long that takes, and
shows why it takes long in `trouble`; a caller that must not wait that long bounds the wait itself and keeps the call.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consumer.core.facts import Fact
from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Deferred,
    Plan,
    Position,
    Record,
    Rejection,
    TopicPartition,
    Trouble,
    Verdicts,
)
from schemas.journal import AnyRecord

Emit = Callable[[Fact], None]

TROUBLES = (
    "broker_unreachable",
    "tls_failed",
    "topic_missing",
    "not_authorised",
    "offset_out_of_range",
    "offsets_lost",
    "shares_changed",
    "undecodable_batch",
    "record_too_large",
    "registry_unreachable",
    "registry_denied",
    "registry_nonsense",
    "other",
)


class Seat(Protocol):
    """The lane's side of a consumer group: what the source tells it. Both are awaited by the group's coordinator
    task, so both are short; `revoked` may commit."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None: ...

    async def revoked(self) -> None: ...


class Extent(NamedTuple):
    """The first offset that a partition still has, and the one that its next record will get."""

    beginning: int
    end: int


class Source(Protocol):
    """The lane's source topics, read as a member of its consumer group. Rebuilds itself after fatal errors; to the
    lane that is a revocation and a new assignment."""

    async def start(self, seat: Seat) -> None:
        """Begin to join. Returns at once and never fails: `poll` tells what is wrong."""
        ...

    async def poll(self, held: Collection[TopicPartition], timeout_seconds: float) -> Sequence[Record] | Trouble:
        """Records of *one* partition, in order, from the lane's own expected offset on; partitions in `held` are left
        out without losing anything that was prefetched. Empty when there is nothing within the time."""
        ...

    async def committed(self) -> Mapping[TopicPartition, int | None] | Trouble:
        """The group's committed offset of each assigned partition; None where there is none."""
        ...

    async def extents(self) -> Mapping[TopicPartition, Extent] | Trouble:
        """What each assigned partition holds."""
        ...

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """From where `poll` goes on. Partitions without a seek since their assignment are not polled."""
        ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        """Commit next-offsets of owned partitions; has a deadline of its own. A failure is dropped, never retried with
        the old assignment: the next second brings a newer commit."""
        ...

    async def fetch(self, position: Position) -> Record | Trouble:
        """One record again, byte for byte, for a dead letter; apart from `poll`, and with a deadline of its own."""
        ...

    def claim(self, epoch: int | None) -> None:
        """What this member tells the assignor from its next join on: its highest valid claim, or None."""
        ...

    async def stop(self) -> None: ...


class Appended(NamedTuple):
    offset: int
    timestamp: float


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes in the journal that are not a record of ours, or a kind of a newer version."""

    reason: str


class Entry(NamedTuple):
    """A journal record where it stands. The timestamp is the broker's, in seconds."""

    offset: int
    timestamp: float
    record: AnyRecord | Unreadable


class Span(NamedTuple):
    """Where reading back begins. `cut`: retention has taken records that are younger than asked for.
    `empty`: there is not one record in the journal."""

    offset: int
    cut: bool
    empty: bool


class Journal(Protocol):
    """The lane's journal: appended by its owner, followed by every member."""

    @property
    def trouble(self) -> Trouble | None:
        """Why an append or a read takes long just now; None when all is well."""
        ...

    async def start(self) -> None: ...

    async def append(self, *records: AnyRecord) -> Appended:
        """Return when every in-sync replica has all of them (one at least), in this order: where the last one stands.
        Retried until then (a record may so be written twice)."""
        ...

    async def rewind(self, since: float) -> Span | Trouble:
        """Set the reader to the first record at or after `since` (broker seconds)."""
        ...

    async def read(self, timeout_seconds: float) -> Sequence[Entry]:
        """The next slice of records from the reader on, in order, at most 500; empty when none came in time."""
        ...

    async def stop(self) -> None: ...


class Row(NamedTuple):
    """One change of a table; no value: the key is gone."""

    key: bytes | None
    value: bytes | None


class Table(Protocol):
    """A compacted topic: the last value of each key. Everyone reads all of it and follows what changes."""

    @property
    def trouble(self) -> Trouble | None: ...

    @property
    def complete(self) -> bool:
        """Whether what stood there when reading began has been read."""
        ...

    async def start(self) -> None: ...

    async def read(self, timeout_seconds: float) -> Sequence[Row]:
        """The next changes from the beginning on, in order, at most 500; empty when none came in time, and at once
        when the look finds that the table is complete and empty. After trouble rows may come again; the last one of a
        key still comes last."""
        ...

    async def put(self, key: bytes, value: bytes | None) -> None:
        """Return when it is durable; retried until then. None takes the key away."""
        ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What goes to the dead-letter topic: the original record, and why."""

    lane: str
    record: Record
    rejection: Rejection
    command: str | None = None


class DeadLetters(Protocol):
    @property
    def trouble(self) -> Trouble | None: ...

    async def start(self) -> None: ...

    async def append(self, letter: DeadLetter) -> None:
        """Return when it is durable; retried until then."""
        ...

    async def stop(self) -> None: ...


class Sink(Protocol):
    """One provider account."""

    @property
    def provider(self) -> str:
        """Name of the provider, a metric label."""
        ...

    @property
    def capacity(self) -> Capacity: ...

    @property
    def timeout_seconds(self) -> float:
        """The longest that `send` can take."""
        ...

    @property
    def idempotent(self) -> bool:
        """The provider tells a repeated attempt by its key, so that a doubt is settled by sending it unchanged."""
        ...

    async def ready(self) -> Blocked | Deferred | None:
        """Make the credential fresh; None when a request may go out."""
        ...

    async def send(self, batch: Batch) -> Verdicts:
        """One request. Never raises for anything that a provider or a network can do."""
        ...

    async def close(self) -> None: ...


class Planner(Protocol):
    """Record -> commands, ignored or rejected. Pure and synchronous."""

    def plan(self, record: Record) -> Plan: ...
