"""A desk by night: who sleeps, who is written down, who wakes, and who must not be told at all."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consumer.core import lot
from consumer.core.caps import Told
from consumer.core.desk import Desk
from consumer.core.landing import attempt_records, land, lost
from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import (
    Batch,
    Bounds,
    Cap,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Ended,
    Message,
    OnUnsure,
    Outcome,
    Planned,
    Position,
    Quiet,
    Record,
    Terms,
    TopicPartition,
    Verdict,
)
from consumer.core.outbox import Outbox
from consumer.core.parking import parked_records
from consumer.core.ports import Entry
from consumer.core.repeats import rebuilt
from consumer.core.turn import slack_with_ladder
from schemas.journal import AnyRecord, Claim, Outcomes

ROOM = Capacity(1, 1000)
PARTITION = TopicPartition("bonuses", 0)
HOUR = 3600.0
# Day 0 of 1970: the evening, the night from 22 to 09 o'clock, the morning.
EVENING, NIGHT, MORNING = 21 * HOUR, 23 * HOUR, 33 * HOUR
HOLD, DROP = Quiet(22 * 60, 9 * 60, "UTC"), Quiet(22 * 60, 9 * 60, "UTC", drop=True)


class Journal:
    """A journal that outlives desks."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def write(self, record: AnyRecord) -> None:
        self.entries.append(Entry(len(self.entries), 1000.0 + len(self.entries), record))


class House:
    """A desk over a journal; `read` lets its memory follow."""

    def __init__(
        self, journal: Journal | None = None, bounds: Bounds | None = None, caps: tuple[Cap, ...] = ()
    ) -> None:
        self.journal = journal or Journal()
        self.memory = Memory(8 * 86_400.0, Told(caps, b""))
        self.read()
        self.epoch = self.memory.epoch + 1
        self.write(Claim(epoch=self.epoch, member="me"))
        self.listed: set[str] = set()
        outbox = Outbox(bounds or Bounds(), slack_with_ladder)
        self.desk = Desk(outbox, Ledger(), self.memory, lambda recipient, _now: recipient in self.listed)
        self.desk.doubts.add(self.memory.open_attempts.values())
        self.offset = self.number = 0

    def write(self, record: AnyRecord) -> None:
        self.journal.write(record)
        self.read()

    def read(self) -> None:
        for entry in self.journal.entries[self.memory.offset :]:
            self.memory.apply(entry)

    def plan(self, *commands: Command, now: float = NIGHT) -> tuple[Ended, ...]:
        position = Position(*PARTITION, self.offset)
        self.offset += 1
        return self.desk.admit(Record(position, now), Planned("bonus.accrued", commands), now).ended

    def night(self, *commands: Command, now: float = NIGHT) -> tuple[Ended, ...]:
        return self.plan(*commands, now=now) + self.desk.hush(now)

    def park(self, now: float = NIGHT) -> int:
        count = 0
        for record, written in parked_records(self.desk.lot.unwritten(now), self.epoch, "quiet_hours"):
            self.write(record)
            count += self.desk.lot.park(written)
        return count

    def write_ends(self) -> None:
        """What ended without a request becomes durable, as before each commit."""
        for end in self.desk.unwritten:
            ids, digests = [end.command.id.hex()], [end.command.digest.hex()]
            self.write(Outcomes(epoch=self.epoch, outcome="expired", ids=ids, digests=digests, routes=["bonus"]))
        self.desk.unwritten = []

    def wake(self, now: float = MORNING) -> tuple[Ended, ...]:
        _, ended = self.desk.wake(now)
        return ended + self.desk.hush(now)

    def take(self, now: float = MORNING) -> Batch | None:
        self.desk.hush(now)
        parcels, _ = self.desk.doorman.sift(self.desk.take(now, 6.0, ROOM), now)
        self.number += 1
        return Batch(f"{self.epoch}.{self.number}", self.epoch, parcels) if parcels else None

    def attempt(self, batch: Batch) -> None:
        for record in attempt_records(batch, {one.id: self.desk.positions(one) for one in batch.commands}):
            self.write(record)

    def fly(self, batch: Batch, verdict: Verdict = Delivered()) -> tuple[Ended, ...]:  # noqa: B008 - it is frozen
        self.attempt(batch)
        landed = land(batch, (verdict,), self.memory)
        self.write(landed.record)
        return self.desk.land(batch.commands, landed.outcomes, landed.refused)

    def tell(self, now: float = MORNING) -> list[str]:
        told: list[str] = []
        while (batch := self.take(now)) is not None:
            told += [one.recipient for one in batch.commands]
            self.fly(batch)
        return told

    @property
    def committable(self) -> int | None:
        return self.desk.ledger.committable().get(PARTITION)


def command(
    name: str, *, thread: int | None = None, rank: int = 0, quiet: Quiet | None = HOLD, ttl: float = 20 * HOUR
) -> Command:
    terms = Terms("bonus", on_unsure=OnUnsure.REPEAT, marketing=name.startswith("m"))
    message = Message("Бонусы", "Начислены")
    return Command(
        name.encode().ljust(12), b"1234", terms, name, (message,), thread, rank, NIGHT, NIGHT + ttl, "bonuses", quiet
    )


def reasons(ended: tuple[Ended, ...]) -> list[tuple[str, Outcome, str]]:
    return [(end.command.recipient, end.outcome, end.reason) for end in ended]


def test_a_command_sleeps_settles_when_it_is_durable_and_wakes_in_the_morning() -> None:
    house = House()
    house.night(command("a"))
    assert (house.desk.parked, house.desk.outbox.waiting, house.committable) == (1, 0, None)
    assert house.desk.lot.next_alarm() == MORNING
    assert house.park() == 1
    assert (house.desk.parked, house.committable) == (1, 1)
    assert house.park() == 0
    assert house.desk.wake(MORNING - 1) == (0, ())
    assert house.desk.wake(MORNING) == (1, ())
    assert house.tell() == ["a"]
    assert (house.desk.parked, house.desk.drift, len(house.memory.parked)) == (0, 0, 0)


def test_a_request_that_goes_out_again_after_a_takeover_keeps_to_the_night() -> None:
    """Its attempt says so, also where retention has taken the record that asked for it (seed 2977 of the worlds)."""
    house = House()
    house.plan(command("a"), now=EVENING)
    batch = house.take(EVENING)
    assert batch is not None
    house.attempt(batch)
    heir = House(house.journal)
    again = rebuilt(heir.memory.open_attempts[batch.id], heir.epoch).commands
    assert heir.desk.lot.is_quiet(again, NIGHT)
    assert not heir.desk.lot.is_quiet(again, EVENING)


def test_nothing_is_due_before_those_that_came_to_wait_were_looked_at() -> None:
    house = House()
    house.plan(command("a"), now=EVENING)
    assert not house.desk.due
    house.desk.hush(EVENING)
    assert house.desk.due
    assert house.tell(EVENING) == ["a"]


def test_whoever_waits_when_the_night_begins_goes_to_sleep_a_handful_at_a_time() -> None:
    house = House()
    for name in "abcde":
        house.night(command(name), now=EVENING)
    house.night(command("order", quiet=None), now=EVENING)
    assert house.desk.outbox.waiting == 6
    house.desk.hush(NIGHT, most=2)
    assert (house.desk.parked, house.desk.due) == (2, False)
    house.desk.hush(NIGHT)
    assert (house.desk.parked, house.desk.outbox.waiting, house.desk.due) == (5, 1, True)
    assert house.desk.drift == 0


def test_a_request_is_forbidden_where_it_is_quiet_for_one_of_its_people() -> None:
    lot_ = House().desk.lot
    assert not lot_.is_quiet([command("a"), command("b", quiet=None)], EVENING)
    assert lot_.is_quiet([command("a"), command("b", quiet=None)], NIGHT)
    assert not lot_.is_quiet([command("b", quiet=None)], NIGHT)


def test_what_is_dropped_or_too_old_by_the_morning_ends_at_once() -> None:
    house = House()
    ended = house.night(command("a", quiet=DROP), command("b", ttl=9 * HOUR), command("c", ttl=11 * HOUR))
    assert reasons(ended) == [
        ("a", Outcome.SUPPRESSED, "quiet_hours"),
        ("b", Outcome.EXPIRED, "quiet_hours"),
    ]
    assert (house.desk.parked, house.desk.drift) == (1, 0)


def test_who_sleeps_for_less_than_a_minute_keeps_its_record_open() -> None:
    house = House()
    house.night(command("a"), now=MORNING - 59)
    assert house.park(MORNING - 59) == 0
    house.wake()
    assert house.tell() == ["a"]
    assert house.committable == 1


def test_a_new_owner_takes_over_the_sleepers_and_the_woken() -> None:
    first = House()
    first.night(command("a"), command("b"))
    first.park()
    first.wake()
    assert first.desk.outbox.waiting == 2
    second = House(first.journal)
    assert (second.desk.restored, second.desk.parked, second.desk.drift) == (2, 2, 0)
    second.wake()
    assert sorted(second.tell()) == ["a", "b"]
    assert second.desk.drift == 0
    assert House(first.journal).desk.restored == 0


def test_a_repeat_joins_a_sleeper_and_another_payload_is_a_conflict() -> None:
    house = House()
    house.night(command("a"))
    house.night(command("a"))
    house.park()
    assert house.committable == 2
    house.night(command("a"))
    assert house.committable == 3
    position = Position("another", 0, 0)
    other = replace(command("a"), digest=b"9999")
    admitted = house.desk.admit(Record(position, NIGHT), Planned("bonus.accrued", (other,)))
    assert [rejection.reason for rejection in admitted.rejections] == ["event_id_conflict"]
    house.wake()
    house.night(command("a"), now=MORNING)
    assert house.tell() == ["a"]
    assert (house.committable, house.desk.drift) == (4, 0)


@pytest.mark.parametrize("durable", [False, True])
def test_threads_hold_for_sleepers_asleep_or_parked(durable: bool) -> None:
    house = House()
    house.night(command("a2", thread=7, rank=2))
    if durable:
        house.park()
    assert reasons(house.night(command("a1", thread=7, rank=1))) == [("a1", Outcome.SUPERSEDED, "newer")]
    assert house.night(command("b2", thread=7, rank=2)) == ()
    if durable:
        house.park()
    ended = house.night(command("a3", thread=7, rank=3, quiet=None))
    assert sorted(reasons(ended)) == [("a2", Outcome.SUPERSEDED, "newer"), ("b2", Outcome.SUPERSEDED, "newer")]
    assert house.tell(NIGHT) == ["a3"]
    assert house.wake() == ()
    house.write_ends()
    assert (house.desk.parked, house.desk.drift, len(house.memory.parked)) == (0, 0, 0)


def test_a_sleeper_obeys_what_was_attempted_on_its_thread_when_it_wakes() -> None:
    """The newer one was attempted by an owner that never saw this sleeper's thread wait."""
    house = House()
    house.night(command("a1", thread=7, rank=1))
    house.park()
    house.memory.mark_attempted((7, 2))
    assert reasons(house.wake()) == [("a1", Outcome.SUPERSEDED, "newer")]
    assert house.desk.drift == 0


def test_the_woken_do_not_count_as_sleepers_of_their_thread() -> None:
    house = House()
    house.night(command("a1", thread=7, rank=1))
    house.park()
    house.wake()
    assert reasons(house.night(command("a2", thread=7, rank=2), now=MORNING)) == [("a1", Outcome.SUPERSEDED, "newer")]
    assert house.tell() == ["a2"]
    assert house.desk.drift == 0


def test_who_comes_back_from_a_flight_at_night_sleeps_again_and_only_the_later_alarm_counts() -> None:
    house = House()
    house.night(command("a"))
    house.park()
    house.wake()
    batch = house.take()
    assert batch is not None
    night = NIGHT + 24 * HOUR
    assert house.fly(batch, Deferred("unreachable")) == ()
    assert reasons(house.desk.hush(night)) == [("a", Outcome.EXPIRED, "quiet_hours")]

    house = House()
    house.night(command("a", ttl=72 * HOUR))
    house.park()
    house.wake()
    house.desk.hush(night)
    house.park(night)
    second = House(house.journal)
    assert second.desk.wake(MORNING)[0] == 0
    assert second.desk.wake(MORNING + 24 * HOUR)[0] == 1
    assert second.tell(MORNING + 24 * HOUR) == ["a"]


def test_a_stale_alarm_wakes_nobody() -> None:
    """Woken, asleep again, and read back: the first alarm rings while the second sleep holds."""
    house = House()
    house.night(command("a", ttl=72 * HOUR))
    house.park()
    night = NIGHT + 24 * HOUR
    house.desk.lot._alarms.append((MORNING + HOUR, command("a").id))
    house.wake()
    house.desk.hush(night)
    house.park(night)
    assert house.desk.wake(night) == (0, ())
    assert house.desk.parked == 1


def test_what_another_owner_ended_while_it_slept_is_over() -> None:
    house = House()
    house.night(command("a"))
    house.park()
    ids = [command("a").id.hex()]
    house.write(Outcomes(epoch=house.epoch, outcome="unknown", ids=ids, digests=["31323334"], routes=["bonus"]))
    assert house.desk.wake(MORNING) == (0, ())
    assert (house.desk.parked, house.desk.joined, house.desk.drift) == (0, 1, 0)


def test_who_woke_or_ended_while_its_record_was_written_is_not_parked_by_it() -> None:
    house = House()
    house.night(command("a"), command("b", thread=7), now=MORNING - 61)
    sleepers = house.desk.lot.unwritten(MORNING - 61)
    house.night(command("c", thread=7, rank=1, quiet=None), now=MORNING - 60)
    house.desk.wake(MORNING)
    for record, written in parked_records(sleepers, house.epoch, "quiet_hours"):
        house.write(record)
        assert house.desk.lot.park(written) == 0
    house.desk.hush(MORNING)
    assert sorted(house.tell()) == ["a", "c"]
    house.write_ends()
    assert (house.desk.drift, house.committable, len(house.memory.parked)) == (0, 2, 0)


def test_sleepers_take_their_part_of_the_bound_until_they_are_parked() -> None:
    house = House(bounds=Bounds(commands=2, shares={"bonuses": 1.0}))
    house.night(command("a"), command("b"))
    assert not house.desk.outbox.has_room("bonuses")
    house.park()
    assert house.desk.outbox.has_room("bonuses")
    house.night(command("x", quiet=None), command("y", quiet=None), now=MORNING)
    assert house.desk.wake(MORNING) == (0, ())
    house.tell()
    assert house.desk.wake(MORNING) == (2, ())


def test_no_more_are_woken_at_once_than_was_asked_for() -> None:
    house = House()
    house.night(command("a"), command("b"), command("c"))
    assert house.desk.wake(MORNING, most=2) == (2, ())
    assert house.desk.wake(MORNING, most=2) == (1, ())


def test_when_the_lot_is_full_others_stay_asleep_with_their_records_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot, "PARKED_COMMANDS", 1)
    house = House()
    house.night(command("a"))
    house.night(command("b"))
    assert house.park() == 1
    assert house.committable == 1
    monkeypatch.setattr(lot, "PARKED_COMMANDS", 10)
    monkeypatch.setattr(lot, "PARKED_BYTES", 1)
    assert house.park() == 0
    house.wake()
    assert sorted(house.tell()) == ["a", "b"]
    assert house.committable == 2


def test_a_sleeper_in_doubt_waits_for_the_doubt_and_then_says_the_same_again() -> None:
    first = House()
    first.night(command("a"), command("b"))
    first.park()
    first.wake()
    batch = first.take()
    assert batch is not None
    first.attempt(batch)
    second = House(first.journal)
    second.wake()
    assert (second.desk.in_doubt, second.desk.outbox.waiting, second.desk.drift) == (2, 0, 0)
    (attempt,) = second.desk.doubts
    second.write(lost(attempt, second.epoch, second.memory))
    second.desk.doubts.resolve()
    assert sorted(second.tell()) == ["a", "b"]
    assert second.desk.drift == 0


def test_a_released_desk_holds_no_sleepers() -> None:
    house = House()
    house.night(command("a"), command("b"))
    house.park()
    house.night(command("c"))
    sleepers = house.desk.lot.unwritten(NIGHT)
    assert house.desk.release() == 3
    assert (house.desk.parked, house.desk.lot.next_alarm()) == (0, None)
    assert house.desk.hush(NIGHT) == ()
    assert house.desk.lot.park(sleepers) == 0


# --- who must not be told ---------------------------------------------------------------------------------------------


def test_whom_the_list_names_ends_before_the_thread_is_asked() -> None:
    house = House()
    house.night(command("a1", thread=7, rank=1, quiet=None))
    house.listed.add("a2")
    assert reasons(house.night(command("a2", thread=7, rank=2))) == [("a2", Outcome.SUPPRESSED, "listed")]
    assert house.tell(NIGHT) == ["a1"]
    assert house.desk.drift == 0


def test_who_is_listed_while_waiting_is_left_out_of_the_request_and_frees_the_thread() -> None:
    house = House()
    house.night(*(command(name, thread=number, quiet=None) for number, name in enumerate("ab")))
    house.night(command("c", quiet=None))
    house.listed |= {"a", "c"}
    assert house.tell(NIGHT) == ["b"]
    house.listed.clear()
    house.night(replace(command("a", thread=0, rank=1, quiet=None), id=b"another id.."))
    assert house.tell(NIGHT) == ["a"]
    assert house.desk.drift == 0


def test_a_request_of_which_nobody_is_left_is_none() -> None:
    house = House()
    house.night(command("a", quiet=None))
    house.listed.add("a")
    assert house.take(NIGHT) is None
    assert (house.desk.bound, house.committable) == (0, 1)


def test_caps_count_what_is_under_way_and_marketing_alone() -> None:
    house = House(caps=(Cap(1, HOUR),))

    def to_m(name: str, text: str) -> Command:
        return replace(command(name, quiet=None), recipient="m", wordings=(Message("", text),))

    house.night(to_m("m1", "one"), to_m("m2", "two"), to_m("order", "three"))
    first = house.take(NIGHT)
    assert first is not None
    others = [house.take(NIGHT), house.take(NIGHT)]
    told = [one.wordings[0].text for batch in (first, *others) if batch for one in batch.commands]
    assert sorted(told) in (["one", "three"], ["three", "two"])
    assert reasons(house.night(to_m("m3", "four"))) == [("m", Outcome.SUPPRESSED, "frequency_cap")]
    for batch in (first, *others):
        if batch is not None:
            house.fly(batch)
    assert reasons(house.night(to_m("m4", "five"), now=1100.0)) == [("m", Outcome.SUPPRESSED, "frequency_cap")]
    assert house.night(to_m("m5", "six"), now=NIGHT) == ()
    assert house.desk.drift == 0


class Nights(RuleBasedStateMachine):
    """Days and nights in any order, with takeovers: nothing is lost, and nobody is told at night or twice."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.now = EVENING
        self.records: list[tuple[Command, ...]] = []
        self.told: list[str] = []
        self.count = 0

    @rule(quiet=st.sampled_from([None, HOLD, DROP]), thread=st.none() | st.integers(0, 2), hours=st.integers(1, 60))
    def publish(self, quiet: Quiet | None, thread: int | None, hours: int) -> None:
        self.count += 1
        one = command(f"c{self.count}", thread=thread, rank=self.count, quiet=quiet)
        one = replace(one, arrived=self.now, deadline=self.now + hours * HOUR)
        self.records.append((one,))
        self.house.night(one, now=self.now)

    @rule()
    def repeat(self) -> None:
        if self.records:
            self.house.night(*self.records[-1], now=self.now)

    @rule()
    def park(self) -> None:
        self.house.park(self.now)

    @rule(minutes=st.integers(1, 400))
    def pass_time(self, minutes: int) -> None:
        self.now += minutes * 60
        self.house.desk.expire(self.now)
        self.house.wake(self.now)

    @rule(verdict=st.sampled_from([Delivered(), Deferred("unreachable")]))
    def request(self, verdict: Verdict) -> None:
        batch = self.house.take(self.now)
        if batch is not None:
            assert not self.house.desk.lot.is_quiet(batch.commands, self.now)
            if isinstance(verdict, Delivered):
                self.told += [one.recipient for one in batch.commands]
            self.house.fly(batch, verdict)

    @rule()
    def take_over(self) -> None:
        """The next owner reads every record again that was not settled, here all of them."""
        self.house.write_ends()
        self.house = House(self.house.journal)
        for record in self.records:
            self.house.night(*record, now=self.now)
        self.house.wake(self.now)

    @invariant()
    def nothing_is_lost(self) -> None:
        desk = self.house.desk
        assert desk.drift == 0
        held = desk.outbox.waiting + desk.parked
        ended = sum(desk._books.ended_as(one.id) is not None for (one,) in self.records)
        assert held + ended == len(self.records)

    @invariant()
    def nobody_is_told_twice(self) -> None:
        assert len(self.told) == len(set(self.told))


TestNights = Nights.TestCase
TestNights.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
