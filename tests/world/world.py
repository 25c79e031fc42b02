"""One seed, one world: build it, let things go wrong, put them right, and look whether every promise was kept."""

import asyncio
import random
from dataclasses import dataclass, field

from consumer.core import landing
from consumer.core.model import Record, TopicPartition
from tests.world.adapters import BACKFILL, CONTROL, GROUP, JOURNAL, LETTERS, LISTED, WorldBroker
from tests.world.evidence import EPOCH, Evidence
from tests.world.invariants import check
from tests.world.lives import Outside, WorldLoop
from tests.world.nemesis import Nemesis
from tests.world.plan import Design, design
from tests.world.pods import Pod, Surroundings, Town
from tests.world.provider import Mood, Provider
from tests.world.shop import CROWD, Shop
from tests.world.witness import Violation, Witness

# A blocked lane probes at most every quarter of an hour; the rest is for what had to wait meanwhile.
LIVENESS_SECONDS = 1800.0
EXIT_SECONDS = 25.5


@dataclass
class Result:
    """What became of a world. `trace` is the same whenever the seed is the same."""

    seed: int
    violations: list[Violation]
    trace: str
    events: int = 0
    pushes: int = 0
    lives: int = 0
    repeats: int = 0
    residuals: int = 0
    faults: list[str] = field(default_factory=list)
    settle_seconds: float = 0.0

    @property
    def rules(self) -> list[str]:
        return sorted({violation.rule for violation in self.violations})


class World:
    def __init__(self, plan: Design) -> None:
        self.plan = plan
        self.dice = random.Random(f"world {plan.seed}")
        outside = Outside()
        self.broker = WorldBroker(
            outside,
            self.now,
            write_seconds=plan.write_seconds,
            session_seconds=plan.session_seconds,
            rebalance_seconds=plan.rebalance_seconds,
        )
        provider = Provider(
            outside, random.Random(f"provider {plan.seed}"), plan.timeout_seconds, plan.lost_for_seconds
        )
        provider.mood, provider.each = plan.mood, plan.each
        provider.bad_recipients = bad_recipients(plan)
        provider.idempotent = plan.idempotent
        self.shop = Shop(plan.trade, random.Random(f"shop {plan.seed}"), self._publish, self.true_now)
        self.witness = Witness(self.shop)
        self.around = Surroundings(plan, outside, self.broker, provider, self.witness)
        self.town = Town()
        self.nemesis = Nemesis(self.around, self.town, random.Random(f"nemesis {plan.seed}"))
        self.broker.on_record = self.witness.on_record
        self.broker.on_commit = self.witness.on_commit
        for topic in plan.topics:
            self.broker.create(topic, 1 if topic == BACKFILL else plan.partitions)
        self.broker.create(JOURNAL)
        for topic in (LETTERS, LISTED, CONTROL):
            self.broker.create(topic)
        self.ending = False
        self.settled_at: float | None = None
        self.calm_at = 0.0
        self.residuals = 0

    def true_now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def now(self) -> float:
        """The broker's clock, which the nemesis may step; in milliseconds, as Kafka's."""
        return round(self.true_now() + self.nemesis.skew, 3)

    def _publish(
        self, topic: str, key: bytes, value: bytes, partition: int | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> Record:
        if partition is not None:
            partition %= len(self.broker.topics[topic].logs)
        return self.broker.publish(topic, value, key=key, partition=partition, headers=headers)

    # --- the run ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        outside = self.around.outside
        slots = [outside.spawn(self._slot(number)) for number in range(self.plan.processes)]
        trade = outside.spawn(self._trade())
        await self.nemesis.rage(self.plan.seconds)
        await self.nemesis.end()
        await trade
        await self._calm()
        self.ending = True
        await self._all_stop()
        for slot in slots:
            slot.cancel()
        for error in await asyncio.gather(*slots, return_exceptions=True):
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error

    async def _slot(self, number: int) -> None:
        """Where a process runs; one that ended is started again."""
        dice = random.Random(f"slot {number} {self.plan.seed}")
        await asyncio.sleep(dice.uniform(0.0, self.plan.start_seconds))
        life = 0
        while not self.ending:
            life += 1
            pod = Pod(f"pod-{number}-{life}", self.around, dice)
            self.town.pods.append(pod)
            self.witness.note("over", pod.name, await asyncio.shield(pod.life.over))
            await asyncio.sleep(dice.uniform(0.3, 12.0))

    async def _trade(self) -> None:
        trade = self.plan.trade
        dice = random.Random(f"trade {self.plan.seed}")
        while self.shop.published < trade.events:
            await asyncio.sleep(dice.expovariate(trade.events / trade.seconds))
            self.shop.tick()

    async def _calm(self) -> None:
        """Faults have stopped: everything settles, and a fresh event arrives."""
        self.nemesis.skew = 0.0
        self.around.provider.mood = Mood()
        weather = self.plan.weather
        weather.delay_seconds, weather.stuck, weather.doubled = 0.005, 0.0, 0.0
        self.calm_at = asyncio.get_running_loop().time()
        self.shop.close()
        self.shop.give(self.shop.fresh())
        until = self.calm_at + LIVENESS_SECONDS
        while not self._settled() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1.0)
        if self._settled():
            self.settled_at = asyncio.get_running_loop().time()
            self.witness.settled = True
        else:
            self.witness.blame("I19 liveness", self._standing())

    def _settled(self) -> bool:
        """Every record is committed, every attempt has landed, everybody who slept has woken."""
        if any(behind for behind in self._behind().values()):
            return False
        if any(attempt.landed_at is None and not attempt.void for attempt in self.witness.attempts.values()):
            return False
        return all(id_ in self.witness.ends for id_ in self.witness.parked)

    def _behind(self) -> dict[TopicPartition, int]:
        offsets, topics = self.broker.group(GROUP).offsets, self.broker.topics
        ends = {
            TopicPartition(name, n): log.end for name in self.plan.topics for n, log in enumerate(topics[name].logs)
        }
        return {partition: end - offsets.get(partition, 0) for partition, end in ends.items()}

    def _standing(self) -> str:
        views = [(pod.name, pod.lane.view()) for pod in self.town.alive if pod.lane is not None]
        states = [
            f"{name} {v.state} epoch {v.epoch} waiting {v.waiting} in flight {v.in_flight} in doubt {v.in_doubt} "
            f"holds {v.holds} {[b.reason for b in v.blockages]}"
            for name, v in views
        ]
        behind = {f"{name}/{n}": count for (name, n), count in self._behind().items() if count}
        asleep = [id_ for id_ in self.witness.parked if id_ not in self.witness.ends]
        return f"behind {behind}, asleep {asleep[:3]}; {'; '.join(states)}"

    async def _all_stop(self) -> None:
        alive = self.town.alive
        for pod in alive:
            pod.stop()
        waits = [asyncio.shield(pod.life.over) for pod in alive]
        if waits:
            await asyncio.wait(waits, timeout=EXIT_SECONDS + 5.0)

    def judge(self) -> None:
        evidence = Evidence(
            self.plan,
            self.shop,
            self.witness,
            self.around.provider,
            self.town,
            self.nemesis.spans,
            self.nemesis.clock_steps,
            self.nemesis.words,
        )
        self.residuals = len(check(evidence))

    def bury(self) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        for pod in self.town.pods:
            pod.bury()

    def result(self) -> Result:
        requests = self.around.provider.requests
        pushes = sum(len(request.accepted) for request in requests)
        told = len({id_ for request in requests for id_ in request.accepted})
        settled = LIVENESS_SECONDS if self.settled_at is None else self.settled_at - self.calm_at
        return Result(
            seed=self.plan.seed,
            violations=self.witness.violations,
            trace=self.witness.trace,
            events=self.shop.published,
            pushes=pushes,
            lives=len(self.town.pods),
            repeats=pushes - told,
            residuals=self.residuals,
            faults=self.nemesis.done,
            settle_seconds=settled,
        )


def bad_recipients(plan: Design) -> frozenset[str]:
    """Whom the provider refuses: some customers, and some of a crowd that is told one text in one request.

    Where most people are refused, the lane takes it for a provider that refuses everything, and asks slowly.
    """
    customers = min(plan.bad, plan.trade.customers // 12)
    crowd = (number for number in range(CROWD) if number % 20 < plan.bad)
    return frozenset([f"c{number}" for number in range(customers)] + [f"p{number}" for number in crowd])


async def _live(seed: int) -> Result:
    plan = design(seed)
    world = World(plan)
    before, landing.COMMANDS_PER_PART = landing.COMMANDS_PER_PART, plan.commands_per_part
    try:
        await asyncio.wait_for(world.run(), 86_400.0)
        world.judge()
    finally:
        landing.COMMANDS_PER_PART = before
        world.bury()
    return world.result()


def run_world(seed: int) -> Result:
    """Run the world of this seed to its end, in virtual time."""
    with asyncio.Runner(loop_factory=WorldLoop) as runner:
        return runner.run(_live(seed))
