"""A lane's source topics in Kafka, read as a member of its group; a client that broke is made anew."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, errors

from consumer.core.facts import OffsetsSkipped, StreamHealed, StreamRebuilt, StreamTroubled
from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Emit, Extent, Seat
from consumer.streams.assignor import LaneAssignor, exclusive_assignor
from consumer.streams.clients import ANSWER_SECONDS, discard, is_fatal, probe, trouble_of
from consumer.streams.endurance import ENDLESS, REBUILDS_SECONDS, Endurance, Losses
from consumer.streams.entrance import explained, explained_anew
from consumer.streams.reading import read_one, record_of
from consumer.streams.settings import KafkaSettings
from consumer.streams.track import Track

POLL_RECORDS = 500
# What is fetched rings; this is for what does not, such as a partition whose trouble is over.
SLICE_SECONDS = 0.1
CHECK_SECONDS = 1.0
PROBE_SECONDS = 10.0
UNREACHABLE_SECONDS = 120.0
BACK_OFF_SECONDS = (1.0, 10.0)


class _Broken(Exception):  # noqa: N818 - it never leaves this module
    """The client cannot go on; the reason is the first argument."""


class KafkaSource:
    """Member of the group `vestnik.<lane>`, which gives all partitions of the topics to one member, or of a share those
    that are its own: its `assignor` says so.

    The seat's `revoked` is called only where `assigned` gave something before, and not by `stop`. A member that stands
    by is told so by an empty assignment, which also clears its claim.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        lane: str,
        topics: Sequence[str],
        emit: Emit,
        *,
        endurance: Endurance = ENDLESS,
        assignor: type[LaneAssignor] | None = None,
    ) -> None:
        self._settings = settings
        self._lane = lane
        self._topics = tuple(topics)
        self._emit = emit
        self._assignor = assignor or exclusive_assignor()
        self._seat: Seat | None = None
        self._consumer: Any = None
        self._fault: asyncio.Future[str] | None = None
        self._owned: frozenset[TopicPartition] = frozenset()
        self._tracks: dict[TopicPartition, Track] = {}
        self._turns: list[TopicPartition] = []
        self._trouble: Trouble | None = None
        self._losses = Losses(endurance, lane, emit)
        self._bell = asyncio.Event()
        self._fetched: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, seat: Seat) -> None:
        self._seat = seat
        self._tasks.add(asyncio.create_task(self._live(), name=f"{self._lane} source"))

    async def stop(self) -> None:
        """Leave the group. Takes at most some seconds, whatever the brokers do."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ANSWER_SECONDS)
        self._tasks.clear()
        consumer, self._consumer = self._consumer, None
        self._forget()
        if consumer is not None:
            await discard(consumer)

    def claim(self, epoch: int | None) -> None:
        self._assignor.claim = epoch or 0

    @property
    def stands_by(self) -> bool:
        return not self._assignor.holding

    def read_back(self) -> None:
        """Have a share's group that does not know that yet look at its members anew. In the middle of a rebalance the
        library forgets that it was asked, and is asked again the next time."""
        self._assignor.ready = True
        unknown = self.stands_by and not self._assignor.told_ready and self._assignor.share.of > 1
        if unknown and self._consumer is not None:
            self._consumer._coordinator.request_rejoin()

    # --- records

    async def poll(self, held: Collection[TopicPartition], timeout_seconds: float) -> Sequence[Record] | Trouble:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            self._bell.clear()
            self._listen()
            eligible = [partition for partition in self._turns if partition not in held]
            for partition in eligible:
                if got := await self._taken(partition):
                    return got
            left = deadline - loop.time()
            if left <= 0:
                return self.trouble or ()
            await self._rest(min(left, SLICE_SECONDS) if eligible else left)

    async def _taken(self, partition: TopicPartition) -> Sequence[Record] | Trouble:
        track = self._tracks.get(partition)
        if track is None or track.rests or not self._pollable():
            return ()
        records = await track.take(POLL_RECORDS)
        if self._tracks.get(partition) is not track or not records:
            return ()  # revoked meanwhile: the next owner reads them
        self._turns.remove(partition)
        self._turns.append(partition)
        if isinstance(records, Trouble):
            return records
        if track.skipped:
            self._emit(OffsetsSkipped(self._lane, *partition, track.skipped))
        return [record_of(record) for record in records]

    def _pollable(self) -> bool:
        """Whether a poll now would neither wait for an assignment nor swallow an error of the group."""
        consumer = self._consumer
        if consumer is None or consumer._subscription.reassignment_in_progress:
            return False
        try:
            _check(consumer)
        except _Broken as broken:
            self._break(str(broken))
            return False
        return True

    def _listen(self) -> None:
        """Let the bell ring when the library has fetched something. It is asked to tell before anybody looks at what is
        there, so that nothing comes between."""
        if self._consumer is not None and (self._fetched is None or self._fetched.done()):
            self._fetched = self._consumer._fetcher._create_fetch_waiter()
            self._fetched.add_done_callback(self._ring)

    def _ring(self, fetched: "asyncio.Future[None]") -> None:
        if not fetched.cancelled():
            fetched.exception()  # looked at: the next take says the same
        self._bell.set()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        for partition, offset in offsets.items():
            if partition not in self._owned:
                continue
            if partition in self._tracks:
                self._tracks[partition].seek(offset)
            else:
                self._tracks[partition] = Track(self._consumer, partition, offset)
                self._turns.append(partition)
        self._bell.set()

    # --- offsets

    async def committed(self) -> Mapping[TopicPartition, int | None] | Trouble:
        partitions = sorted(self._owned)

        async def asked(consumer: Any) -> Mapping[TopicPartition, int | None]:
            theirs = (aiokafka.TopicPartition(*partition) for partition in partitions)
            offsets = await asyncio.gather(*(consumer.committed(partition) for partition in theirs))
            return dict(zip(partitions, offsets, strict=True))

        answer: Mapping[TopicPartition, int | None] | Trouble = await self._answer(asked)
        return answer

    async def extents(self) -> Mapping[TopicPartition, Extent] | Trouble:
        partitions = sorted(self._owned)

        async def asked(consumer: Any) -> Mapping[TopicPartition, Extent]:
            theirs = [aiokafka.TopicPartition(*partition) for partition in partitions]
            beginnings = await consumer.beginning_offsets(theirs)
            ends = await consumer.end_offsets(theirs)
            return {
                TopicPartition(*one): Extent(beginnings[one], self._readable_end(TopicPartition(*one), ends[one]))
                for one in theirs
            }

        answer: Mapping[TopicPartition, Extent] | Trouble = await self._answer(asked, patient=True)
        return answer

    def _readable_end(self, partition: TopicPartition, end: int) -> int:
        """Where records end. Markers of transactions and what was compacted away take offsets, and nobody gets them."""
        track = self._tracks.get(partition)
        return end if track is None else track.readable_end(end)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        async def asked(consumer: Any) -> None:
            await consumer.commit(
                {aiokafka.TopicPartition(*partition): offset for partition, offset in offsets.items()}
            )

        trouble: Trouble | None = await self._answer(asked, fatal=True)
        return trouble

    async def fetch(self, position: Position) -> Record | Trouble:
        return await read_one(self._settings, position)

    async def _answer(self, ask: Any, *, patient: bool = False, fatal: bool = False) -> Any:
        """What the broker answers within five seconds. `patient` asks again after errors, which is for leaders that
        have just changed: they answer with code 78, which the library does not know. `fatal`: a client that gets an
        error which no repeating mends is made anew."""
        error: BaseException = TimeoutError()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while self._consumer is not None:
                    try:
                        return await ask(self._consumer)
                    except errors.KafkaError as failure:
                        error = failure
                    if not patient:
                        break
                    await asyncio.sleep(0.2)
        except (TimeoutError, errors.IllegalStateError) as failure:
            error = error if isinstance(error, errors.KafkaError) else failure
        if fatal and is_fatal(error):
            self._break(_reason(error))
        return trouble_of(error)

    # --- life

    async def _live(self) -> None:
        back_off, longest = BACK_OFF_SECONDS
        while True:
            trouble = await self._build()
            self._losses.asked(trouble, asyncio.get_running_loop().time())
            if trouble is not None:
                self._say(trouble)
            else:
                back_off = await self._watched(back_off)
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, longest)

    async def _watched(self, back_off: float) -> float:
        """Until the client breaks; how long to wait before the next one."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._fault = loop.create_future()
        try:
            await self._watch(self._fault)
        except _Broken as broken:
            reason = str(broken)
        await self._leave()
        self._emit(StreamRebuilt(self._lane, "source", reason))
        self._losses.broke(reason, loop.time())
        return BACK_OFF_SECONDS[0] if loop.time() - began > REBUILDS_SECONDS else back_off

    async def _build(self) -> Trouble | None:
        arguments = self._settings.belonging(f"vestnik.{self._lane}")
        if isinstance(arguments, Trouble):
            return arguments
        consumer = AIOKafkaConsumer(partition_assignment_strategy=(self._assignor,), **arguments)
        try:
            # Topics are subscribed after the start: a start with topics waits for an assignment without end.
            async with asyncio.timeout(ANSWER_SECONDS):
                await consumer.start()
        except (errors.KafkaError, OSError, TimeoutError) as error:
            await discard(consumer)
            return await explained(trouble_of(error), arguments)
        self._consumer, self._fetched = consumer, None
        _let_followers_sync(consumer, self._settings.timing.settle_ms / 1000)
        consumer.subscribe(self._topics, listener=_Listener(self, consumer))
        return None

    async def _watch(self, fault: asyncio.Future[str]) -> None:
        """Look for errors every second and ask for metadata every ten, also while nobody polls; ends by _Broken."""
        loop = asyncio.get_running_loop()
        reached = loop.time()
        asked = 0.0
        while True:
            if loop.time() - asked >= PROBE_SECONDS:
                asked = loop.time()
                trouble = await probe(self._consumer._client, self._topics)
                self._losses.asked(trouble, loop.time())
                self._say(None if trouble is None else await explained_anew(trouble, self._settings))
                reached = reached if trouble and trouble.reason == "broker_unreachable" else loop.time()
            _check(self._consumer)
            if loop.time() - reached > UNREACHABLE_SECONDS:
                raise _Broken("broker_unreachable")  # brokers may have new addresses: begin at the bootstrap again
            await asyncio.wait({fault}, timeout=CHECK_SECONDS)
            if fault.done():
                raise _Broken(fault.result())

    async def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        await self._revoked()
        await discard(consumer)

    def _break(self, reason: str) -> None:
        if self._fault is not None and not self._fault.done():
            self._fault.set_result(reason)

    @property
    def trouble(self) -> Trouble | None:
        """Why there is nothing to read: what the last probe found, or that clients break again and again."""
        return self._trouble or self._losses.trouble(asyncio.get_running_loop().time())

    def _say(self, trouble: Trouble | None) -> None:
        if trouble is not None and trouble != self._trouble:
            self._emit(StreamTroubled(self._lane, "source", trouble.reason, trouble.detail))
        if trouble is None and self._trouble is not None:
            self._emit(StreamHealed(self._lane, "source"))
        self._trouble = trouble

    # --- rebalances

    async def _assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self._forget()
        self._owned = partitions
        if self._seat is not None:
            await self._seat.assigned(partitions)

    async def _revoked(self) -> None:
        had = self._owned
        if had and self._seat is not None:
            await self._seat.revoked()
        self._forget()

    def _forget(self) -> None:
        self._owned = frozenset()
        self._tracks.clear()
        self._turns.clear()
        self._bell.set()


class _Listener(ConsumerRebalanceListener):
    """The library's view of a source."""

    def __init__(self, source: KafkaSource, consumer: Any) -> None:
        self._source = source
        self._consumer = consumer

    @property
    def _stale(self) -> bool:
        """Whether the source has thrown this client away; it may still be in the middle of a rebalance."""
        return self._source._consumer is not self._consumer

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        if not self._stale:
            await self._source._revoked()

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        if not self._stale:
            await self._source._assigned(frozenset(TopicPartition(*partition) for partition in assigned))


def _let_followers_sync(consumer: Any, seconds: float) -> None:
    """Make a group's leader wait before it hands out the assignment, where the followers must have asked first."""
    if not seconds:
        return
    coordinator = consumer._coordinator
    perform = coordinator._perform_assignment

    async def perform_late(response: Any) -> Any:
        await asyncio.sleep(seconds)
        return await perform(response)

    coordinator._perform_assignment = perform_late


def _check(consumer: Any) -> None:
    """Raise _Broken where the group or the fetcher of the client has an error that it would repeat for ever.

    The library retries by itself what is worth it; one error that it hands over becomes a hot loop of them.
    """
    try:
        consumer._coordinator.check_errors()
    except errors.KafkaError as error:
        raise _Broken(_reason(error)) from error
    if consumer._fetcher._fetch_task.done():
        raise _Broken("the fetcher ended")


def _reason(error: BaseException) -> str:
    trouble = trouble_of(error)
    return trouble.reason if trouble.reason != "other" else f"{trouble.detail}: {error}"[:200]
