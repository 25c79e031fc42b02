"""The lane at work: from records to pushes, and back to committed offsets."""

import asyncio
from itertools import pairwise

from consumer.core.facts import CommandEnded, LaneBlocked, LaneGauges, LaneUnblocked, OffsetsSkipped, RecordRepeated
from consumer.core.model import Blocked, Bounds, Capacity, Deferred, Outcome, Refused, Trouble, Unsure
from consumer.streams.memory_broker import Log
from tests.engine.harness import GROUP, JOURNAL, LETTERS, SOURCE, Process, World, people, seconds
from tests.virtual import virtual


def in_balance(process: Process) -> bool:
    return all(gauges.drift == 0 for gauges in process.said(LaneGauges))


@virtual
async def test_equal_messages_to_many_people_leave_in_one_request() -> None:
    world = World()
    for person in people(700):
        world.publish(id=f"e-{person}", to=person)
    process = world.process().start()
    await world.settled()
    assert len(world.provider.pushes) == 700
    # The first request leaves with what was read by then; everybody else shares the second.
    assert len(world.provider.arrivals) <= 2
    assert world.ends() == {"delivered": 700}
    await process.stop()
    assert in_balance(process)


@virtual
async def test_ten_thousand_equal_messages_leave_in_ten_requests() -> None:
    world = World()
    for person in people(10_000):
        world.publish(id=f"e-{person}", to=person)
    process = world.process()
    await process.lane._follower._journal.start()
    process.sink.unfit = Deferred("warming_up", after_seconds=5.0)
    process.start()
    await seconds(4)
    process.sink.unfit = None
    await world.settled()
    assert len(world.provider.arrivals) == 10
    assert world.provider.worst_window() <= 10
    await process.stop()


@virtual
async def test_the_quota_holds_and_is_used() -> None:
    world = World()
    for person in people(60):
        world.publish(id=f"e-{person}", to=person, texts=[f"text for {person}"], within=10.0)
    process = world.process().start()
    await world.settled()
    assert world.provider.worst_window() == 10
    # Sixty requests at ten a minute: the first at once, the last five minutes and a little later.
    assert 290 <= world.provider.arrivals[-1] - world.provider.arrivals[0] <= 370
    await process.stop()


@virtual
async def test_the_next_request_is_announced_while_the_journal_takes_a_landing() -> None:
    world = World()
    world.broker.write_seconds = 1.0
    for person in people(20):
        world.publish(id=f"e-{person}", to=person)
    process = world.process(quota=None, capacity=Capacity(1, 1), in_flight=1).start()
    await world.settled()
    times = world.provider.arrivals
    steps = [later - sooner for sooner, later in pairwise(times)]
    # An announcement and an answer; were the landing waited for, another second.
    assert len(times) == 20
    assert min(steps) >= 1.0
    assert max(steps) < 1.9
    assert world.ends() == {"delivered": 20}
    await process.stop()
    assert in_balance(process)


@virtual
async def test_an_offset_is_committed_only_when_its_commands_have_outcomes_in_the_journal() -> None:
    world = World(partitions=1)
    process = world.process().start()
    await seconds(2)
    world.provider.hanging.clear()
    world.publish(id="e1", to="u1")
    await seconds(10)
    assert world.provider.told == {"u1"}
    assert world.committed == 0
    world.broker.stall(JOURNAL)
    world.provider.hanging.set()
    await seconds(10)
    assert world.committed == 0
    assert [fact.reason for fact in process.said(LaneBlocked)] == ["journal"]
    world.broker.stall(JOURNAL, None)
    await world.settled(10)
    assert len(world.landings("delivered")) == 1
    await process.stop()


@virtual
async def test_a_repeated_event_joins_the_live_one_and_an_ended_one_settles_at_once() -> None:
    world = World(partitions=1)
    process = world.process().start()
    await seconds(2)
    world.provider.hanging.clear()
    for _ in range(3):
        world.publish(id="e1", to="u1")
    await seconds(5)
    world.provider.hanging.set()
    await world.settled(10)
    world.publish(id="e1", to="u1")
    await world.settled(10)
    assert len(world.provider.pushes) == 1
    assert [fact.state for fact in process.said(RecordRepeated)] == ["joined", "joined", "ended"]
    await process.stop()
    assert in_balance(process)


@virtual
async def test_the_same_event_id_with_another_payload_is_a_dead_letter() -> None:
    world = World(partitions=1)
    process = world.process().start()
    world.publish(id="e1", to="u1", texts=["one"])
    world.publish(id="e1", to="u1", texts=["two"])
    await world.settled(60)
    assert [push.message.text for push in world.provider.pushes] == ["one"]
    letters = world.broker.records(LETTERS)
    assert [dict(letter.headers)["vestnik-reason"] for letter in letters] == [b"event_id_conflict"]
    await process.stop()


@virtual
async def test_a_newer_message_of_a_thread_replaces_the_older_one_that_waits() -> None:
    world = World(partitions=1)
    process = world.process()
    process.sink.unfit = Deferred("warming_up", after_seconds=20.0)
    process.start()
    for rank, text in enumerate(["shipped", "delivered"]):
        world.publish(id=f"e{rank}", to="u1", thread="order-1", rank=rank, texts=[text])
    await seconds(5)
    process.sink.unfit = None
    await world.settled(60)
    assert [push.message.text for push in world.provider.pushes] == ["delivered"]
    assert world.ends() == {"superseded": 1, "delivered": 1}
    await process.stop()


@virtual
async def test_a_newer_message_waits_while_an_older_one_of_its_thread_is_in_flight() -> None:
    world = World(partitions=1)
    process = world.process().start()
    world.provider.hanging.clear()
    world.publish(id="e0", to="u1", thread="order-1", rank=0, texts=["shipped"])
    await seconds(8)
    world.publish(id="e1", to="u1", thread="order-1", rank=1, texts=["delivered"])
    await seconds(8)
    assert [push.message.text for push in world.provider.pushes] == ["shipped"]
    world.provider.hanging.set()
    await world.settled(60)
    assert [push.message.text for push in world.provider.pushes] == ["shipped", "delivered"]
    await process.stop()


@virtual
async def test_what_arrives_older_than_what_was_sent_is_superseded() -> None:
    world = World(partitions=1)
    process = world.process().start()
    world.publish(id="e1", to="u1", thread="order-1", rank=5, texts=["delivered"])
    await world.settled(60)
    world.publish(id="e0", to="u1", thread="order-1", rank=4, texts=["shipped"])
    await world.settled(60)
    assert [push.message.text for push in world.provider.pushes] == ["delivered"]
    assert world.ends() == {"delivered": 1, "superseded": 1}
    await process.stop()


@virtual
async def test_stale_news_expires_although_the_gate_is_closed() -> None:
    world = World(partitions=1)
    process = world.process()
    process.sink.unfit = Blocked("wrong_key", "401")
    process.start()
    world.publish(id="e1", to="u1", ttl=30.0)
    await seconds(40)
    assert world.ends() == {"expired": 1}
    assert world.committed == 1
    assert [fact.outcome for fact in process.said(CommandEnded)] == [Outcome.EXPIRED]
    await process.stop()
    assert world.provider.arrivals == []


@virtual
async def test_a_blocked_lane_says_why_and_resumes_by_itself() -> None:
    world = World(partitions=1)
    world.provider.mood = lambda _batch: Blocked("integration_unavailable", "Integration is unavailable")
    process = world.process().start()
    for person in people(5):
        world.publish(id=person, to=person, texts=[person])
    await seconds(300)
    view = process.lane.view()
    assert [blockage.reason for blockage in view.blockages] == ["integration_unavailable"]
    assert view.holds == "blocked"
    probes = len(world.provider.arrivals)
    assert 2 <= probes <= 6
    world.provider.mood = lambda _batch: None
    await world.settled()
    assert world.provider.told == set(people(5))
    assert process.lane.view().blockages == ()
    assert [fact.reason for fact in process.said(LaneUnblocked)] == ["integration_unavailable"]
    await process.stop()
    assert in_balance(process)


@virtual
async def test_one_guilty_recipient_of_a_refused_batch_is_found_and_the_others_are_told() -> None:
    world = World(partitions=1)
    world.provider.mood = lambda batch: (
        Refused("bad_recipient") if any(c.recipient == "u13" for c in batch.commands) else None
    )
    process = world.process()
    process.sink.unfit = Deferred("warming_up", after_seconds=3.0)
    process.start()
    for person in people(64):
        world.publish(id=person, to=person)
    await seconds(2)
    process.sink.unfit = None
    await world.settled()
    assert world.provider.told == set(people(64)) - {"u13"}
    assert world.provider.repeats == {}
    assert world.ends() == {"delivered": 63, "refused": 1}
    (letter,) = world.broker.records(LETTERS)
    assert letter.value is not None
    assert b'"u13"' in letter.value
    assert dict(letter.headers)["vestnik-reason"] == b"refused"
    await process.stop()
    assert in_balance(process)


@virtual
async def test_an_unsure_answer_is_repeated_once_or_stopped_as_the_route_wants() -> None:
    world = World(partitions=1)
    world.provider.answer = lambda _batch: Unsure("502", answered=True)
    process = world.process().start()
    world.publish(id="order", to="u1", unsure="repeat", texts=["заказ"])
    world.publish(id="bonus", to="u2", unsure="stop", texts=["бонусы"])
    await world.settled()
    told = [push.recipient for push in world.provider.pushes]
    assert sorted(told) == ["u1", "u1", "u2"]
    assert world.ends() == {"unknown": 2}
    await process.stop()
    assert in_balance(process)


@virtual
async def test_a_limit_answer_widens_the_gap_and_costs_nobody_an_attempt() -> None:
    world = World(partitions=1)
    answers = iter([Deferred("rate_limit", after_seconds=90.0, limit=True)] * 3)
    world.provider.mood = lambda _batch: next(answers, None)
    process = world.process().start()
    world.publish(id="e1", to="u1")
    await world.settled()
    gaps = [later - earlier for earlier, later in pairwise(world.provider.arrivals)]
    assert min(gaps) >= 90
    assert world.ends() == {"delivered": 1}
    assert process.lane.view().gap_seconds > 6.0
    await process.stop()


@virtual
async def test_any_bytes_end_as_a_dead_letter_and_the_next_record_is_processed() -> None:
    world = World(partitions=1)
    process = world.process().start()
    world.broker.publish(SOURCE, b"\xff\xfe not json", key=b"k")
    world.publish(id="e1", to="u1")
    await world.settled(60)
    (letter,) = world.broker.records(LETTERS)
    assert (letter.key, letter.value) == (b"k", b"\xff\xfe not json")
    assert world.provider.told == {"u1"}
    await process.stop()


@virtual
async def test_while_dead_letters_cannot_be_written_the_offset_stays() -> None:
    world = World(partitions=1)
    world.broker.refuse(LETTERS, Trouble("not_authorised", "vestnik.dead-letters"))
    process = world.process().start()
    world.publish(id="e0", to="u0")
    await seconds(10)
    world.broker.publish(SOURCE, b"poison")
    world.publish(id="e1", to="u1")
    await seconds(30)
    assert world.committed == 1
    assert world.provider.told == {"u0", "u1"}
    assert "dead_letters" in [blockage.reason for blockage in process.lane.view().blockages]
    world.broker.refuse(LETTERS, None)
    await world.settled(10)
    await process.stop()


@virtual
async def test_a_full_backlog_leaves_its_topic_out_of_the_poll() -> None:
    world = World(partitions=1)
    process = world.process(bounds=Bounds(commands=1000))
    process.sink.unfit = Blocked("wrong_key")
    process.start()
    for person in people(5000):
        world.publish(id=person, to=person, texts=[person])
    await seconds(30)
    assert 1000 <= process.lane.view().waiting <= 1500
    assert [(group.rank, group.size) for group in process.lane.open_groups(2)] == [(0, 1), (1, 1)]
    process.sink.unfit = None
    await process.stop()
    assert in_balance(process)


@virtual
async def test_at_stop_what_is_in_flight_lands_and_nothing_new_is_sent() -> None:
    world = World(partitions=1)
    process = world.process(quota=None, capacity=Capacity(1, 1)).start()
    world.provider.latency_seconds = 4.0
    for person in people(10):
        world.publish(id=person, to=person, texts=[person])
    await seconds(6)
    arrived = len(world.provider.arrivals)
    began = asyncio.get_running_loop().time()
    await process.stop()
    assert asyncio.get_running_loop().time() - began <= 5
    assert len(world.provider.arrivals) - arrived <= 2  # those that had left
    assert world.ends().total() == len(world.provider.pushes)
    assert world.provider.repeats == {}


@virtual
async def test_a_hanging_provider_does_not_hold_the_stop_beyond_its_budget() -> None:
    world = World(partitions=1)
    world.provider.hanging.clear()
    process = world.process(timeout_seconds=120.0).start()
    world.publish(id="e1", to="u1", unsure="stop")
    await seconds(5)
    began = asyncio.get_running_loop().time()
    await process.stop()
    assert 19 <= asyncio.get_running_loop().time() - began <= 23
    assert world.ends() == {"unknown": 1}
    assert world.committed == 1


@virtual
async def test_a_lane_with_committed_offsets_lost_refuses_to_guess() -> None:
    world = World(partitions=1)
    first = world.process().start()
    world.publish(id="e1", to="u1")
    await world.settled(60)
    await first.stop()
    world.broker.lose_offsets(GROUP)
    second = world.process().start()
    await seconds(30)
    assert [blockage.reason for blockage in second.lane.view().blockages] == ["offsets_lost"]
    assert len(world.provider.pushes) == 1
    await second.stop()
    third = world.process(lost_offsets="earliest").start()
    world.publish(id="e2", to="u2")
    await world.settled(100)
    assert [push.recipient for push in world.provider.pushes] == ["u1", "u2"]
    await third.stop()


@virtual
async def test_a_new_lane_starts_at_the_latest_record_and_commits_that_at_once() -> None:
    world = World(partitions=2)
    for person in people(10):
        world.publish(id=person, to=person)
    process = world.process(start_at="latest").start()
    await seconds(5)
    assert world.committed == 10
    world.publish(id="new", to="newcomer")
    await world.settled(60)
    assert world.provider.told == {"newcomer"}
    await process.stop()


@virtual
async def test_a_partition_that_appears_later_is_read_from_its_beginning() -> None:
    world = World(partitions=1)
    process = world.process(start_at="latest").start()
    await seconds(5)
    world.broker.create(SOURCE, 3)
    for person in people(30):
        world.publish(id=person, to=person)
    await world.settled(200)
    assert world.provider.told == set(people(30))
    await process.stop()


@virtual
async def test_what_retention_takes_under_a_lane_is_counted_and_the_rest_is_told() -> None:
    """Seed 2211 of the worlds."""
    world = World(partitions=1)
    process = world.process().start()
    world.publish(id="e1", to="u1")
    await world.settled(60)
    world.broker.stall(SOURCE)
    for person in people(10):
        world.publish(id=f"e-{person}", to=person)
    world.broker.trim(SOURCE, 0, 5)
    world.broker.stall(SOURCE, None)
    await world.settled(60)
    assert [fact.count for fact in process.said(OffsetsSkipped)] == [4]
    assert world.provider.told == {"u1", "u4", "u5", "u6", "u7", "u8", "u9"}
    await process.stop()


@virtual
async def test_a_topic_made_anew_under_a_lane_moves_nobody_without_a_word() -> None:
    world = World(partitions=1)
    process = world.process().start()
    for person in people(10):
        world.publish(id=person, to=person)
    await world.settled(60)
    world.broker.topics[SOURCE].logs[0] = Log()
    world.publish(id="new", to="newcomer")
    await seconds(10)
    assert [blockage.reason for blockage in process.lane.view().blockages] == ["offset_out_of_range"]
    assert "newcomer" not in world.provider.told
    await process.stop()
