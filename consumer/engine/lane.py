"""A lane: one quota of one provider account, owned by one process at a time, with the others standing by."""

import asyncio
import secrets
from dataclasses import dataclass, field
from functools import partial

from consumer.core.caps import Told
from consumer.core.desk import Desk
from consumer.core.explain import Waiting
from consumer.core.facts import (
    ClaimMade,
    CommandsReleased,
    CommandsRestored,
    JournalReadBack,
    LaneMoved,
    OffsetsSkipped,
    PartitionsAssigned,
    PartitionsRevoked,
)
from consumer.core.head import Head
from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import TopicPartition, Trouble
from consumer.core.outbox import Outbox
from consumer.core.ports import Appended
from consumer.core.shares import lane_of
from consumer.core.whereabouts import Whereabouts, whereabouts
from consumer.engine.aloft import Aloft
from consumer.engine.bell import Bell
from consumer.engine.board import Board
from consumer.engine.clock import BrokerClock
from consumer.engine.cutoff import Cutoff
from consumer.engine.flight import Office
from consumer.engine.follower import Follower
from consumer.engine.gate import Gate, Pace
from consumer.engine.intake import FLOOD
from consumer.engine.lookout import Lookout, Sight
from consumer.engine.recovery import NoStart, StartRule, Starts, starting_offsets
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.engine.switch import Switch
from consumer.engine.tenure import Tenure
from consumer.engine.view import LaneView
from consumer.engine.watchlist import Watchlist
from schemas.journal import Claim

PAUSE_SECONDS = 1.0
RECLAIM_PAUSE_SECONDS = 3.0
REVOKE_SECONDS = 4.0
LANDING_SECONDS = 2.0


@dataclass(slots=True)
class Assignment:
    """What the group has given this member; each change has a number, so that a slow task can tell that it is late."""

    generation: int = 0
    partitions: frozenset[TopicPartition] = field(default_factory=frozenset)


class Lane:
    """Run it once: `await lane.run()` returns after `stop()`. Everything that it must remember is in the journal, so a
    lane that is made anew goes on where this one ended, however it ended."""

    def __init__(self, settings: LaneSettings, parts: LaneParts) -> None:
        self._settings = settings
        self._parts = parts
        # The key is as old as the process: nobody else ever needs these hashes.
        told = Told(settings.caps, secrets.token_bytes(32))
        self._memory = Memory(settings.memory_seconds, told)
        # What people say of a shared lane is said to each of its shares.
        lane = lane_of(settings.id)
        self._watchlist = Watchlist(lane, parts.suppressions)
        self._follower = Follower(parts.journal, self._memory, lambda: parts.wall() - settings.memory_seconds)
        self._clock = BrokerClock()
        self._switch = Switch(lane, parts.control, self._now)
        self._assignment = Assignment()
        self._tenure: Tenure | None = None
        # This one, and earlier ones whose requests may be under way.
        self._tenures: list[Tenure] = []
        self._state = "starting"
        self._stopping = False
        # Whoever is to stop needs no claim any more, and the journal may not take it for long.
        self._accession = Cutoff()
        self._bell = Bell()
        sight = Sight(self.view, lambda: self._tenure, self._wanted)
        self._lookout = Lookout(settings, parts, self._clock, sight)
        self._claims = 0
        self._aloft = Aloft()
        # Requests that the drain's budget left without an answer.
        self.cut_off = 0

    # --- from outside -------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._settings.id

    def stop(self) -> None:
        """Take nothing new; `run` returns when what is in flight has landed, or the drain's budget is spent."""
        self._stopping = True
        self._accession.cancel()
        self._stir()

    async def run(self) -> None:
        """Work until stopped. Raises only for bugs."""
        loop = asyncio.get_running_loop()
        self._board = Board(self.id, self._parts.emit, loop.time)
        self._office = Office(
            self.id, self._parts, self._memory, self._follower, self._clock, self._board,
            lambda: self._stopping, Cutoff(), self._watchlist, self._switch,
        )  # fmt: skip
        self._follower.listen(self._on_journal)
        try:
            await self._live()
        finally:
            # A crashed lane leaves the group too: the one made in its place would wait for it otherwise.
            await self._parts.source.stop()
            await self._parts.sink.close()
            await self._parts.dead_letters.stop()
            await self._watchlist.stop()
            await self._switch.stop()
            await self._parts.journal.stop()
            self._board.clear_all("")
        self._move("stopped")

    async def _live(self) -> None:
        await self._parts.journal.start()
        await self._parts.dead_letters.start()
        await self._watchlist.start()
        await self._switch.start()
        self._move("standby")
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            following = (
                self._follower.run(),
                self._lookout.run(self._board),
                self._watchlist.run(self._board, self._stir),
                self._switch.run(self._board, self._stir),
            )
            background = [tasks.create_task(each) for each in following]
            await self._parts.source.start(self)
            while not self._stopping:
                await self._hold_office()
            await self._leave()
            for task in background:
                task.cancel()

    # --- the seat in the consumer group -------------------------------------------------------------------------------

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """The group gave this member all partitions, or none: then it stands by."""
        self._assignment = Assignment(self._assignment.generation + 1, partitions)
        self._parts.emit(PartitionsAssigned(self.id, tuple(sorted(partitions))))
        self._stir()

    async def revoked(self) -> None:
        """Stop taking, commit, let go; flights land, whoever owns the lane by then."""
        self._assignment = Assignment(self._assignment.generation + 1)
        self._parts.emit(PartitionsRevoked(self.id))
        self._stir()
        if self._tenure is not None:
            await self._settle_up(self._tenure, REVOKE_SECONDS)

    # --- ownership ----------------------------------------------------------------------------------------------------

    async def _hold_office(self) -> None:
        """Stand by until assigned, then claim, recover and work until that assignment is over."""
        await self._bell.until(lambda: self._stopping or bool(self._assignment.partitions))
        generation = self._assignment.generation
        if self._stopping:
            return
        if await self._claim(generation) and (tenure := self._tenure) and await self._begin(tenure, generation):
            self._move("working")
            await self._work(tenure, generation)
        if not self._stopping:
            # Also who was assigned and came too late to claim, or to begin, stands by.
            self._move("standby")
        if self._current(generation):
            # Deposed although the group still names us: let the other learn that it is not the owner, then claim anew.
            await self._bell.pause(RECLAIM_PAUSE_SECONDS)

    def _current(self, generation: int) -> bool:
        return not self._stopping and self._assignment.generation == generation

    async def _claim(self, generation: int) -> bool:
        """Append claims until one is valid or the assignment is over; take up or go on with the tenure."""
        self._move("recovering")
        began = asyncio.get_running_loop().time()
        while self._current(generation):
            mine_before = self._memory.epoch if self._tenure is not None else None
            claim = Claim(epoch=self._memory.epoch + 1, member=self._settings.member)
            written = await self._accession.until(self._written(claim))
            if written is None:
                return False
            appended, anchored = written
            ours = self._memory.epoch == claim.epoch and self._memory.owner == self._settings.member
            self._parts.emit(ClaimMade(self.id, claim.epoch, ours))
            self._claims += 1
            renewed = ours and self._renew(claim.epoch, mine_before)
            if ours and self._current(generation):
                self._parts.source.claim(claim.epoch)
                if not renewed:
                    await self._accede(claim.epoch, appended.timestamp, anchored)
                self._tell_read_back(began)
                return True
            if (self._memory.claim_offset or 0) > appended.offset:
                # Somebody claims beside us: let the group say who is right before the next try.
                await self._bell.pause(RECLAIM_PAUSE_SECONDS)
        return False

    async def _written(self, claim: Claim) -> tuple[Appended, float]:
        """The claim's place in the journal, and when the broker had it; the memory has read up to there by then."""
        appended = await self._parts.journal.append(claim)
        anchored = asyncio.get_running_loop().time()
        await self._follower.reached(appended.offset)
        return appended, anchored

    def _renew(self, epoch: int, mine_before: int | None) -> bool:
        """Whether the tenure goes on as it was: no other's claim lies between. That a claim came too late for its
        assignment changes nothing about that."""
        tenure = self._tenure
        if tenure is None or not mine_before == tenure.epoch == epoch - 1:
            return False
        tenure.renew(epoch)
        return True

    async def _accede(self, epoch: int, timestamp: float, anchored: float) -> None:
        self._release()
        self._clock.anchor(timestamp, anchored)
        self._tenure = Tenure(self._office, self._settings, self._new_desk(), await self._new_gate(), epoch)
        self._tenures = [*(tenure for tenure in self._tenures if tenure.flying), self._tenure]

    def _new_desk(self) -> Desk:
        outbox = Outbox(self._settings.bounds, self._settings.policy())
        desk = Desk(outbox, Ledger(), self._memory, self._watchlist.lists)
        if desk.restored:
            self._parts.emit(CommandsRestored(self.id, desk.restored))
        desk.doubts.add(self._memory.open_attempts.values())
        return desk

    async def _new_gate(self) -> Gate:
        timeout = self._parts.sink.timeout_seconds
        settings = self._settings
        pace = Pace(settings.quota, timeout, settings.lost_for_seconds, settings.ceiling, self.id)
        gate = Gate(pace, self._clock, self._parts.dice, self._parts.emit)
        span = await self._follower.started()
        # What retention or a stranger's bytes hide may be a request: keep one silent period. A journal in which there
        # was nothing when this process began to follow it may hold another's requests by now.
        cut = (span.cut and not span.empty) or self._memory.unreadable > 0
        await gate.restore(list(self._memory.past(-1.0)), cut)
        return gate

    def _tell_read_back(self, began: float) -> None:
        follower, seconds = self._follower, asyncio.get_running_loop().time() - began
        in_doubt = sum(len(attempt.commands) for attempt in self._memory.open_attempts.values())
        self._parts.emit(JournalReadBack(self.id, follower.records, seconds, in_doubt, self._memory.unreadable))

    async def _begin(self, tenure: Tenure, generation: int) -> bool:
        """Seek every partition; False when the assignment is over first."""
        while self._current(generation):
            began = await self._starting_offsets(tenure)
            if isinstance(began, Starts):
                self._board.clear("start")
                tenure.intake.partitions = self._assignment.partitions
                tenure.intake.expected.update(began.offsets)
                self._parts.source.seek(began.offsets)
                for partition, count in began.gone.items():
                    self._parts.emit(OffsetsSkipped(self.id, *partition, count))
                return True
            self._board.block("start", began.reason, began.detail)
            await self._bell.pause(PAUSE_SECONDS)
        return False

    async def _starting_offsets(self, tenure: Tenure) -> Starts | NoStart | Trouble:
        rule = StartRule(self._settings.start_at, self._settings.lost_offsets, not self._follower.worked)
        return await starting_offsets(self._parts.source, self._assignment.partitions, tenure.intake.expected, rule)

    # --- working ------------------------------------------------------------------------------------------------------

    async def _work(self, tenure: Tenure, generation: int) -> None:
        claimed_at = self._clock.now()
        async with asyncio.TaskGroup() as loops:
            running = [
                loops.create_task(tenure.intake.consume()),
                loops.create_task(tenure.intake.letters.bury()),
                loops.create_task(tenure.dispatch(partial(self._aloft.launch, self._tasks))),
                loops.create_task(tenure.tend()),
                loops.create_task(tenure.settle_doubts(claimed_at)),
                loops.create_task(tenure.commit()),
            ]
            await self._bell.until(lambda: not self._current(generation) or self._tenure is not tenure)
            for task in running:
                task.cancel()

    def _on_journal(self) -> None:
        tenure = self._tenure
        if tenure is None:
            return
        if self._memory.epoch > tenure.epoch and self._memory.owner != self._settings.member:
            self._parts.source.claim(None)
            self._release()
        else:
            tenure.notice()

    def _release(self) -> None:
        """Another member's claim stands in the journal: what waits here is planned again there."""
        if self._tenure is not None:
            self._tenure.gate.retire()
            self._parts.emit(CommandsReleased(self.id, self._tenure.desk.release()))
            self._tenure = None
            self._board.clear_all(FLOOD)
            self._stir()

    async def _settle_up(self, tenure: Tenure, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await tenure.settle_up()
        except TimeoutError:
            # The offsets stay where they are: the records are planned again, and what has ended settles at once.
            return

    async def _leave(self) -> None:
        """Flights finish within the budget, then count as unsure; commit."""
        self._move("draining")
        await self._aloft.landed(self._settings.drain_seconds)
        self.cut_off = sum(tenure.flying for tenure in self._tenures)
        self._office.cutoff.cancel()
        await self._aloft.landed(LANDING_SECONDS)
        # The journal takes nothing: these stay in doubt, which the next owner settles.
        self._aloft.cancel()
        if self._tenure is not None:
            await self._settle_up(self._tenure, LANDING_SECONDS)

    # --- how it stands ------------------------------------------------------------------------------------------------

    def view(self) -> LaneView:
        """The lane as it stands at this moment."""
        tenure, lag = self._tenure, self._lookout.lag
        view = LaneView(
            id=self.id,
            provider=self._parts.sink.provider,
            member=self._settings.member,
            state=self._state,
            epoch=self._memory.epoch,
            owner=self._memory.owner,
            partitions=tuple(sorted(self._assignment.partitions)),
            blockages=self._board.blockages if self._state != "starting" else (),
            quota_requests=self._settings.quota.requests if self._settings.quota else 0,
            lag_records=lag[0] if lag else None,
            lag_seconds=lag[1] if lag else None,
            heads=self._lookout.heads,
            stuck=self._lookout.stuck,
            now=self._board.now() if self._state != "starting" else 0.0,
            unreadable_rows=self._watchlist.unreadable + self._switch.unreadable,
        )
        return view if tenure is None else tenure.show(view)

    def _wanted(self) -> dict[str, int]:
        """What should happen just now, and how often it has happened; of a standby nothing is wanted."""
        if self._state == "recovering":
            return {"recovery": self._follower.records + self._claims}
        return self._tenure.wanted() if self._tenure is not None and self._state == "working" else {}

    def open_groups(self, limit: int) -> list[Waiting]:
        """The open groups that go out next, without recipients; empty while the lane is another's."""
        return [] if self._tenure is None else self._tenure.open_groups(limit)

    def whereabouts(self, id_: bytes) -> Whereabouts | None:
        """Where a live command is; None where this lane has no such one, and while the lane is another's."""
        return None if self._tenure is None else whereabouts(self._tenure.desk, id_)

    @property
    def heads(self) -> tuple[Head, ...]:
        """The records that hold back committed offsets, the oldest first; `since` on the loop's clock."""
        return self._lookout.heads

    # --- small things -------------------------------------------------------------------------------------------------

    def _move(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._parts.emit(LaneMoved(self.id, state, self._memory.epoch))

    def _now(self) -> float:
        """The broker's time; before the first claim the host's, which decides nothing then."""
        return self._clock.now() if self._clock.anchored else self._parts.wall()

    def _stir(self) -> None:
        self._bell.ring()
        if self._tenure is not None:
            self._tenure.wake()
