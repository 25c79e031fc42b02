"""The desk: each live command once, and every record settled when all that it asked for has an end."""

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consumer.core.attempts import OpenAttempt
from consumer.core.bisection import Sentence
from consumer.core.desk import Desk
from consumer.core.landing import attempt_records, land, lost
from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import (
    Batch,
    Bounds,
    Capacity,
    Command,
    Delivered,
    Ended,
    Ignored,
    Message,
    OnUnsure,
    Outcome,
    Parcel,
    Planned,
    Position,
    Record,
    Refused,
    Rejected,
    Rejection,
    Terms,
    TopicPartition,
    Unsure,
    Verdict,
)
from consumer.core.outbox import Outbox
from consumer.core.ports import Entry
from consumer.core.turn import slack_with_ladder
from schemas.journal import Attempt, Claim, Landing, Outcomes

ROOM = Capacity(1, 1000)
PARTITION = TopicPartition("orders", 0)


class Table:
    """A desk with its memory, and a journal that is read back when the test says so."""

    def __init__(self) -> None:
        self.memory = Memory(86_400.0)
        self.desk = Desk(Outbox(Bounds(), slack_with_ladder), Ledger(), self.memory)
        self.offset = 0
        self.journal_offset = 0
        self.number = 0
        self.write(Claim(epoch=1, member="me"))

    def write(self, record: Claim | Attempt | Landing | Outcomes) -> None:
        self.memory.apply(Entry(self.journal_offset, 1000.0, record))
        self.journal_offset += 1

    def record(self) -> Record:
        self.offset += 1
        return Record(Position("orders", 0, self.offset - 1), 1000.0)

    def plan(self, *commands: Command, ended: tuple[Ended, ...] = ()) -> Record:
        record = self.record()
        self.admitted = self.desk.admit(record, Planned("order.created", commands, ended))
        return record

    def take(self, now: float = 1000.0) -> Batch:
        self.number += 1
        return Batch(f"1.{self.number}", 1, self.desk.take(now, 6.0, ROOM))

    def fly(self, batch: Batch, *verdicts: Verdict, read_back: bool = True) -> tuple[Ended, ...]:
        places = {command.id: self.desk.positions(command) for command in batch.commands}
        for record in attempt_records(batch, places):
            self.write(record)
        landed = land(
            batch, self.desk.bisection.hear(batch, verdicts), self.memory, self.desk.bisection.suspects(batch)
        )
        if read_back:
            self.write(landed.record)
        ended = self.desk.land(batch.commands, landed.outcomes, landed.refused)
        return ended + self.bury()

    def bury(self) -> tuple[Ended, ...]:
        """Letters are durable at once here."""
        return tuple(end for sentence in list(self.desk.bisection.sentences) for end in self.desk.convict(sentence))

    @property
    def committable(self) -> int | None:
        return self.desk.ledger.committable().get(PARTITION)


def command(
    name: str,
    *,
    text: str = "готов",
    thread: int | None = None,
    rank: int = 0,
    digest: bytes = b"1234",
    ttl: float = 500,
) -> Command:
    terms = Terms("route", on_unsure=OnUnsure.REPEAT if "stop" not in name else OnUnsure.STOP)
    message = Message("Заказ", text)
    return Command(
        name.encode().ljust(12), digest, terms, name, (message,), thread, rank, 1000.0, 1000.0 + ttl, "orders"
    )


def test_a_record_is_settled_when_all_its_commands_have_ended() -> None:
    table = Table()
    table.plan(command("a"), command("b"))
    batch = table.take()
    assert table.committable is None
    assert table.fly(batch, Delivered()) == ()
    assert table.committable == 1


def test_ignored_records_settle_and_rejected_ones_wait_for_their_letter() -> None:
    table = Table()
    assert table.desk.admit(table.record(), Ignored("no_route")).rejections == ()
    assert table.committable == 1
    rejection = Rejection("x", "invalid_json")
    record = table.record()
    assert table.desk.admit(record, Rejected(rejection)).rejections == (rejection,)
    assert table.committable == 1
    table.desk.ledger.settle(record.position)
    assert table.committable == 2


def test_a_copy_joins_the_live_command_and_both_records_settle_together() -> None:
    table = Table()
    table.plan(command("a"))
    table.plan(command("a"))
    assert table.admitted.repeated == (("route", "joined"),)
    assert len(table.desk.positions(command("a"))) == 2
    table.fly(table.take(), Delivered())
    assert table.committable == 2
    assert (table.desk.joined, table.desk.drift) == (1, 0)


def test_a_copy_of_an_ended_command_settles_before_its_landing_is_read_back() -> None:
    table = Table()
    table.plan(command("a"))
    table.fly(table.take(), Delivered(), read_back=False)
    table.plan(command("a"))
    assert table.admitted.repeated == (("route", "ended"),)
    assert table.committable == 2
    assert table.desk.outbox.waiting == 0


def test_another_payload_under_a_known_id_is_a_conflict_live_or_ended() -> None:
    table = Table()
    table.plan(command("a"))
    table.plan(command("a", digest=b"9999"))
    assert [rejection.reason for rejection in table.admitted.rejections] == ["event_id_conflict"]
    table.fly(table.take(), Delivered())
    table.plan(command("a", digest=b"8888"))
    assert [rejection.reason for rejection in table.admitted.rejections] == ["event_id_conflict"]
    assert table.desk.drift == 0


def test_what_the_plan_ended_is_an_outcome_at_once_and_only_once() -> None:
    table = Table()
    suppressed = Ended(command("a"), Outcome.SUPPRESSED, "not_listed")
    table.plan(ended=(suppressed,))
    assert [end.reason for end in table.admitted.ended] == ["not_listed"]
    assert table.desk.unwritten == [suppressed]
    table.plan(ended=(suppressed,))
    assert not table.admitted.ended
    assert table.committable == 2
    assert table.desk.drift == 0


def test_what_another_owner_ended_meanwhile_is_settled_without_an_outcome_of_ours() -> None:
    table = Table()
    table.plan(command("a"))
    batch = table.take()
    table.write(
        Outcomes(epoch=1, outcome="unknown", ids=[command("a").id.hex()], digests=["31323334"], routes=["route"])
    )
    assert table.desk.land(batch.commands, (None,)) == ()
    assert table.committable == 1
    assert (table.desk.bound, table.desk.drift) == (0, 0)


def test_a_refused_batch_is_taken_apart_until_the_guilty_stands_alone() -> None:
    table = Table()
    for name in "abcd":
        table.plan(command(name))
    told: list[list[str]] = []
    refused: list[list[str]] = []
    batch = table.take()
    while batch.parcels:
        guilty = any(one.recipient == "c" for one in batch.commands)
        table.fly(batch, Refused("bad") if guilty else Delivered())
        (refused if guilty else told).append([one.recipient for one in batch.commands])
        batch = table.take()
    # Those beside a half that was told need not be asked together.
    assert refused == [["a", "b", "c", "d"], ["c"]]
    assert told == [["a", "b"], ["d"]]
    assert table.committable == 4


def test_after_a_doubt_the_wording_of_the_attempt_is_repeated() -> None:
    table = Table()
    table.plan(command("a", text="подробно"))
    table.fly(table.take(), Unsure("502"))
    assert table.memory.doubtful(command("a").id) is not None
    again = table.take()
    assert again.commands[0].wordings == (Message("Заказ", "подробно"),)
    table.fly(again, Unsure("502"))
    assert not table.desk.due
    assert table.memory.ended(command("a").id) is not None


def test_coming_back_behind_a_newer_one_of_its_thread_is_an_end() -> None:
    table = Table()
    table.plan(command("a", thread=7, rank=1))
    batch = table.take()
    table.plan(command("b", thread=7, rank=2))
    assert not table.desk.due
    ended = table.desk.land(batch.commands, (None,))
    assert [(end.command.recipient, end.outcome) for end in ended] == [("a", Outcome.SUPERSEDED)]
    assert table.take().commands[0].recipient == "b"


def orphan(table: Table, *names: str, thread: int | None = None) -> OpenAttempt:
    """An attempt of an earlier owner without a landing."""
    commands = tuple(command(name, thread=thread, rank=1) for name in names)
    batch = Batch("1.77", 1, (Parcel(commands[0].wordings[0], 0, commands),))
    for record in attempt_records(batch, {}):
        table.write(record)
    table.write(Claim(epoch=2, member="me"))
    return table.memory.open_attempts["1.77"]


def test_a_command_in_doubt_waits_for_the_landing_of_its_attempt() -> None:
    table = Table()
    attempt = orphan(table, "a", "b", thread=7)
    table.desk.doubts.add([attempt])
    table.plan(command("a", thread=7, rank=1))
    table.plan(command("c", thread=7, rank=2))
    assert table.desk.in_doubt == 1
    assert not table.desk.due
    assert table.desk.doubts.resolve() == ()
    table.write(Landing(attempt="1.77", epoch=1, verdict="delivered", outcome="delivered"))
    assert table.desk.doubts.resolve() == ()
    assert not table.desk.doubts
    assert table.take().commands[0].recipient == "c"
    assert table.desk.drift == 0


def test_what_waits_and_is_older_than_a_doubt_is_superseded() -> None:
    table = Table()
    table.plan(command("old", thread=7, rank=0))
    table.desk.doubts.add([orphan(table, "a", thread=7)])
    assert [(end.command.recipient, end.outcome) for end in table.desk.unwritten] == [("old", Outcome.SUPERSEDED)]
    table.desk.unwritten = []
    assert table.desk.unwritten == []
    assert not table.desk.due


def test_a_doubt_that_nobody_settled_is_repeated_or_stopped() -> None:
    table = Table()
    attempt = orphan(table, "a", "b")
    table.desk.doubts.add([attempt])
    table.plan(command("a"))
    record = lost(attempt, 2, table.memory)
    assert (record.verdict, len(record.doubtful)) == ("unsure", 2)
    table.write(record)
    table.desk.doubts.resolve()
    assert [one.recipient for one in table.take().commands] == ["a"]
    table.plan(command("b"))
    assert [one.recipient for one in table.take().commands] == ["b"]


def test_a_command_in_two_doubts_waits_for_both() -> None:
    table = Table()
    first = orphan(table, "a")
    batch = Batch("2.1", 2, (Parcel(command("a").wordings[0], 0, (command("a"),)),))
    for record in attempt_records(batch, {}):
        table.write(record)
    table.desk.doubts.add([first, table.memory.open_attempts["2.1"]])
    table.plan(command("a"))
    table.write(Landing(attempt="1.77", epoch=1, verdict="withdrawn"))
    table.desk.doubts.resolve()
    assert table.desk.in_doubt == 1
    table.write(Landing(attempt="2.1", epoch=2, verdict="withdrawn"))
    table.desk.doubts.resolve()
    assert table.desk.in_doubt == 0
    assert table.desk.due


def test_what_ended_before_the_takeover_is_not_in_doubt() -> None:
    table = Table()
    attempt = orphan(table, "a")
    ids, digests = [command("a").id.hex()], [command("a").digest.hex()]
    table.write(Outcomes(epoch=1, outcome="expired", ids=ids, digests=digests, routes=["route"]))
    table.desk.doubts.add([attempt])
    table.plan(command("a"))
    assert table.desk.in_doubt == 0
    assert table.committable == 1


def test_a_released_desk_lets_late_flights_land_on_nothing() -> None:
    table = Table()
    table.plan(command("a"), command("b"))
    table.plan(command("c"))
    batch = table.take()
    assert table.desk.release() == 3
    assert table.desk.land(batch.commands, (Outcome.DELIVERED,) * len(batch.commands)) == ()
    table.desk.convict(Sentence(command("a"), "refused", Refused("bad")))
    assert not table.desk.due
    assert table.committable is None


def test_an_end_that_was_not_written_dies_with_its_desk_and_the_next_one_ends_it_again() -> None:
    table = Table()
    stale = command("e1")
    record = table.plan(stale)
    (end,) = table.desk.expire(stale.deadline)
    assert table.desk.unwritten == [end]
    assert table.desk.ledger.committable() == {PARTITION: 1}
    table.desk.release()
    again = Desk(Outbox(Bounds(), slack_with_ladder), Ledger(), table.memory)
    again.admit(record, Planned("order.created", (stale,)), 1000.0)
    assert again.ledger.committable() == {}
    assert again.expire(stale.deadline) == (end,)
    assert again.unwritten == [end]


def test_a_landing_that_came_too_late_is_forgotten_with_its_desk() -> None:
    """Another owner has landed the attempt as unsure before; who was cut off meanwhile does not know that yet."""
    table = Table()
    record = table.plan(one := command("a"))
    batch = table.take()
    (attempted,) = attempt_records(batch, {one.id: (record.position,)})
    table.write(attempted)
    table.desk.land(batch.commands, (Outcome.DELIVERED,))
    table.plan(one)
    assert table.admitted.repeated == (("route", "ended"),)
    table.write(Claim(epoch=2, member="other"))
    (attempt,) = table.memory.open_attempts.values()
    table.write(lost(attempt, 2, table.memory))
    table.desk.release()
    again = Desk(Outbox(Bounds(), slack_with_ladder), Ledger(), table.memory)
    again.admit(record, Planned("order.created", (one,)), 1000.0)
    assert again.ledger.committable() == {}
    assert again.due


def test_ends_that_the_memory_knows_are_not_kept_twice_for_ever() -> None:
    table = Table()
    for number in range(5000):
        table.plan(one := command(f"e{number}"))
        table.desk.expire(one.deadline)
        ids, digests = [one.id.hex()], [one.digest.hex()]
        table.write(Outcomes(epoch=1, outcome="expired", ids=ids, digests=digests, routes=["route"]))
        table.plan(one)
        assert table.admitted.repeated == (("route", "ended"),)
    assert len(table.desk._books._fresh) < 2000


class Office(RuleBasedStateMachine):
    """Random days at the desk. Checked against what the test itself counted: nobody is lost, nobody ends twice."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.now = 1000.0
        self.aloft: list[Batch] = []
        self.asked: set[bytes] = set()
        self.ends: list[bytes] = []

    def note(self, ended: Sequence[Ended]) -> None:
        self.ends.extend(end.command.id for end in ended)

    @rule(names=st.lists(st.integers(0, 30), min_size=1, max_size=4, unique=True), thread=st.integers(0, 5))
    def publish(self, names: list[int], thread: int) -> None:
        commands = tuple(
            command(f"{n}", text=f"{n % 3}", thread=thread if n % 2 else None, rank=n, ttl=20.0 + n) for n in names
        )
        self.table.plan(*commands)
        self.note(self.table.admitted.ended)
        self.asked.update(one.id for one in commands)

    @rule()
    def take(self) -> None:
        batch = self.table.take(self.now)
        if batch.parcels:
            self.aloft.append(batch)

    @rule(verdict=st.sampled_from([Delivered(), Unsure("502"), Refused("bad"), Refused("gone", letter=False)]))
    def land(self, verdict: Verdict) -> None:
        if self.aloft:
            batch = self.aloft.pop(0)
            self.note(self.table.fly(batch, verdict))
            live = self.table.desk.positions
            self.ends.extend(one.id for one in batch.commands if not live(one) and one.id not in self.ends)

    @rule(seconds=st.floats(0.0, 15.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.note(self.table.desk.expire(self.now))

    @invariant()
    def the_books_balance(self) -> None:
        assert self.table.desk.drift == 0

    @invariant()
    def everybody_is_live_or_has_one_end(self) -> None:
        live = {id_ for id_ in self.asked if self.table.desk.positions(_named(id_))}
        assert len(set(self.ends)) == len(self.ends)
        assert live | set(self.ends) == self.asked
        assert not live & set(self.ends)

    @invariant()
    def all_settled_means_all_committable(self) -> None:
        if set(self.ends) == self.asked and self.table.offset:
            assert self.table.committable == self.table.offset


def _named(id_: bytes) -> Command:
    return command(id_.decode().strip())


TestOffice = Office.TestCase
TestOffice.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
