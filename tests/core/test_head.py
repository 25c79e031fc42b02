"""The record at which a partition's committed prefix ends is named, with a command that holds it, and since when."""

from consumer.core.desk import Desk
from consumer.core.head import Head, Heads
from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import (
    Bounds,
    Capacity,
    Command,
    Message,
    Planned,
    Position,
    Record,
    Rejected,
    Rejection,
    Terms,
    TopicPartition,
)
from consumer.core.outbox import Outbox
from consumer.core.turn import slack_with_ladder

TOPIC = "shop.orders"
BOTH = (TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1))
FIRST = Position(TOPIC, 0, 0)


def new_desk() -> Desk:
    return Desk(Outbox(Bounds(), slack_with_ladder), Ledger(), Memory(86_400.0))


def command(name: str) -> Command:
    words = (Message("Order", name),)
    return Command(name.encode().ljust(12), b"1234", Terms("paid"), name, words, None, 0, 0.0, 9e9, TOPIC)


def plan(desk: Desk, position: Position, *names: str) -> None:
    desk.admit(Record(position, 0.0), Planned("order.paid", tuple(command(name) for name in names)), 0.0)


def test_a_head_is_told_when_it_has_stood_for_ten_seconds_with_its_command_and_where_that_is() -> None:
    desk, heads = new_desk(), Heads()
    plan(desk, FIRST, "a")
    plan(desk, FIRST._replace(offset=1), "b")
    assert heads.look(desk, BOTH, 100.0) == ()
    assert heads.look(desk, BOTH, 105.0) == ()
    told = Head(FIRST, 100.0, b"a".ljust(12).hex(), "paid", "open")
    assert heads.look(desk, BOTH, 110.0) == (told,)
    assert heads.look(desk, BOTH, 999.0) == (told,)


def test_a_record_that_comes_to_stand_first_begins_its_own_time() -> None:
    desk, heads = new_desk(), Heads()
    plan(desk, FIRST, "a")
    plan(desk, FIRST._replace(offset=1), "b")
    heads.look(desk, BOTH, 100.0)
    desk.take(0.0, 6.0, Capacity(1, 1))
    desk.land([command("a")], [None])
    desk.ledger.settle(FIRST)
    assert heads.look(desk, BOTH, 120.0) == ()
    (head,) = heads.look(desk, BOTH, 130.0)
    assert (head.position.offset, head.since) == (1, 120.0)


def test_the_oldest_head_of_all_partitions_comes_first() -> None:
    desk, heads = new_desk(), Heads()
    plan(desk, Position(TOPIC, 1, 7), "b")
    heads.look(desk, BOTH, 90.0)
    plan(desk, FIRST, "a")
    heads.look(desk, BOTH, 100.0)
    assert [head.position.partition for head in heads.look(desk, BOTH, 200.0)] == [1, 0]


def test_another_command_of_the_same_record_is_named_when_the_first_has_ended() -> None:
    desk, heads = new_desk(), Heads()
    plan(desk, FIRST, "a", "b")
    heads.look(desk, BOTH, 0.0)
    (before,) = heads.look(desk, BOTH, 20.0)
    batch = desk.take(0.0, 6.0, Capacity(1, 1))[0].commands
    assert [one.recipient for one in batch] == ["a"]
    desk.books.settle(batch[0])
    (after,) = heads.look(desk, BOTH, 25.0)
    assert (before.command, after.command) == (b"a".ljust(12).hex(), b"b".ljust(12).hex())
    assert before.since == after.since == 0.0


def test_a_record_without_a_live_command_waits_for_its_dead_letter() -> None:
    desk, heads = new_desk(), Heads()
    plan(desk, Position(TOPIC, 1, 0), "a", "b")
    desk.admit(Record(FIRST, 0.0), Rejected(Rejection("x", "schema")), 0.0)
    heads.look(desk, BOTH, 0.0)
    found = {head.position.partition: head.where for head in heads.look(desk, BOTH, 20.0)}
    assert found == {0: "dead_letter", 1: "open"}
