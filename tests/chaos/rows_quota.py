"""Rows on quotas, repeats, order and fairness, over real lanes in virtual time; and on clocks that jump."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from consumer.core.facts import TokenRefreshed
from consumer.core.model import Bounds, Capacity, TopicPartition
from consumer.demo.fakes import Bitrix24Fake, Bitrix24Profile
from consumer.engine.settings import LaneParts
from tests.chaos.lanes import Spread, fast, now, virtual
from tests.chaos.row import Outcome, Row
from tests.engine.harness import GROUP, SOURCE, Process, World, seconds
from tests.sinks.lanes import staff
from tests.sinks.test_oauth import World as Tokens
from tests.sinks.test_oauth import refuse

MINUTE, HOUR = 60.0, 3600.0
ALLOWED = 10
Scene = Callable[[World, Random], Awaitable[None]]


async def _texts(world: World, count: int, gap_seconds: float, start: int = 0) -> None:
    """Messages that cannot share a request."""
    for number in range(start, start + count):
        world.publish(id=f"e{number}", to=f"u{number}", texts=[f"text {number}"], ttl=86_400.0)
        await seconds(gap_seconds)


# --- Q-1 and Q-2 ------------------------------------------------------------------------------------------------------


async def steady(world: World, dice: Random) -> None:
    process = world.process().start()
    await _texts(world, 300, 5.0)
    await process.stop()


async def burst(world: World, dice: Random) -> None:
    process = world.process().start()
    await _texts(world, 300, 0.0)
    await seconds(25 * MINUTE)
    await process.stop()


async def jitter(world: World, dice: Random) -> None:
    """Answers take anything up to ten seconds."""
    process = world.process(in_flight=4).start()
    shaking = asyncio.create_task(_shake(world, dice))
    await _texts(world, 300, 0.0)
    await seconds(25 * MINUTE)
    shaking.cancel()
    await process.stop()


async def _shake(world: World, dice: Random) -> None:
    while True:
        world.provider.latency_seconds = dice.uniform(0.0, 10.0)
        await seconds(0.5)


async def restarts(world: World, dice: Random) -> None:
    feeding = asyncio.create_task(_texts(world, 300, 0.0))
    for _ in range(20):
        process = world.process().start()
        await seconds(dice.uniform(20, 60))
        await process.stop()
    await feeding


async def crash_loop(world: World, dice: Random) -> None:
    """A crash every five seconds for five minutes, again and again."""
    await _texts(world, 300, 0.0)
    for _ in range(120):
        process = world.process().start()
        await seconds(5)
        await process.kill()


async def replicas(world: World, dice: Random) -> None:
    processes = [world.process().start() for _ in range(3)]
    await _texts(world, 300, 0.0)
    for _ in range(6):
        await seconds(3 * MINUTE)
        await processes.pop(0).kill()
        processes.append(world.process().start())
    for process in processes:
        await process.stop()


async def rebalances(world: World, dice: Random) -> None:
    """Members come and go every ten seconds."""
    owner = world.process().start()
    await _texts(world, 300, 0.0)
    for _ in range(60):
        guest = world.process().start()
        await seconds(10)
        await guest.stop()
    await owner.stop()


async def zombies(world: World, dice: Random) -> None:
    """Owners are cut off for half a minute, and another takes over."""
    processes = [world.process().start(), world.process().start()]
    await _texts(world, 300, 0.0)
    for number in range(12):
        await seconds(MINUTE)
        processes[number % 2].wire.cut()
        await seconds(30)
        processes[number % 2].wire.mend()
    for process in processes:
        await process.stop()


async def clock_jumps(world: World, dice: Random) -> None:
    """The host's clock is an hour off at each start, in either direction."""
    await _texts(world, 300, 0.0)
    for number in range(10):
        process = _with_wall(world, (-HOUR, HOUR, 0.0)[number % 3])
        await seconds(90)
        await process.kill()


def _with_wall(world: World, off_seconds: float) -> Process:
    """A process whose host's clock is wrong by so much."""
    process = world.process()
    right = process.lane._parts.wall
    parts = process.lane._parts
    changed = LaneParts(
        **{name: getattr(parts, name) for name in LaneParts.__slots__ if name != "wall"},
        wall=lambda: right() + off_seconds,
    )
    process.lane = type(process.lane)(process.lane._settings, changed)
    return process.start()


async def slow_journal(world: World, dice: Random) -> None:
    world.broker.write_seconds = 2.0
    process = world.process().start()
    await _texts(world, 300, 0.0)
    await seconds(25 * MINUTE)
    await process.stop()


SCENES: dict[str, Scene] = {
    "steady": steady, "burst": burst, "jitter of 10 s": jitter, "restarts": restarts, "crash loop of 5 s": crash_loop,
    "3 replicas": replicas, "rebalances": rebalances, "zombies": zombies, "clock jumps": clock_jumps,
    "slow journal": slow_journal,
}  # fmt: skip


@virtual
async def windows(folder: Path) -> Outcome:
    """Ten scenes: the most requests that any minute saw at the provider, and how many a minute took part."""
    worst, rates = {}, {}
    for name, scene in SCENES.items():
        world = World(session_seconds=10.0, rebalance_seconds=5.0)
        await scene(world, Random(1))
        worst[name] = world.provider.worst_window(MINUTE)
        times = sorted(world.provider.arrivals)
        rates[name] = (len(times) - 1) / (times[-1] - times[0]) * MINUTE if len(times) > 1 else 0.0
    within = sum(count <= ALLOWED for count in worst.values())
    fast_enough = rates["burst"] >= 9.9 and rates["jitter of 10 s"] >= 8.8
    return Outcome(
        within == len(SCENES) and fast_enough,
        f"{within} of {len(SCENES)} scenes within 10 a minute (the fullest: {max(worst.values())}); "
        f"{rates['burst']:.2f} requests a minute at 0.06 s, {rates['jitter of 10 s']:.2f} with answers of up to 10 s",
        {"within": within, "scenes": len(SCENES), "fullest_minute": max(worst.values()),
         "per_minute": round(rates["burst"], 2), "per_minute_at_jitter": round(rates["jitter of 10 s"], 2)},
    )  # fmt: skip


@virtual
async def start_bursts(folder: Path) -> Outcome:
    """Twenty kills at random moments; the next process starts at once with everything waiting."""
    dice, gaps, worst = Random(2), [], 0
    for _ in range(20):
        world = World()
        first = world.process().start()
        await _texts(world, 60, 0.0)
        await seconds(dice.uniform(5, 90))
        await first.kill()
        count = len(world.provider.arrivals)
        second = world.process().start()
        await seconds(3 * MINUTE)
        worst = max(worst, world.provider.worst_window(MINUTE))
        gaps.append(world.provider.arrivals[count] - world.provider.arrivals[count - 1])
        await second.stop()
    pace = MINUTE / ALLOWED
    early = sum(gap < pace - 0.1 for gap in gaps)
    return Outcome(
        not early and worst <= ALLOWED,
        f"20 kills: first request at least {min(gaps):.1f} s after the last one before (pace {pace:.0f} s), "
        f"earlier {early}; the fullest minute {worst}",
        {"earliest_seconds": round(min(gaps), 2), "early": early, "fullest_minute": worst},
    )


# --- Q-3 --------------------------------------------------------------------------------------------------------------


@fast(60)
async def shared_bucket(folder: Path) -> Outcome:
    """Another application takes half of the address's bucket for an hour, while there is more than enough."""
    async with Bitrix24Fake(Bitrix24Profile(), clock=now) as portal, staff(folder, portal) as shore:
        for number in range(1, 5_001):
            # A text on its own goes in a request of its own.
            shore.publish(id=f"e{number}", to=str(number), texts=[f"батч $result[{number}]"], ttl=86_400.0)
        shore.start()
        other = asyncio.create_task(_other_application(portal))
        await seconds(HOUR)
        other.cancel()
        mine = [each for each in portal.pushes if each.recipients or each.status == 503]
        refused = sum(each.status == 503 for each in mine)
        rate = len(mine) / HOUR
    share = 100 * refused / max(1, len(mine))
    return Outcome(
        share < 1 and rate <= 2 and len(mine) > 100,
        f"{len(mine)} requests in an hour ({rate:.2f} a second) beside another application's 1 a second: "
        f"{refused} refused with 503 ({share:.2f} %)",
        {"requests": len(mine), "refused": refused, "refused_percent": round(share, 3), "per_second": round(rate, 2)},
    )


async def _other_application(portal: Bitrix24Fake) -> None:
    """Somebody behind the same address, who takes a drop a second and does not listen."""
    while True:
        portal._pour("127.0.0.1", now())
        await seconds(1.0)


# --- R-3 and R-4 ------------------------------------------------------------------------------------------------------


@virtual
async def repeated_events(folder: Path) -> Outcome:
    """Five copies of each event, spread over a takeover and a restart."""
    world, dice = World(session_seconds=10.0, rebalance_seconds=5.0), Random(3)
    copies = [number for number in range(400) for _ in range(5)]
    dice.shuffle(copies)
    process = world.process().start()
    for place, number in enumerate(copies):
        world.publish(id=f"e{number}", to=f"u{number}", texts=[f"news {number % 20}"], ttl=86_400.0)
        await seconds(0.3)
        if place == 700:
            await process.stop()
            process = world.process().start()
        if place == 1400:
            # Between two requests: a kill in the middle of one is another row's.
            while process.lane.view().requests_in_flight:
                await seconds(0.01)
            await process.kill()
            process = world.process().start()
    await world.settled(20_000)
    pushes = Counter(push.command for push in world.provider.pushes)
    await process.stop()
    again = sum(count - 1 for count in pushes.values())
    return Outcome(
        len(pushes) == 400 and not again,
        f"2,000 records of 400 events over a restart and a takeover: accepted {len(pushes)}, accepted again {again}",
        {"events": 400, "accepted": len(pushes), "again": again},
    )


@virtual
async def out_of_order(folder: Path) -> Outcome:
    """Statuses of sixty threads come in any order."""
    world, dice = World(), Random(4)
    statuses = [(thread, rank) for thread in range(60) for rank in range(10)]
    dice.shuffle(statuses)
    process = world.process().start()
    for thread, rank in statuses:
        world.publish(
            id=f"e{thread}-{rank}",
            to=f"u{thread}",
            texts=[f"status {rank}"],
            thread=f"o{thread}",
            rank=rank,
            ttl=86_400.0,
        )
        await seconds(2.0)
    await world.settled(20_000)
    await process.stop()
    highest: dict[str, str] = {}
    backwards = 0
    for push in world.provider.pushes:
        backwards += push.message.text < highest.get(push.recipient, "")
        highest[push.recipient] = max(push.message.text, highest.get(push.recipient, ""))
    newest = sum(text == "status 9" for text in highest.values())
    ends = world.ends()
    return Outcome(
        not backwards and newest == 60 and ends.total() == 600,
        f"600 statuses of 60 threads: older after newer {backwards}, the newest told in {newest} of 60; {dict(ends)}",
        {"backwards": backwards, "newest_told": newest, "superseded": ends["superseded"]},
    )


# --- B-2 and B-3 ------------------------------------------------------------------------------------------------------


async def _others(*, hot: bool) -> Spread:
    """Seconds from event to push of three hundred people, among nine times as many messages: all for one person, or
    each for another."""
    world = World(partitions=4)
    process = world.process().start()
    await seconds(2)
    rest = asyncio.create_task(_rest(world, hot=hot))
    published: dict[str, float] = {}
    for number in range(300):
        published[f"u{number}"] = asyncio.get_running_loop().time()
        texts = [f"your order {number} waits", "your order waits"]
        world.publish(id=f"e{number}", to=f"u{number}", texts=texts, ttl=86_400.0)
        await seconds(10.0)
    await seconds(10 * MINUTE)
    rest.cancel()
    await process.kill()
    return Spread.of([p.at - published[p.recipient] for p in world.provider.pushes if p.recipient in published])


async def _rest(world: World, *, hot: bool) -> None:
    number = 0
    while True:
        texts = [f"message {number} of many", "there is news"]
        world.publish(id=f"h{number}", to="hot" if hot else f"h{number}", texts=texts, ttl=86_400.0)
        number += 1
        await seconds(10.0 / 9)


@virtual
async def hot_user(folder: Path) -> Outcome:
    spread, hot = await _others(hot=False), await _others(hot=True)
    return Outcome(
        hot.p99 <= 2 * spread.p99 and hot.count == spread.count == 300,
        f"one user has 90 % of the events: p99 of the {hot.count} others {hot.p99:.0f} s; {spread.p99:.0f} s where "
        f"as many events are for as many users",
        {"p99_seconds": round(hot.p99, 2), "evenly_p99_seconds": round(spread.p99, 2), "told": hot.count},
    )


BACKLOG = (40_000, 8_000, 8_000, 8_000)
LOOKED_AT = 20_000


@virtual
async def hot_partition(folder: Path) -> Outcome:
    """One partition has far more than the others, all have a backlog, and the outbox is full all the time."""
    world = World(partitions=4)
    for partition, count in enumerate(BACKLOG):
        for number in range(count):
            world.broker.publish(SOURCE, _event(f"{partition}-{number}", number // 10), partition=partition)
    process = world.process(bounds=Bounds(commands=1_000), quota=None, capacity=Capacity(1, 100)).start()
    offsets = world.broker.group(GROUP).offsets
    while sum(offsets.values()) < LOOKED_AT:
        await seconds(0.5)
    done = [offsets.get(TopicPartition(SOURCE, each), 0) for each in range(4)]
    await process.kill()
    least = min(done) / (sum(done) / 4)
    return Outcome(
        least >= 0.5,
        f"of {sum(done)} records taken from backlogs of {', '.join(map(str, BACKLOG))} the partitions got "
        f"{', '.join(map(str, done))}: the least {100 * least:.0f} % of a fair share",
        {"least_share_percent": round(100 * least, 1)},
    )


def _event(name: str, text: int) -> bytes:
    return f'{{"id": "e{name}", "to": "u{name}", "texts": ["text {text}"], "ttl": 86400}}'.encode()


# --- P-12 -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _tokens(folder: Path) -> AsyncIterator[Tokens]:
    from consumer.demo.fakes import write_tokens  # noqa: PLC0415

    async with Bitrix24Fake() as fake:
        write_tokens(folder / "tokens.json", fake)
        found = Tokens(fake, folder / "tokens.json")
        yield found
        for guard in found.guards:
            await guard.close()


async def wrong_clocks(folder: Path) -> Outcome:
    """The host's clock jumps by an hour, back and forth: quotas, tokens and deadlines."""
    quota = await _quota_under_jumps(folder)
    async with _tokens(folder) as tokens:
        guard = tokens.guard()
        await refuse(guard)
        await guard.ready()
        before = tokens.fake.oauth.refreshes
        for jump in (HOUR, -HOUR, -HOUR, HOUR, 2 * HOUR, -2 * HOUR):
            tokens.wall += jump
            tokens.now += 60
            for _ in range(20):
                await guard.ready()
                guard.accepted(str(guard.access_token))
        refreshes = tokens.fake.oauth.refreshes - before
        results = len([fact for fact in tokens.facts if isinstance(fact, TokenRefreshed)])
    figures = dict(quota.figures)
    stale, window = int(figures["stale"]), int(figures["fullest_minute"])
    return Outcome(
        quota.passed and refreshes <= 6,
        f"jumps of ±1 h at each of 12 starts: the fullest minute {window}, told after the deadline {stale}, not told "
        f"though in time {figures['missed']}; 6 jumps beside a token: {refreshes} refreshes ({results} in all)",
        {**figures, "refreshes": refreshes},
    )


@virtual
async def _quota_under_jumps(folder: Path) -> Outcome:
    world, stale, wanted = World(), 0, 0
    deadlines: dict[str, float] = {}
    for number in range(12):
        process = _with_wall(world, (-HOUR, HOUR, 0.0)[number % 3])
        for each in range(8):
            person = f"u{number}-{each}"
            ttl = 30.0 if each == 7 else 1800.0
            deadlines[person] = asyncio.get_running_loop().time() + ttl
            world.publish(id=person, to=person, texts=[f"text {person}"], ttl=ttl)
            wanted += each != 7
        await seconds(75)
        await process.kill()
    last = world.process().start()
    await world.settled(20_000)
    await last.stop()
    stale = sum(push.at > deadlines[push.recipient] + 1 for push in world.provider.pushes)
    missed = sum(person not in world.provider.told for person, at in deadlines.items() if not person.endswith("-7"))
    window = world.provider.worst_window(MINUTE)
    return Outcome(
        window <= ALLOWED and not stale and not missed, "",
        {"fullest_minute": window, "stale": stale, "missed": missed, "wanted": wanted},
    )  # fmt: skip


VIRTUAL = "virtual time, without a network"
ROWS = (
    Row(
        "P-12", "the host's clock jumps by an hour, back and forth", "monotonic clocks for limits, broker time for age",
        "a window ≤ 10; refreshes ≤ 1 a jump; stale decisions 0", wrong_clocks, 0.1, selection=True, compressed=VIRTUAL,
        again="as the route says",
    ),
    Row(
        "B-2", "one user has 90 % of the events", "the others' messages go on",
        "p99 of the others ≤ 2 × that of as many events for many users",
        hot_user, 2.5, selection=False, compressed=VIRTUAL, again="no",
        test="tests/engine/test_outage.py::test_urgent_orders_are_in_time_though_half_a_million_low_ones_wait",
    ),
    Row(
        "B-3", "one partition has far more records than the others", "partitions take turns",
        "each partition ≥ 50 % of its fair share", hot_partition, 1.0, selection=False, compressed=VIRTUAL,
        again="no",
    ),
    Row(
        "R-3", "each event five times, over a restart and a takeover", "known again", "accepted once for each event",
        repeated_events, 0.2, selection=True, compressed=VIRTUAL, again="no",
        test="tests/engine/test_lane.py::test_a_repeated_event_joins_the_live_one_and_an_ended_one_settles_at_once",
    ),
    Row(
        "R-4", "statuses of a thread come in any order", "the older one is superseded", "older after newer 0",
        out_of_order, 0.2, selection=True, compressed=VIRTUAL, again="no",
        test="tests/engine/test_lane.py::test_what_arrives_older_than_what_was_sent_is_superseded",
    ),
    Row(
        "Q-1", "steady, burst, jitter, restarts, crash loop, replicas, rebalances, zombies, clocks, a slow journal",
        "the quota holds at the provider in any window",
        "10 of 10 scenes; ≥ 8.8 requests a minute at jitter, ≥ 9.9 without", windows, 2.5, selection=False,
        compressed=VIRTUAL, again="as the route says",
        test="tests/engine/test_gate.py::test_over_a_thousand_seeds_no_window_has_more_than_the_quota",
    ),
    Row(
        "Q-2", "killed and started at once with everything waiting", "the gate goes on from the journal",
        "the first request no earlier than the pace after the last; window ≤ 10", start_bursts, 0.5, selection=True,
        compressed=VIRTUAL, again="as the route says",
        test="tests/core/test_quota.py::test_a_new_owner_counts_what_the_journal_tells",
    ),
    Row(
        "Q-3", "another application behind the same address takes half of the bucket", "the lane backs off",
        "≤ 2 a second; refused < 1 %", shared_bucket, 1.5, selection=False,
        compressed="its seconds pass 60 times as fast, over a real network", again="yes: it did not happen",
        test="tests/engine/test_gate.py::test_limit_answers_slow_a_leaky_bucket_too",
    ),
)  # fmt: skip
