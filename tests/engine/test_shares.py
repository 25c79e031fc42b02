"""A shared lane in two processes: each share has one owner, and the other process is its standby."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from consumer.core.control import Order, order_row
from consumer.core.model import Capacity
from consumer.core.shares import Share, shares_of, spread
from consumer.core.suppressions import Suppression, suppression_row
from consumer.engine.lane import Lane
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.engine.watchlist import SuppressionParts
from consumer.streams.memory import MemoryDeadLetters, MemoryJournal, MemorySource, Wire
from tests.engine.harness import (
    CONTROL,
    HASH_KEY,
    LETTERS,
    SOURCE,
    Process,
    ProviderSink,
    TablePlanner,
    World,
    broker_now,
    people,
    seconds,
)
from tests.virtual import virtual

SHARES = shares_of("push", 4)
IN_FLIGHT = 4


@dataclass
class Pod:
    """One `vestnik run` with all shares of the lane."""

    lanes: dict[Share, Process]

    def start(self) -> "Pod":
        for each in self.lanes.values():
            each.start()
        return self

    async def kill(self) -> None:
        for each in self.lanes.values():
            await each.kill()

    async def stop(self) -> None:
        for each in self.lanes.values():
            await each.stop()

    @property
    def works_for(self) -> list[int]:
        return [share.number for share, each in self.lanes.items() if each.lane.view().state == "working"]

    @property
    def in_flight(self) -> int:
        return sum(each.lane.view().in_flight for each in self.lanes.values())


def part(process: str) -> list[int]:
    """The shares that one of the two processes is to have."""
    plan = spread(["a", "b"], len(SHARES))
    assert plan.count(process) == 2
    return [number for number, owner in enumerate(plan) if owner == process]


class Town(World):
    """A world whose one lane is shared."""

    def __init__(self) -> None:
        super().__init__(partitions=8, session_seconds=10.0, rebalance_seconds=5.0)
        for share in SHARES:
            self.broker.create(f"journal.{share.name}")

    def pod(self, name: str) -> Pod:
        wire = Wire(name)
        return Pod({share: self._lane(share, wire) for share in SHARES})

    def _lane(self, share: Share, wire: Wire) -> Process:
        source = MemorySource(self.broker, f"vestnik.{share.name}", [SOURCE], wire=wire, share=share)
        sink = ProviderSink(self.provider, Capacity(1, 1), 30.0)
        facts: list[object] = []
        parts = LaneParts(
            source=source,
            journal=MemoryJournal(self.broker, f"journal.{share.name}", wire=wire),
            dead_letters=MemoryDeadLetters(self.broker, LETTERS, wire=wire),
            sink=sink,
            planner=TablePlanner(),
            emit=facts.append,
            wall=broker_now,
            dice=lambda: 0.5,
            control=self.table(wire, CONTROL),
            suppressions=SuppressionParts(self.table(wire), lambda: HASH_KEY),
        )
        member = f"{wire.process}-{share.number}"
        settings = LaneSettings(share.name, member, None, in_flight=IN_FLIGHT, start_at="earliest")
        return Process(Lane(settings, parts), source, wire, sink)

    async def say(self, *, paused: bool) -> None:
        """What somebody says of the lane."""
        order = Order(paused=paused, who="a test", reason="to see it", since=datetime(2026, 1, 1, tzinfo=UTC))
        await self.table(topic=CONTROL).put(*order_row("push", order))

    @property
    def committed(self) -> int:
        groups = (self.broker.group(f"vestnik.{share.name}") for share in SHARES)
        return sum(offset for group in groups for offset in group.offsets.values())


@virtual
async def test_a_killed_process_s_shares_go_to_the_other_and_only_what_was_in_flight_is_told_twice() -> None:
    town = Town()
    first, second = town.pod("a").start(), town.pod("b").start()
    await seconds(30)
    assert (first.works_for, second.works_for) == (part("a"), part("b"))
    town.provider.latency_seconds = 1.0
    for person in people(400):
        town.publish(id=person, to=person, texts=[person])
    await seconds(8.2)
    told, flying = len(town.provider.told), first.in_flight
    assert 50 < told < 300
    assert 0 < flying <= 2 * IN_FLIGHT
    await first.kill()
    await town.settled()
    assert second.works_for == [0, 1, 2, 3]
    assert town.provider.told == set(people(400))
    assert sum(count - 1 for count in town.provider.repeats.values()) <= flying
    await second.stop()


@virtual
async def test_a_process_that_comes_gets_its_part_and_nothing_is_told_twice() -> None:
    town = Town()
    first = town.pod("b").start()
    await seconds(5)
    assert first.works_for == [0, 1, 2, 3]
    for person in people(200):
        town.publish(id=person, to=person, texts=[person])
    await seconds(0.5)
    second = town.pod("a").start()
    await seconds(30)
    assert (first.works_for, second.works_for) == (part("b"), part("a"))
    for person in people(400):
        town.publish(id=person, to=person, texts=[person])
    await town.settled()
    assert town.provider.repeats == {}
    assert town.provider.told == set(people(400))
    partitions = Counter(
        partition.partition % 4 == share.number
        for share in SHARES
        for partition in town.broker.group(f"vestnik.{share.name}").offsets
    )
    assert partitions == {True: 8}
    await first.stop()
    await second.stop()


@virtual
async def test_a_pause_of_the_lane_pauses_every_share() -> None:
    town = Town()
    pods = [town.pod("a").start(), town.pod("b").start()]
    await seconds(30)
    await town.say(paused=True)
    await seconds(5)
    for person in people(100):
        town.publish(id=person, to=person, texts=[person])
    await seconds(60)
    assert town.provider.told == set()
    await town.say(paused=False)
    await town.settled()
    assert town.provider.told == set(people(100))
    for pod in pods:
        await pod.stop()


@virtual
async def test_who_is_not_to_be_told_on_the_lane_is_told_by_none_of_its_shares() -> None:
    town = Town()
    everybody = list(people(100))
    unwanted, elsewhere = everybody[:40], everybody[40:80]
    for person in unwanted:
        await town.table().put(*suppression_row(HASH_KEY, person, Suppression(lanes=["push"])))
    for person in elsewhere:
        await town.table().put(*suppression_row(HASH_KEY, person, Suppression(lanes=["email"])))
    pods = [town.pod("a").start(), town.pod("b").start()]
    await seconds(30)
    for person in everybody:
        town.publish(id=person, to=person, texts=[person])
    await town.settled()
    assert town.provider.told == set(everybody) - set(unwanted)
    shares = {record.position.partition % len(SHARES) for record in town.broker.records(SOURCE)}
    assert shares == {0, 1, 2, 3}
    for pod in pods:
        await pod.stop()
