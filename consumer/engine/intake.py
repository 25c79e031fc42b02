"""Records in: polled, planned and admitted, as far as there is room, and slowly where a source is flooded by poison."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator

from consumer.core.desk import NOTHING, Admitted, Desk
from consumer.core.facts import OffsetsSkipped, RecordRepeated, RecordsPlanned
from consumer.core.flood import Floods
from consumer.core.model import Ignored, Plan, Planned, Record, Rejected, TopicPartition, Trouble
from consumer.core.ports import Extent
from consumer.engine.flight import Office, report_ends
from consumer.engine.letters import Letters
from consumer.engine.settings import LaneSettings

POLL_SECONDS = 0.5
# To admit what was planned in this time takes about as long again, and then others have their turn.
PLAN_SECONDS = 0.005
# Without a quota: who has more ready than the next rounds of requests can carry reads on slowly. Whoever sends is not
# held up then, and finds what it sends still at hand.
AHEAD_ROUNDS = 4
REST_SECONDS = 0.020
TROUBLE_PAUSE_SECONDS = 1.0
# Ends that the journal has not yet, because it takes nothing: so many are about 50 MiB.
UNWRITTEN_ENDS = 50_000
POISON = "poison_flood"
FLOOD = "flood "


class Intake:
    """The reading side of a tenure. `expected` is the offset after the last admitted record of each partition, from
    which a new assignment goes on; `wake` is called when what came in may let something go out."""

    def __init__(self, office: Office, settings: LaneSettings, desk: Desk, wake: Callable[[], None]) -> None:
        self.expected: dict[TopicPartition, int] = {}
        self.partitions: frozenset[TopicPartition] = frozenset()
        self.last_timestamps: dict[TopicPartition, float] = {}
        self.letters = Letters(office, desk, settings.flood.letters_per_second)
        self._office = office
        self._settings = settings
        self._desk = desk
        self._wake = wake
        self._floods = Floods(settings.flood)
        # Polled, not admitted: what came with the record that began the flood. At most one poll for each source.
        self._aside: dict[str, deque[Record]] = {}
        self._next_try: dict[str, float] = {}
        self._fruitless: dict[str, int] = {}
        self._resumes = office.switch.resumes

    async def consume(self) -> None:
        """Poll, plan and admit for ever."""
        board, source = self._office.board, self._office.parts.source
        # What lay aside will be polled again: reading goes on at `expected`.
        self._aside.clear()
        while True:
            await self._work_off()
            polled = await source.poll(self.held(), POLL_SECONDS)
            if isinstance(polled, Trouble):
                if await self._read_on(polled):
                    continue
                board.block(_cause(polled), polled.reason, polled.detail)
                await asyncio.sleep(TROUBLE_PAUSE_SECONDS)
                continue
            board.clear("source")
            self._look_for_ends_of_floods(polled[0].position.topic if polled else None)
            if polled:
                board.clear(f"source {polled[0].position.topic_partition}")
                await self._take_in(polled)

    async def _read_on(self, trouble: Trouble) -> bool:
        """Retention has taken what was to be read next: count it and read on behind the gap, as a new owner would.
        What lies beyond the end is a topic that was made anew: no jump that nobody asked for."""
        partition, source = trouble.partition, self._office.parts.source
        if trouble.reason != "offset_out_of_range" or partition is None:
            return False
        extents = await source.extents()
        extent = None if isinstance(extents, Trouble) else extents.get(partition)
        expected = self.expected.get(partition)
        if extent is None or expected is None or expected >= extent.beginning:
            return False
        self.expected[partition] = extent.beginning
        source.seek({partition: extent.beginning})
        self._office.parts.emit(OffsetsSkipped(self._office.lane, *partition, extent.beginning - expected))
        return True

    def behind(self, partition: TopicPartition, extent: Extent) -> int:
        """How many records of a partition were not admitted yet."""
        return max(0, extent.end - self.expected.get(partition, extent.end))

    # --- what is not read ---------------------------------------------------------------------------------------------

    def held(self) -> frozenset[TopicPartition]:
        """Partitions to leave out of the poll."""
        return frozenset(partition for partition in self.partitions if self.held_by(partition))

    def held_by(self, partition: TopicPartition) -> str:
        """Why a partition is left out of the poll; empty when it is not."""
        reasons = {
            "flood": bool(self._aside.get(partition.topic)),
            "journal": len(self._desk.unwritten) >= UNWRITTEN_ENDS,
            "backlog": not self._desk.outbox.has_room(partition.topic),
            "dead_letters": self.letters.full(partition),
            "span": self._desk.ledger.span(partition) >= self._settings.bounds.span,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    # --- records ------------------------------------------------------------------------------------------------------

    async def _take_in(self, records: Iterable[Record]) -> None:
        left = deque(records)
        while left:
            topic = left[0].position.topic
            if self._floods.flood(topic) is not None:
                self._put_aside(topic, left)
                break
            self._admit_slice(topic, left)
            self._wake()
            if self._far_ahead:
                await asyncio.sleep(REST_SECONDS)
            elif left:
                await asyncio.sleep(0)

    @property
    def _far_ahead(self) -> bool:
        """Whether so much waits that whoever sends needs the processor more than whoever reads; with a quota it needs
        little, and requests that are not full yet may still be filled by what is read."""
        capacity, rounds = self._office.parts.sink.capacity, AHEAD_ROUNDS * self._settings.in_flight
        enough = rounds * capacity.parcels * capacity.recipients
        return self._settings.quota is None and self._desk.outbox.waiting > enough

    def _admit_slice(self, topic: str, left: deque[Record]) -> None:
        """Take up the next records: first all are planned, then all admitted. To go to and fro between the two costs
        a quarter more, for the processor has forgotten the one when it comes back from the other."""
        time, plan = asyncio.get_running_loop().time, self._office.parts.planner.plan
        until = time() + PLAN_SECONDS
        plans: list[Plan] = []
        for record in left:
            plans.append(plan(record))
            if time() > until:
                break
        self._admit(topic, left, plans)

    def _admit(self, topic: str, left: deque[Record], plans: Iterable[Plan]) -> str | None:
        """Take up the records that were planned, until they are a flood; the reason of the last one, where nothing but
        dead letters came of it."""
        now, told, poison = self._office.clock.now(), _Tally(), None
        for plan in plans:
            record = left.popleft()
            admitted = self._desk.admit(record, plan, now)
            told.see(plan)
            if admitted is not NOTHING:
                self._take_note(record, admitted)
            poison = _poison(plan, admitted)
            if self._floods.see(topic, poison):
                break
        self._reach(record)
        for fact in told.facts(self._office.lane, topic):
            self._office.parts.emit(fact)
        return poison

    def _reach(self, record: Record) -> None:
        partition = record.position.topic_partition
        self.expected[partition] = record.position.offset + 1
        self.last_timestamps[partition] = record.timestamp

    def _take_note(self, record: Record, admitted: Admitted) -> None:
        report_ends(self._office, admitted.ended)
        for route, state in admitted.repeated:
            self._office.parts.emit(RecordRepeated(self._office.lane, route, state))
        for rejection in admitted.rejections:
            self.letters.put(record, rejection)

    # --- floods -------------------------------------------------------------------------------------------------------

    def _put_aside(self, topic: str, records: deque[Record]) -> None:
        flood = self._floods.flood(topic)
        if flood is None:
            return
        self._aside[topic] = records
        if topic not in self._next_try:
            seconds = self._settings.flood.probe_seconds
            self._next_try[topic] = asyncio.get_running_loop().time() + seconds
            how = f"one record is tried every {seconds:.0f} s; to read on at once: vestnik lane resume"
            self._office.board.block(_flooded(topic), POISON, f"{flood.words}; {how}")

    async def _work_off(self) -> None:
        """Try what lies aside: one record when its time has come, all after good ones, or when somebody says so."""
        if self._office.switch.resumes != self._resumes:
            self._resumes = self._office.switch.resumes
            for topic in self._floods.sources:
                self._floods.lift(topic)
        for topic in list(self._aside):
            await self._try_aside(topic)
            if self._floods.flood(topic) is None:
                self._end_flood(topic)
                await self._take_in(self._aside.pop(topic))

    async def _try_aside(self, topic: str) -> None:
        """One record of a flooded source, if it is time; after a good one the next follows at once."""
        loop = asyncio.get_running_loop()
        aside = self._aside[topic]
        while aside and loop.time() >= self._next_try[topic] and self._floods.flood(topic) is not None:
            if self._admit(topic, aside, [self._office.parts.planner.plan(aside[0])]) is not None:
                self._next_try[topic] = loop.time() + self._settings.flood.probe_seconds
            self._wake()
            await asyncio.sleep(0)

    def _look_for_ends_of_floods(self, polled: str | None) -> None:
        """A flooded source that was asked again and again and gives nothing more holds nothing back."""
        for topic in self._floods.sources:
            if polled == topic or any(self.held_by(each) for each in self.partitions if each.topic == topic):
                self._fruitless.pop(topic, None)
                continue
            self._fruitless[topic] = self._fruitless.get(topic, 0) + 1
            if self._fruitless[topic] > len(self.partitions):
                self._floods.lift(topic)
        for topic in self._next_try.keys() - set(self._floods.sources):
            self._end_flood(topic)

    def _end_flood(self, topic: str) -> None:
        self._next_try.pop(topic, None)
        self._fruitless.pop(topic, None)
        self._office.board.clear(_flooded(topic))


class _Tally:
    """What was made of records that were taken up together."""

    def __init__(self) -> None:
        self._records: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._commands: defaultdict[tuple[str, str, str], int] = defaultdict(int)

    def see(self, plan: Plan) -> None:
        match plan:
            case Planned():
                kind = plan.event_type, "planned", ""
                self._commands[kind] += len(plan.commands) + len(plan.ended)
            case Ignored():
                kind = plan.event_type, "ignored", plan.reason
            case Rejected():
                kind = "", "rejected", plan.rejection.reason
        self._records[kind] += 1

    def facts(self, lane: str, topic: str) -> Iterator[RecordsPlanned]:
        for kind, records in self._records.items():
            yield RecordsPlanned(lane, topic, *kind, records, self._commands[kind])


def _poison(plan: Plan, admitted: Admitted) -> str | None:
    """One route that fails while others make something of the record floods nothing."""
    if not admitted.rejections:
        return None
    parts = len(plan.commands) + len(plan.ended) + len(plan.rejections) if isinstance(plan, Planned) else 1
    if len(admitted.rejections) < parts:
        return None
    return admitted.rejections[0].reason


def _flooded(topic: str) -> str:
    return FLOOD + topic


def _cause(trouble: Trouble) -> str:
    return "source" if trouble.partition is None else f"source {trouble.partition}"
