"""Which offsets may be committed: those below which every record is settled."""

from array import array
from bisect import bisect_left
from collections.abc import Mapping

from consumer.core.model import Position, TopicPartition

# So many settled records, and as many as there are others, stand before the head until they are forgotten together.
_SETTLED_ROOM = 1024


class Ledger:
    """What was read and is not settled, for each partition.

    A record is opened with the number of its parts (commands) and is settled when all parts are. Only an unbroken
    settled prefix may be committed, so one slow record holds the offset, never the work behind it.
    """

    def __init__(self) -> None:
        # Looked up by the plain pair that a position begins with, which costs less than to name it.
        self._accounts: dict[tuple[str, int], _Account] = {}
        self._cleared = False

    def open(self, position: Position, parts: int) -> None:
        """Begin to hold a record. No parts: settled at once. Gaps between offsets are allowed (compaction).

        Raises ValueError when the offset is not above the partition's last one, or `parts` is negative.
        """
        account = self._accounts.get(position[:2])
        if account is None:
            account = self._accounts[position[:2]] = _Account(position.topic_partition)
        account.open(position[2], parts)

    def settle(self, position: Position, parts: int = 1) -> None:
        """Count parts of a record as settled.

        A position that was let go by `clear` is passed over: a flight may land after the lane was revoked. Raises
        ValueError when more parts are settled than are open.
        """
        account = self._accounts.get(position[:2])
        place = None if account is None else account.place(position[2])
        if account is not None and place is not None:
            account.settle(place, parts)
        elif not self._cleared:
            raise ValueError(f"{position} is settled already, or was never opened")

    def committable(self) -> dict[TopicPartition, int]:
        """The next offset of each partition whose settled prefix has moved since `mark_committed`."""
        return {
            account.topic_partition: account.following
            for account in self._accounts.values()
            if account.following > account.committed
        }

    def mark_committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These next offsets are committed. Partitions that are not held any more are passed over."""
        for topic_partition, offset in offsets.items():
            account = self._accounts.get(topic_partition)
            if account is not None:
                account.committed = max(account.committed, offset)

    def span(self, topic_partition: TopicPartition) -> int:
        """Records held in a partition: from the first unsettled one to the newest."""
        account = self._accounts.get(topic_partition)
        return account.span if account else 0

    def oldest(self, topic_partition: TopicPartition) -> Position | None:
        """The first unsettled record of a partition."""
        account = self._accounts.get(topic_partition)
        return Position(*topic_partition, account.offsets[account.head]) if account and account.span else None

    def is_open(self, position: Position) -> bool:
        """Whether parts of this record are still unsettled."""
        account = self._accounts.get(position.topic_partition)
        place = None if account is None else account.place(position.offset)
        return account is not None and place is not None and account.parts[place] > 0

    def clear(self) -> None:
        """Let everything go: the partitions belong to somebody else now."""
        self._accounts.clear()
        self._cleared = True


class _Account:
    """One partition. From `head` on its `offsets` stand in order, beside each what is open of its `parts`; the one at
    the head is not settled. Numbers in arrays, for a record may wait long among very many."""

    __slots__ = ("committed", "following", "head", "newest", "offsets", "parts", "topic_partition")

    def __init__(self, topic_partition: TopicPartition) -> None:
        self.topic_partition = topic_partition
        self.offsets = array("q")
        self.parts = array("i")
        self.head = 0
        self.newest = -1
        self.following = -1
        self.committed = -1

    @property
    def span(self) -> int:
        return len(self.offsets) - self.head

    def place(self, offset: int) -> int | None:
        """Where a record stands; None when all up to it are settled, or it was never opened."""
        offsets = self.offsets
        place = bisect_left(offsets, offset, self.head)
        return place if place < len(offsets) and offsets[place] == offset else None

    def open(self, offset: int, parts: int) -> None:
        if offset <= self.newest or parts < 0:
            raise ValueError(f"offset {offset} with {parts} parts cannot follow offset {self.newest}")
        self.newest = offset
        if parts or self.head < len(self.parts):
            self.offsets.append(offset)
            self.parts.append(parts)
        else:
            self.following = offset + 1

    def settle(self, place: int, parts: int) -> None:
        left = self.parts[place] - parts
        if left < 0 or parts < 1:
            offset = self.offsets[place]
            raise ValueError(f"{parts} parts of offset {offset} cannot be settled, {left + parts} are open")
        self.parts[place] = left
        if not left and place == self.head:
            self._advance()

    def _advance(self) -> None:
        parts, head, end = self.parts, self.head, len(self.parts)
        while head < end and not parts[head]:
            head += 1
        self.following = self.offsets[head - 1] + 1
        if head > _SETTLED_ROOM + end - head:
            del self.offsets[:head], parts[:head]
            head = 0
        self.head = head
