"""Where a new owner begins: the offset of each partition, from what was committed and what the journal shows."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Extent, Source
from consumer.engine.settings import LostOffsets, StartAt


@dataclass(frozen=True, slots=True)
class Starts:
    """Where to read on. `fresh` are positions that nobody committed yet and that must be committed before work begins;
    `gone` counts records that retention took before they were read."""

    offsets: dict[TopicPartition, int]
    fresh: dict[TopicPartition, int]
    gone: dict[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class NoStart:
    """Beginning anywhere would be a guess; `detail` says which command decides."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class StartRule:
    start_at: StartAt
    lost_offsets: LostOffsets
    lane_is_new: bool


async def starting_offsets(
    source: Source,
    partitions: Collection[TopicPartition],
    expected: Mapping[TopicPartition, int],
    rule: StartRule,
) -> Starts | NoStart | Trouble:
    """Where to read on; what was never committed is committed by then. `expected`: how far this desk has read."""
    # Where nobody else has claimed meanwhile, this desk goes on after what it has read already.
    going_on = {tp: offset for tp, offset in expected.items() if tp in partitions}
    if set(partitions) == going_on.keys():
        return Starts(going_on, {}, {})
    committed = await source.committed()
    if isinstance(committed, Trouble):
        return committed
    extents = await source.extents()
    if isinstance(extents, Trouble):
        return extents
    if not set(partitions) <= committed.keys() & extents.keys():
        return NoStart("other", "the assignment changed while it was looked at")
    known = {tp: going_on.get(tp, committed[tp]) for tp in partitions}
    found = starts(known, extents, rule)
    if isinstance(found, Starts) and found.fresh and (trouble := await source.commit(found.fresh)):
        return trouble
    return found


def starts(
    committed: Mapping[TopicPartition, int | None], extents: Mapping[TopicPartition, Extent], rule: StartRule
) -> Starts | NoStart:
    """Strict offset reset: no jump that nobody asked for (the cases are in docs/operating.md)."""
    beyond = [tp for tp, offset in committed.items() if offset is not None and offset > extents[tp].end]
    lost = all(offset is None for offset in committed.values()) and not rule.lane_is_new
    if (beyond or lost) and rule.lost_offsets == "refuse":
        return _refusal(beyond)
    known_topics = {tp.topic for tp, offset in committed.items() if offset is not None}
    found = Starts({}, {}, {})
    for partition, offset in committed.items():
        extent = extents[partition]
        if offset is None or partition in beyond:
            appeared = offset is None and partition.topic in known_topics
            at = "earliest" if appeared else rule.lost_offsets if (beyond or lost) else rule.start_at
            found.offsets[partition] = found.fresh[partition] = extent.beginning if at == "earliest" else extent.end
        else:
            found.offsets[partition] = max(offset, extent.beginning)
            if offset < extent.beginning:
                found.gone[partition] = extent.beginning - offset
    return found


def _refusal(beyond: list[TopicPartition]) -> NoStart:
    repair = "decide with: vestnik run --lost-offsets earliest|latest"
    if not beyond:
        return NoStart(
            "offsets_lost", f"the group has no committed offsets, yet the lane's journal is not new; {repair}"
        )
    partitions: defaultdict[str, list[int]] = defaultdict(list)
    for partition in beyond:
        partitions[partition.topic].append(partition.partition)
    places = ", ".join(f"{topic} {sorted(numbers)}" for topic, numbers in sorted(partitions.items()))
    return NoStart("offset_out_of_range", f"committed offsets lie beyond the end of {places}: made anew? {repair}")
