"""`vestnik lag`: how far each lane is behind, asked of Kafka itself, so that it answers when no process runs too."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumer.app import wiring
from consumer.app.asking import fetched
from consumer.app.controlling import orders
from consumer.app.setup import Setup
from consumer.core.control import Order
from consumer.core.model import Quota, TopicPartition, Trouble
from consumer.core.ports import Entry, Unreadable
from consumer.core.shares import lane_of
from consumer.streams.inspection import GroupState, Inspector, inspecting
from consumer.streams.marks import Mark, last_entries, marks
from consumer.streams.settings import KafkaSettings
from schemas.journal import Attempt, Claim

# The journal's end is read back for the last claim in these steps.
LOOK_BACK = (500, 5_000, 50_000)
# So many of the last attempts tell how many people a request carries here.
ATTEMPTS = 50

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition of one lane. `read` is None unless its owner was asked; `seconds` is the age of the oldest record
    that is not committed. `gone`: records that the topic let go before they were read."""

    topic: str
    partition: int
    committed: int | None
    read: int | None
    end: int
    records: int | None
    seconds: float | None
    gone: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has the lane: by the journal's last claim, and by its group. `host` is "" when nobody has it just now."""

    member: str
    epoch: int
    host: str
    standbys: tuple[str, ...]
    group: str


@dataclass(frozen=True, slots=True)
class LaneLag:
    """A lane: its partitions, its owner, and how long the quota needs for what is behind.

    `waiting`: commands in the running owner; None when it was not reached. `clear_seconds` is then its own figure for
    them plus an estimate for what it has not read; else an estimate for all that is not committed. The estimate takes
    one message a record and `people` (the mean of the last attempts) a request. None: the lane has no quota.
    """

    lane: str
    partitions: tuple[PartitionLag, ...]
    owner: Owner
    paused: Order | None
    waiting: int | None
    clear_seconds: float | None
    people: float
    trouble: str = ""

    @property
    def records(self) -> int:
        return sum(each.records or 0 for each in self.partitions)

    @property
    def seconds(self) -> float:
        return max((each.seconds or 0.0 for each in self.partitions), default=0.0)


NOBODY = Owner("", 0, "", (), "")


async def lags(setup: Setup, lanes: Sequence[str], addresses: Sequence[str], now: float) -> list[LaneLag]:
    """Every lane's lag; one that cannot be looked at says why in `trouble`."""
    settings = wiring.kafka_settings(setup)
    async with inspecting(settings) as inspector:
        if isinstance(inspector, Trouble):
            return [_troubled(lane, inspector) for lane in lanes]
        said = await orders(setup)
        states = [report for address in addresses if isinstance(report := await fetched(address), dict)]
        look = _Look(setup, settings, inspector, now)
        return [
            await look.lane(lane, None if isinstance(said, str) else said.get(lane_of(lane)), owner_state(states, lane))
            for lane in lanes
        ]


def _troubled(lane: str, trouble: Trouble) -> LaneLag:
    words = f"{trouble.reason} {trouble.detail}".strip()
    return LaneLag(lane, (), NOBODY, None, None, None, 0.0, words)


def owner_state(reports: Sequence[State], lane: str) -> State | None:
    """What the lane's owner says of it, among the processes that were reached."""
    standings = (report["lanes"].get(lane) for report in reports)
    return next((each for each in standings if isinstance(each, dict) and each.get("owner")), None)


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the cluster."""

    setup: Setup
    settings: KafkaSettings
    inspector: Inspector
    now: float

    async def lane(self, lane: str, order: Order | None, state: State | None) -> LaneLag:
        share, topics = self.setup.config.share(lane), wiring.lane_sources(self.setup, lane)
        found = await marks(self.settings, wiring.group_name(lane), topics, share)
        if isinstance(found, Trouble):
            return _troubled(lane, found)
        tail = await self._tail(wiring.journal_place(lane))
        group = await self.inspector.group(wiring.group_name(lane))
        if isinstance(group, Trouble):
            return _troubled(lane, group)
        read = _read_offsets(state)
        partitions = tuple(self._partition(tp, mark, read.get(tp)) for tp, mark in sorted(found.items()))
        quota = wiring.lane_settings(self.setup, lane, "").quota
        people = people_a_request(tail)
        unread = sum(each.records or 0 for each in partitions) if state is None else unread_of(partitions, state)
        clear = seconds_to_clear(quota, unread, people, 0.0 if state is None else state.get("seconds_to_clear", 0.0))
        return LaneLag(
            lane,
            partitions,
            owner_of(tail, group),
            order if order is not None and order.stops(self.now) else None,
            None if state is None else state.get("waiting"),
            clear,
            people,
        )

    def _partition(self, tp: TopicPartition, mark: Mark, read: int | None) -> PartitionLag:
        seconds = None if mark.committed is None else 0.0
        if mark.waits_since is not None:
            seconds = max(0.0, self.now - mark.waits_since)
        return PartitionLag(*tp, mark.committed, read, mark.end, mark.records, seconds, mark.gone)

    async def _tail(self, place: TopicPartition) -> list[Entry]:
        """The journal's end, as far back as the last claim where that is not too far; nothing when it is unreadable,
        which `doctor` tells."""
        entries: list[Entry] = []
        for count in LOOK_BACK:
            found = await last_entries(self.settings, place, count)
            if isinstance(found, Trouble):
                break
            entries = found
            if len(found) < count or any(isinstance(entry.record, Claim) for entry in found):
                break
        return entries


def _read_offsets(state: State | None) -> dict[TopicPartition, int]:
    """Where the owner reads next, by partition, if it tells."""
    told = state.get("read_offsets", {}) if state is not None else {}
    found = {}
    for name, offset in told.items():
        topic, _, partition = name.rpartition("/")
        found[TopicPartition(topic, int(partition))] = int(offset)
    return found


def unread_of(partitions: Sequence[PartitionLag], state: State) -> int:
    """Records that the owner has not read: by its offsets where it tells them, else by its own count."""
    if all(each.read is not None for each in partitions):
        return sum(max(0, each.end - (each.read or 0)) for each in partitions)
    return int(state.get("lag_records", 0))


def owner_of(tail: Sequence[Entry], group: GroupState) -> Owner:
    """The last claim in the journal (the first one of its epoch counts), and who holds partitions in the group."""
    member, epoch = "", 0
    for entry in tail:
        record = entry.record
        if isinstance(record, Claim) and record.epoch > epoch:
            member, epoch = record.member, record.epoch
        elif not isinstance(record, Claim | Unreadable) and record.epoch > epoch:
            member, epoch = "", record.epoch
    holders = [each for each in group.members if each.partitions]
    standbys = tuple(sorted(each.host for each in group.members if not each.partitions))
    return Owner(member, epoch, holders[0].host if holders else "", standbys, group.state)


def people_a_request(tail: Sequence[Entry]) -> float:
    """How many people a request carried lately; 1 where the journal has none, which is the worst case."""
    attempts = [entry.record for entry in tail if isinstance(entry.record, Attempt)][-ATTEMPTS:]
    carried = [sum(len(parcel.commands.ids) for parcel in attempt.parcels) for attempt in attempts]
    return max(1.0, sum(carried) / len(carried)) if carried else 1.0


def seconds_to_clear(quota: Quota | None, records: int, people: float, waiting_seconds: float) -> float | None:
    """What the quota needs for so many records at one message each, after what waits already."""
    if quota is None:
        return None
    return waiting_seconds + math.ceil(records / people) * quota.gap_seconds
