"""Whatever the order of calls, the outbox keeps its promises."""

from collections import Counter
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.core.model import Bounds, Capacity, Command, Ended, Message, OnUnsure, Priority, Terms
from consumer.core.outbox import Outbox
from consumer.core.shelf import Shelf
from consumer.core.turn import slack_with_ladder

TERMS = [
    Terms("a", Priority.URGENT, 30.0, OnUnsure.REPEAT),
    Terms("b", Priority.NORMAL, 30.0, OnUnsure.STOP),
    Terms("c", Priority.LOW, 60.0, OnUnsure.REPEAT, ladder=False),
]
LADDERS = [
    tuple(Message(text, "") for text in texts)
    for texts in (("A",), ("A", "coarse"), ("B", "coarse"), ("C", "middle", "coarse"), ("coarse",))
]


class OutboxAgainstItsPromises(RuleBasedStateMachine):
    """Every command is in one place; threads never go backwards; nothing expired is taken; counters balance."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(Bounds(commands=1000), slack_with_ladder)
        self.now = 100.0
        self.numbers = count()
        self.attempted: dict[int, int] = {}
        self.waiting: dict[bytes, Command] = {}
        self.flying: dict[bytes, Command] = {}
        self.doubts: Counter[tuple[int, int]] = Counter()

    def end(self, ended: tuple[Ended, ...]) -> None:
        for each in ended:
            del self.waiting[each.command.id]

    @rule(
        thread=st.sampled_from([None, 1, 2, 3]), rank=st.integers(0, 4), wordings=st.sampled_from(LADDERS),
        terms=st.sampled_from(TERMS), recipient=st.sampled_from("xyz"), ttl=st.floats(0, 90), age=st.floats(0, 50),
    )  # fmt: skip
    def put(
        self, *, thread: int | None, rank: int, wordings: tuple[Message, ...], terms: Terms, recipient: str, ttl: float,
        age: float,
    ) -> None:  # fmt: skip
        id_ = next(self.numbers).to_bytes(12)
        command = Command(
            id_,
            b"1234",
            terms,
            recipient,
            tuple(wordings),
            thread,
            rank,
            self.now - age,
            self.now - age + ttl,
            "orders",
        )
        self.waiting[id_] = command
        self.end(self.outbox.put(command, None if thread is None else self.attempted.get(thread)))

    @rule(parcels=st.integers(1, 4), recipients=st.integers(1, 3))
    def take(self, parcels: int, recipients: int) -> None:
        taken = self.outbox.take(self.now, 6.0, Capacity(parcels, recipients))
        assert len(taken) <= parcels
        assert len({command.terms.on_unsure for parcel in taken for command in parcel.commands}) <= 1
        for parcel in taken:
            assert 1 <= len({command.recipient for command in parcel.commands}) <= recipients
            for command in parcel.commands:
                self.depart(command, parcel.message)

    def depart(self, command: Command, message: Message) -> None:
        assert command.deadline > self.now, "nothing expired is taken"
        assert message in (command.wordings if command.terms.ladder else command.wordings[:1])
        del self.waiting[command.id]
        if command.thread is not None:
            assert command.rank >= self.attempted.get(command.thread, 0), "a thread never goes backwards"
            assert self.lowest_flying(command.thread) >= command.rank, "nothing overtakes"
            self.attempted[command.thread] = command.rank
        self.flying[command.id] = command

    def lowest_flying(self, thread: int) -> float:
        ranks = [command.rank for command in self.flying.values() if command.thread == thread]
        return min([*ranks, *(rank for (other, rank) in self.doubts if other == thread)], default=float("inf"))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), back=st.booleans())
    def land(self, data: st.DataObject, back: bool) -> None:
        command = self.flying.pop(data.draw(st.sampled_from(sorted(self.flying))))
        if back:
            self.waiting[command.id] = command
            self.end(self.outbox.put_back(command, None if command.thread is None else self.attempted[command.thread]))
        else:
            self.outbox.land(command.thread, command.rank)

    @rule(thread=st.sampled_from([1, 2, 3]), rank=st.integers(0, 4))
    def doubt(self, thread: int, rank: int) -> None:
        self.attempted[thread] = max(rank, self.attempted.get(thread, rank))
        self.doubts[thread, rank] += 1
        self.end(self.outbox.fly(thread, rank))

    @precondition(lambda self: self.doubts)
    @rule(data=st.data())
    def settle_a_doubt(self, data: st.DataObject) -> None:
        thread, rank = data.draw(st.sampled_from(sorted(self.doubts)))
        self.doubts -= Counter({(thread, rank): 1})
        self.outbox.land(thread, rank)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.outbox.remove(self.waiting.pop(id_))

    @rule(seconds=st.floats(0, 30))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        stale = {id_ for id_, command in self.waiting.items() if command.deadline <= self.now}
        ended = self.outbox.expire(self.now)
        assert {each.command.id for each in ended} == stale
        self.end(ended)
        assert self.outbox.next_expiry() == min((command.deadline for command in self.waiting.values()), default=None)

    @rule()
    def clear(self) -> None:
        assert self.outbox.clear() == len(self.waiting)
        self.waiting.clear()

    @invariant()
    def counters_balance(self) -> None:
        outbox = self.outbox
        assert outbox.waiting == len(self.waiting)
        assert outbox.oldest == min((command.arrived for command in self.waiting.values()), default=None)
        shown = {command.id: group for group in outbox.groups() for command in group}
        assert set(shown) <= set(self.waiting)
        assert outbox.open_count == len(shown)
        for group in outbox.groups():
            assert group.size == len({command.recipient for command in group}) > 0
            assert group.oldest == min(command.arrived for command in group) == group.first().arrived

    @invariant()
    def held_is_what_stands_behind_something_older(self) -> None:
        shown = {command.id for group in self.outbox.groups() for command in group}
        for id_, command in self.waiting.items():
            behind = command.thread is not None and self.lowest_flying(command.thread) < command.rank
            assert not (behind and id_ in shown)
            assert behind or id_ in shown or command.deadline <= self.now


class OutboxOfFoldedCommands(OutboxAgainstItsPromises):
    """The same where nearly all that waits is folded."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(Bounds(commands=1000), slack_with_ladder, Shelf(all_whole=1, last_whole=1))


TestOutboxOfFoldedCommands = OutboxOfFoldedCommands.TestCase
TestOutboxOfFoldedCommands.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestOutboxAgainstItsPromises = OutboxAgainstItsPromises.TestCase
TestOutboxAgainstItsPromises.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
