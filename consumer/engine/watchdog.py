"""Watchdogs of a lane: what should happen and does not, and partitions that give nothing although they have more."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumer.core.model import TopicPartition

SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds, before a watchdog speaks: for something that should happen at once, and for a
    record of a partition that has some."""

    progress_seconds: float = 120.0
    partition_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Stall:
    """Something should have happened for so long, and has not: a request, a landing, a commit, a recovery."""

    what: str
    seconds: float


class Progress:
    """Tell it every second what should happen at that moment, and how often it has happened so far."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._known: dict[str, tuple[int, float]] = {}

    def look(self, now: float, wanted: Mapping[str, int]) -> Stall | None:
        """What has not moved for too long although it was wanted all the time. What is not wanted begins anew."""
        known = self._known
        self._known = {
            name: known[name] if name in known and known[name][0] == count else (count, now)
            for name, count in wanted.items()
        }
        name, (_, since) = min(self._known.items(), key=lambda item: item[1][1], default=("", (0, now)))
        return Stall(name, now - since) if name and now - since >= self._patience else None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is known of one partition: how many `records` it has that were not read, and the offset that comes next.
    `held`: it is left out on purpose; `trouble`: why its stream gives nothing, as the stream says itself."""

    records: int
    following: int
    held: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A partition that has records and gives none. `since` is when it gave the last one, or when that began to matter;
    `reason` is the stream's own, or `silent` where nobody says why: then a new process may help."""

    partition: TopicPartition
    reason: str
    records: int
    since: float


class Partitions:
    """Remembers since when each partition has given nothing although it could."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._known: dict[TopicPartition, tuple[int, float]] = {}

    def look(self, now: float, backlogs: Mapping[TopicPartition, Backlog]) -> tuple[Stuck, ...]:
        """Those that have given nothing for too long. Partitions that are not named begin anew."""
        known = self._known
        self._known = {
            partition: known[partition]
            if partition in known and known[partition][0] == backlog.following
            else (backlog.following, now)
            for partition, backlog in backlogs.items()
            if backlog.records > 0 and not backlog.held
        }
        return tuple(
            Stuck(partition, backlogs[partition].trouble or SILENT, backlogs[partition].records, since)
            for partition, (_, since) in self._known.items()
            if now - since >= self._patience
        )
