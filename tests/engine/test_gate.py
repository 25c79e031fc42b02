"""The gate against providers that count: none is asked too often, whatever dies, and little of the quota is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from random import Random

import pytest

from consumer.core.ceiling import PeopleLimit
from consumer.core.facts import BreakerMoved, Fact, GateMoved
from consumer.core.model import Blocked, Capacity, Deferred, Delivered, Quota, Refused, Unsure, Verdict
from consumer.core.quota import Past
from consumer.engine.clock import BrokerClock
from consumer.engine.gate import Gate, Grant, Pace
from tests.core.servers import LIMITERS, Limiter, Pacer, most_in_a_window
from tests.virtual import virtual

WINDOW = Quota(10, 60.0)
TIMEOUT, LOST_FOR = 30.0, 60.0
HOUR = 3600.0

EPOCH = 1_700_000_000.0

Delay = Callable[[], float]


def clock() -> BrokerClock:
    """Broker time, as every owner in this world has it."""
    loop, made = asyncio.get_running_loop(), BrokerClock()
    made.anchor(EPOCH + loop.time(), loop.time())
    return made


def ordinary(dice: Random) -> Delay:
    """Log-normal with a median of 60 ms."""
    return lambda: dice.lognormvariate(log(0.06), 0.5)


@dataclass
class Provider:
    """Hears requests whoever sent them, and keeps the journal that owners leave to one another."""

    limiter: Limiter | None = None
    arrivals: list[float] = field(default_factory=list)
    limited: list[float] = field(default_factory=list)
    journal: list[Past] = field(default_factory=list)
    loses: Callable[[], bool] = lambda: False
    retry_after: float | None = None

    def arrive(self) -> Verdict:
        now = asyncio.get_running_loop().time()
        self.arrivals.append(now)
        if self.limiter is not None and not self.limiter.admits(now):
            self.limited.append(now)
            return Deferred("limit", self.retry_after, limit=True)
        return Delivered()


class Owner:
    """One life of a lane with a full backlog. What is on the wire when it dies arrives all the same."""

    def __init__(self, provider: Provider, delay: Delay, quota: Quota = WINDOW) -> None:
        loop = asyncio.get_running_loop()
        self.provider, self.delay, self.loop = provider, delay, loop
        self.clock = clock()
        self.gate = Gate(Pace(quota, TIMEOUT, LOST_FOR), self.clock, lambda: 0.5)
        self.flying: set[asyncio.Task[None]] = set()
        self.slots = asyncio.Semaphore(2)

    async def work(self, seconds: float) -> None:
        """Take over, work for so long, and die."""
        await self.gate.restore(list(self.provider.journal), cut=False)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.slots.acquire()
                    await self.gate.patience()
                    task = self.loop.create_task(self.fly(await self.gate.grant()))
                    self.flying.add(task)
                    task.add_done_callback(self.flying.discard)
        except TimeoutError:
            for task in list(self.flying):
                task.cancel()

    async def fly(self, grant: Grant) -> None:
        """A lost answer's request may arrive long after the timeout."""
        provider, verdicts, delay = self.provider, list[Verdict](), self.delay()
        number, started, lost = len(provider.journal), self.clock.now(), provider.loses()
        provider.journal.append(Past(started, None))
        arrives = min(delay * 100, TIMEOUT + LOST_FOR - 1.0) if lost else delay / 2
        self.loop.call_later(arrives, lambda: verdicts.append(provider.arrive()))
        await asyncio.sleep(TIMEOUT if lost else delay)
        provider.journal[number] = Past(started, self.clock.now(), lost=lost)
        self.gate.settle(grant, Unsure("timeout") if lost else verdicts[0])
        self.slots.release()


def shares(provider: Provider, seconds: float) -> float:
    """The part of the quota that was used."""
    return len(provider.arrivals) * WINDOW.gap_seconds / seconds


@pytest.mark.parametrize("limiter", LIMITERS)
def test_no_server_ever_refuses_and_the_quota_is_used(limiter: str) -> None:
    @virtual
    async def run() -> None:
        provider = Provider(LIMITERS[limiter](WINDOW))
        await Owner(provider, ordinary(Random(limiter))).work(6 * HOUR)
        assert provider.limited == []
        assert shares(provider, 6 * HOUR) >= 0.99
        assert most_in_a_window(provider.arrivals, 60.0) == 10

    run()


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("seconds", [6.0, 6.5, 7.5, 10.0, 12.0])
def test_a_strict_pacer_is_understood_after_ten_answers_at_most(seconds: float, retry_after: float | None) -> None:
    @virtual
    async def run() -> None:
        provider = Provider(Pacer(seconds), retry_after=retry_after)
        owner = Owner(provider, ordinary(Random(7)))
        await owner.work(6 * HOUR)
        quiet = [later - earlier for earlier, later in pairwise(provider.limited)]
        adapted = next(number for number, pause in enumerate(quiet, 1) if pause > 180.0)
        assert adapted <= 10
        # The gap comes back slowly to ask again: that costs one request in sixteen at most.
        assert len(provider.limited) <= 0.06 * len(provider.arrivals)
        assert len(provider.arrivals) >= 0.9 * 6 * HOUR / seconds

    run()


async def live_and_die(provider: Provider, dice: Random) -> None:
    """Owner after owner, for ten minutes or a little more: at rest, in a crash loop, or with failovers."""
    loop = asyncio.get_running_loop()
    life = dice.choice([5.0, 47.0, 240.0])
    until = loop.time() + 600.0
    delay = dice.choice([ordinary(dice), lambda: dice.uniform(0.0, 10.0)])
    while loop.time() < until:
        await Owner(provider, delay).work(life if life == 5.0 else dice.uniform(1.0, 2 * life))
        await asyncio.sleep(dice.choice([0.0, 1.0, 30.0]))
    await asyncio.sleep(TIMEOUT + LOST_FOR)


@pytest.mark.parametrize("part", range(10))
def test_over_a_thousand_seeds_no_window_has_more_than_the_quota(part: int) -> None:
    for seed in range(100 * part, 100 * part + 100):
        dice = Random(seed)
        odds = dice.choice([0.0, 0.05, 0.3])
        provider = Provider(loses=lambda dice=dice, odds=odds: dice.random() < odds)  # type: ignore[misc]
        virtual(live_and_die)(provider, dice)
        assert provider.arrivals, f"seed {seed}"
        assert most_in_a_window(provider.arrivals, 60.0) <= 10, f"seed {seed}"


# --- answers ----------------------------------------------------------------------------------------------------------


def gate(quota: Quota | None = WINDOW, ceiling: PeopleLimit | None = None, said: list[Fact] | None = None) -> Gate:
    emit = (lambda _fact: None) if said is None else said.append
    return Gate(Pace(quota, TIMEOUT, LOST_FOR, ceiling, "push"), clock(), lambda: 0.0, emit)


@virtual
async def test_the_breaker_says_when_it_moves_and_the_gap_too() -> None:
    said: list[Fact] = []
    one = gate(said=said)
    one.settle(await one.grant(), Unsure("timeout", answered=True))
    assert (one.probing, one.failing, one.held) == (False, True, True)
    one.settle(await one.grant(), Unsure("timeout", answered=True))
    assert (one.probing, said) == (True, [BreakerMoved("push", True, "timeout")])
    one.settle(await one.grant(), Deferred("limit", limit=True))
    assert [round(fact.gap_seconds, 6) for fact in said[1:] if isinstance(fact, GateMoved)] == [6.6]
    one.settle(await one.grant(), Refused("bad"))
    assert said[2:] == [BreakerMoved("push", False, "")]
    assert not one.failing


@virtual
async def test_a_gate_that_another_owner_replaces_has_no_open_breaker() -> None:
    said: list[Fact] = []
    one = gate(said=said)
    one.refuse(Blocked("secret_missing"))
    one.retire()
    assert [fact.open for fact in said if isinstance(fact, BreakerMoved)] == [True, False]


@virtual
async def test_limit_answers_slow_a_leaky_bucket_too() -> None:
    bucket = gate(Quota(10, 10.0, bucket=True))
    loop = asyncio.get_running_loop()
    for _ in range(10):
        bucket.settle(await bucket.grant(), Delivered())
    began = loop.time()
    bucket.settle(await bucket.grant(), Delivered())
    assert loop.time() - began == pytest.approx(1.0, abs=0.01)
    bucket.settle(await bucket.grant(), Deferred("limit", 0.0, limit=True))
    began = loop.time()
    for _ in range(5):
        bucket.settle(await bucket.grant(), Delivered())
    # Each request takes a tenth more of the bucket, until a quiet time narrows the gap again.
    assert bucket.gap_seconds == pytest.approx(1.1)
    assert loop.time() - began == pytest.approx(5.5, abs=0.01)
    bucket.settle(await bucket.grant(), Deferred("limit", 30.0, limit=True))
    began = loop.time()
    await bucket.grant()
    assert loop.time() - began == pytest.approx(30.0, abs=0.01)


@virtual
async def test_a_new_owner_s_bucket_is_as_full_as_the_old_one_left_it() -> None:
    bucket, loop = gate(Quota(10, 10.0, bucket=True)), asyncio.get_running_loop()
    now = clock().now()
    await bucket.restore([Past(now - 1.0, now)] * 10, cut=False)
    began = loop.time()
    await bucket.grant()
    assert loop.time() - began == pytest.approx(1.0, abs=0.01)
    unread = gate(Quota(10, 10.0, bucket=True))
    await unread.restore([], cut=True)
    began = loop.time()
    await unread.grant()
    assert loop.time() - began == pytest.approx(1.0, abs=0.01)


@virtual
async def test_a_cut_journal_costs_one_silent_period() -> None:
    one, loop = gate(), asyncio.get_running_loop()
    await one.restore([], cut=True)
    began = loop.time()
    assert (await one.grant()).cause == "quota"
    assert loop.time() - began == pytest.approx(60.0)


@virtual
async def test_a_request_waits_until_the_ceiling_has_room_for_it() -> None:
    one, loop = gate(ceiling=PeopleLimit(100, 60.0)), asyncio.get_running_loop()
    assert one.fit(Capacity(1, 1000)) == Capacity(1, 100, total=100)
    first = await one.grant()
    one.carry(first, 100)
    began = loop.time()
    assert one.full
    one.settle(first, Delivered(), told=100)
    second = await one.grant(40)
    assert second.cause == "ceiling"
    assert loop.time() - began == pytest.approx(60.0)
    one.carry(second, 40)
    one.give_back(second)
    assert one.fit(Capacity(5, 30)) == Capacity(5, 30, total=100)


@virtual
async def test_without_a_quota_only_the_provider_s_answers_hold() -> None:
    one, loop = gate(None), asyncio.get_running_loop()
    await one.restore([], cut=True)
    began = loop.time()
    for _ in range(5):
        one.settle(await one.grant(), Delivered())
    assert loop.time() - began == pytest.approx(0.0, abs=1e-6)
    assert (one.gap_seconds, one.used) == (0.0, 0)
    one.settle(await one.grant(), Blocked("key_refused"))
    await one.patience()
    assert loop.time() - began == pytest.approx(60.0)
