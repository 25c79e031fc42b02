"""Which offsets may be committed: those below which every record is settled."""

from collections import deque
from collections.abc import Mapping

from consumer.core.model import Position, TopicPartition


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
        if account is not None and position[2] in account.parts:
            account.settle(position[2], parts)
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
        return len(account.offsets) if account else 0

    @property
    def spans(self) -> int:
        """Records held in all partitions."""
        return sum(len(account.offsets) for account in self._accounts.values())

    def oldest(self, topic_partition: TopicPartition) -> Position | None:
        """The first unsettled record of a partition."""
        account = self._accounts.get(topic_partition)
        return Position(*topic_partition, account.offsets[0]) if account and account.offsets else None

    def is_open(self, position: Position) -> bool:
        """Whether parts of this record are still unsettled."""
        account = self._accounts.get(position.topic_partition)
        return account is not None and account.parts.get(position.offset, 0) > 0

    def clear(self) -> None:
        """Let everything go: the partitions belong to somebody else now."""
        self._accounts.clear()
        self._cleared = True


class _Account:
    """One partition. `offsets` begins with an unsettled one or is empty; `parts` has exactly the same offsets."""

    __slots__ = ("committed", "following", "newest", "offsets", "parts", "topic_partition")

    def __init__(self, topic_partition: TopicPartition) -> None:
        self.topic_partition = topic_partition
        self.offsets: deque[int] = deque()
        self.parts: dict[int, int] = {}
        self.newest = -1
        self.following = -1
        self.committed = -1

    def open(self, offset: int, parts: int) -> None:
        if offset <= self.newest or parts < 0:
            raise ValueError(f"offset {offset} with {parts} parts cannot follow offset {self.newest}")
        self.newest = offset
        if parts or self.offsets:
            self.offsets.append(offset)
            self.parts[offset] = parts
        else:
            self.following = offset + 1

    def settle(self, offset: int, parts: int) -> None:
        left = self.parts[offset] - parts
        if left < 0 or parts < 1:
            raise ValueError(f"{parts} parts of offset {offset} cannot be settled, {left + parts} are open")
        self.parts[offset] = left
        if not left and offset == self.offsets[0]:
            self._advance()

    def _advance(self) -> None:
        offsets, parts = self.offsets, self.parts
        while offsets and not parts[offsets[0]]:
            offset = offsets.popleft()
            del parts[offset]
            self.following = offset + 1
