"""Where a live command is, at each station of its life."""

from consumer.core.desk import Desk
from consumer.core.landing import attempt_records, land
from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import (
    Batch,
    Bounds,
    Capacity,
    Command,
    Message,
    Planned,
    Position,
    Quiet,
    Record,
    Refused,
    Terms,
)
from consumer.core.outbox import Outbox
from consumer.core.parking import parked_records
from consumer.core.ports import Entry
from consumer.core.turn import slack_with_ladder
from consumer.core.whereabouts import Where, Whereabouts, whereabouts
from schemas.journal import AnyRecord, Claim

ROOM = Capacity(1, 1000)
PLACE = Position("shop.orders", 0, 0)
# Day 0 of 1970, an hour before midnight; the night ends at nine.
NIGHT, MORNING = 23 * 3600.0, 33 * 3600.0
QUIET = Quiet(22 * 60, 9 * 60, "UTC")


class Table:
    """A desk whose journal is read back at once."""

    def __init__(self) -> None:
        self.memory = Memory(8 * 86_400.0)
        self.desk = Desk(Outbox(Bounds(), slack_with_ladder), Ledger(), self.memory)
        self._offset = self._records = 0
        self.write(Claim(epoch=1, member="me"))

    def write(self, record: AnyRecord) -> None:
        self.memory.apply(Entry(self._offset, NIGHT, record))
        self._offset += 1

    def plan(self, *commands: Command) -> None:
        position = PLACE._replace(offset=self._records)
        self._records += 1
        self.desk.admit(Record(position, NIGHT), Planned("order.paid", commands), NIGHT)

    def take(self) -> Batch:
        batch = Batch("1.1", 1, self.desk.take(NIGHT, 6.0, ROOM))
        for record in attempt_records(batch, {one.id: self.desk.positions(one) for one in batch.commands}):
            self.write(record)
        return batch

    def where(self, name: str) -> Whereabouts | None:
        return whereabouts(self.desk, id_of(name))


def id_of(name: str) -> bytes:
    return name.encode().ljust(12)


def command(name: str, rank: int = 0, thread: int | None = None, quiet: Quiet | None = None) -> Command:
    message = Message("Paid", "Thanks")
    return Command(
        id_of(name), b"1234", Terms("order-paid"), name, (message,), thread, rank, NIGHT, MORNING * 2, quiet=quiet
    )


def test_an_open_command_waits_with_all_who_are_told_the_same() -> None:
    table = Table()
    table.plan(command("a"), command("b"))
    expected = Whereabouts(Where.OPEN, "order-paid", "a", NIGHT, MORNING * 2, (PLACE,), "Paid", people=2, oldest=NIGHT)
    assert table.where("a") == expected
    assert table.where("x") is None


def test_a_bound_command_is_in_flight_and_the_newer_one_of_its_thread_is_held() -> None:
    table = Table()
    table.plan(command("a", thread=7))
    table.take()
    table.plan(command("b", rank=1, thread=7))
    assert [found and found.where for found in map(table.where, "ab")] == [Where.IN_FLIGHT, Where.HELD]


def test_who_sleeps_is_asleep_until_the_morning_and_then_parked() -> None:
    table = Table()
    table.plan(command("a", quiet=QUIET))
    table.desk.hush(NIGHT)
    asleep = table.where("a")
    assert asleep is not None
    assert (asleep.where, asleep.until) == (Where.ASLEEP, MORNING)
    for record, written in parked_records(table.desk.lot.unwritten(NIGHT), 1, "quiet_hours"):
        table.write(record)
        table.desk.lot.park(written)
    parked = table.where("a")
    assert parked is not None
    assert (parked.where, parked.until, parked.positions) == (Where.PARKED, MORNING, (PLACE,))


def test_a_refused_batch_is_taken_apart() -> None:
    table = Table()
    table.plan(command("a"), command("b"))
    batch = table.take()
    landed = land(batch, table.desk.bisection.hear(batch, (Refused("text"),)), table.memory)
    table.write(landed.record)
    table.desk.land(batch.commands, landed.outcomes, landed.refused)
    assert [found and found.where for found in map(table.where, "ab")] == [Where.IN_PARTS, Where.IN_PARTS]


def test_what_an_earlier_owner_left_without_an_answer_is_in_doubt() -> None:
    before = Table()
    before.plan(command("a"))
    before.take()
    table = Table()
    table.memory = before.memory
    table.desk = Desk(Outbox(Bounds(), slack_with_ladder), Ledger(), before.memory)
    table.desk.doubts.add(before.memory.open_attempts.values())
    table.plan(command("a"))
    found = table.where("a")
    assert found is not None
    assert found.where is Where.IN_DOUBT
