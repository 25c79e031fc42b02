"""Rows on Kafka's faults, against librdkafka's mock: error codes and outages that a real broker gives to no order."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from consumer.app import wiring
from consumer.core.facts import (
    OffsetsCommitted,
    PartitionsAssigned,
    PartitionsRevoked,
    RequestSent,
    StreamRebuilt,
    StreamTroubled,
)
from consumer.core.model import TopicPartition, Trouble
from consumer.demo.report import Findings
from consumer.demo.shop import Pace
from consumer.demo.world import APP_PUSH, DEAD_LETTERS, SOURCES
from consumer.streams.letters import read_headers
from consumer.streams.reading import committed_offsets, read_whole
from tests.chaos.mock import Api, Code
from tests.chaos.row import Outcome, Row
from tests.chaos.stage import Consumer, Stage, eventually, stage

LIVELY = Pace(seconds=600.0, per_second=30.0, burst=10)
OUTAGE_SECONDS = 300.0
GROUP = wiring.group_name(APP_PUSH)


@dataclass(slots=True)
class Watch:
    """The group's committed offsets, looked at twice a second from outside: how often one went backwards."""

    play: Stage
    highest: dict[TopicPartition, int] = field(default_factory=dict)
    rewinds: int = 0
    looks: int = 0

    async def run(self) -> None:
        while True:
            found = await committed_offsets(self.play.settings, GROUP, SOURCES)
            if not isinstance(found, Trouble):
                self.see(found)
            await asyncio.sleep(0.5)

    def see(self, found: Mapping[TopicPartition, int | None]) -> None:
        self.looks += 1
        for partition, offset in found.items():
            known = self.highest.get(partition, 0)
            self.rewinds += (offset or 0) < known
            self.highest[partition] = max(known, offset or 0)


async def _going(play: Stage, records: int = 100) -> Consumer:
    """A consumer that has told somebody something."""
    consumer = play.consumer()
    play.open(LIVELY)
    await play.sell(records)
    await eventually(play.idle, 60)
    return consumer


async def _until_said(consumer: Consumer, kind: type, since: float, within_seconds: float) -> float | None:
    """Seconds from `since` to the first fact of this kind; None when it did not come."""

    async def said() -> bool:
        return consumer.first(kind, since) is not None

    await eventually(said, within_seconds)
    return consumer.first(kind, since)


def _balance(findings: Findings) -> str:
    report = findings.report
    return f"{report.published} records: lost {report.lost}, duplicates {report.duplicates}"


def _good(findings: Findings) -> bool:
    return not findings.faults and not findings.report.waiting


# --- K-5 --------------------------------------------------------------------------------------------------------------


async def brokers_down(folder: Path) -> Outcome:
    """Every broker is gone for five minutes, with records on their way."""
    async with stage(folder, brokers=3) as play:
        consumer = await _going(play)
        await play.sell(60)
        play.cluster.down()
        cpu, lines, began = time.process_time(), play.lines(), time.monotonic()
        named = await _until_said(consumer, StreamTroubled, began, 60)
        live = await consumer.status("/livez") == 200
        await asyncio.sleep(OUTAGE_SECONDS - (time.monotonic() - began))
        seconds = time.monotonic() - began
        percent = 100 * (time.process_time() - cpu) / seconds
        per_minute = (play.lines() - lines) / seconds * 60
        alive = consumer.task is not None and not consumer.task.done()
        back = time.monotonic()
        play.cluster.up()
        await play.sell(40)
        recovered = await _until_said(consumer, RequestSent, back, 60)
        await play.drained()
        found = await play.findings()
    figures = {
        "outage_seconds": round(seconds), "cpu_percent": round(percent, 1),
        "log_lines_per_minute": round(per_minute, 1),
        "named_seconds": round(named if named is not None else -1, 1),
        "recovery_seconds": round(recovered if recovered is not None else -1, 1),
        "lost": found.report.lost, "duplicates": found.report.duplicates, "exited": int(not alive),
    }  # fmt: skip
    well = alive and live and named is not None and recovered is not None and recovered <= 15
    return Outcome(
        well and percent < 20 and per_minute < 60 and _good(found),
        f"down {seconds:.0f} s: no exit, trouble named after {figures['named_seconds']} s, CPU {percent:.1f} %, "
        f"{per_minute:.0f} log lines a minute, working {figures['recovery_seconds']} s after it; {_balance(found)}",
        figures,
    )


# --- K-6 and K-7 ------------------------------------------------------------------------------------------------------


async def coordinator_moves(folder: Path) -> Outcome:
    """The group's coordinator moves and answers wrongly, twenty times each, while the shop goes on."""
    async with stage(folder, brokers=3) as play:
        consumer = await _going(play)
        faults: dict[str, Callable[[], None]] = {
            "moved to broker 2": lambda: play.cluster.coordinate(GROUP, 2),
            "moved to broker 3": lambda: play.cluster.coordinate(GROUP, 3),
            "NotCoordinator x20": lambda: play.cluster.fail(Api.OFFSET_COMMIT, [Code.NOT_COORDINATOR] * 20),
            "loading x20": lambda: play.cluster.fail(Api.OFFSET_COMMIT, [Code.COORDINATOR_LOADING] * 20),
            "not found x5": lambda: play.cluster.fail(Api.FIND_COORDINATOR, [Code.COORDINATOR_NOT_AVAILABLE] * 5),
        }
        recovered = {}
        for name, fault in faults.items():
            fault()
            at = time.monotonic()
            await play.sell(40)
            recovered[name] = await _until_said(consumer, OffsetsCommitted, at, 60)
            play.cluster.heal(Api.OFFSET_COMMIT, Api.FIND_COORDINATOR)
        await play.drained()
        found = await play.findings()
    worst = max((seconds if seconds is not None else 99.0) for seconds in recovered.values())
    return Outcome(
        worst <= 10 and _good(found),
        f"{len(faults)} faults: committed again after at most {worst:.1f} s; {_balance(found)}",
        {"worst_recovery_seconds": round(worst, 1), "duplicates": found.report.duplicates, "lost": found.report.lost},
    )


async def fenced_epochs(folder: Path) -> Outcome:
    """IllegalGeneration, UnknownMember and RebalanceInProgress on commits and on heartbeats."""
    codes = (Code.ILLEGAL_GENERATION, Code.UNKNOWN_MEMBER, Code.REBALANCE_IN_PROGRESS)
    async with stage(folder) as play:
        consumer = await _going(play)
        watch = Watch(play)
        watching = asyncio.create_task(watch.run())
        rejoined = []
        for api in (Api.OFFSET_COMMIT, Api.HEARTBEAT):
            for code in codes:
                at = time.monotonic()
                play.cluster.fail(api, [code] * 2)
                await play.sell(30)
                rejoined.append(await _until_said(consumer, OffsetsCommitted, at + 2, 30))
                play.cluster.heal(api)
        await play.drained()
        await asyncio.sleep(1)
        watching.cancel()
        found = await play.findings()
        joins = len(consumer.said(PartitionsAssigned))
    lost_epochs = sum(seconds is None for seconds in rejoined)
    return Outcome(
        not watch.rewinds and not lost_epochs and watch.looks > 10 and _good(found),
        f"{len(rejoined)} faults, {joins} assignments, {watch.looks} looks at the group's offsets: "
        f"rewinds {watch.rewinds}, commits went on after each; {_balance(found)}",
        {"rewinds": watch.rewinds, "looks": watch.looks, "assignments": joins, "duplicates": found.report.duplicates},
    )


# --- K-8 --------------------------------------------------------------------------------------------------------------


async def odd_heartbeats(folder: Path) -> Outcome:
    """Answers to heartbeats that the client library has no plan for, ten of each."""
    async with stage(folder) as play:
        consumer = await _going(play)
        recovered, rates = [], []
        for code in (Code.FENCED_INSTANCE, Code.GROUP_AUTHORIZATION_FAILED, Code.UNKNOWN):
            play.cluster.fail(Api.HEARTBEAT, [code] * 10)
            errors = [play.errors()]
            for _ in range(8):
                await asyncio.sleep(1)
                errors.append(play.errors())
            rates.append(max(after - before for before, after in pairwise(errors)))
            play.cluster.heal(Api.HEARTBEAT)
            healed = time.monotonic()
            await play.sell(30)
            seconds = await _until_said(consumer, OffsetsCommitted, healed, 60)
            recovered.append(99.0 if seconds is None else seconds)
        await play.drained()
        found = await play.findings()
        rebuilds = len(consumer.said(StreamRebuilt))
    worst, rate = max(recovered), max(rates)
    return Outcome(
        worst <= 15 and rate <= 5 * len(play.world.fakes) and _good(found),
        f"3 codes of 10 each: {rebuilds} clients made anew, at most {rate} warnings and errors a second of both lanes, "
        f"committing {worst:.1f} s after the last; {_balance(found)}",
        {"rebuilds": rebuilds, "errors_per_second": rate, "worst_recovery_seconds": round(worst, 1)},
    )


# --- K-9 --------------------------------------------------------------------------------------------------------------


async def slow_brokers(folder: Path) -> Outcome:
    """Every answer takes five seconds for a minute, then fifteen for a minute, with the sessions of production."""
    timing = {"session_ms": 30_000, "heartbeat_ms": 3_000, "rebalance_ms": 25_000}
    async with stage(folder, brokers=1, **timing) as play:
        consumer = await _going(play)
        began, answers = time.monotonic(), []
        await play.sell(60)
        for milliseconds in (5_000, 15_000):
            play.cluster.slow(milliseconds)
            for _ in range(20):
                asked = time.monotonic()
                await consumer.status("/livez")
                answers.append(time.monotonic() - asked)
                await asyncio.sleep(3)
        play.cluster.slow(0)
        at = time.monotonic()
        await play.sell(30)
        recovered = await _until_said(consumer, OffsetsCommitted, at, 60)
        revoked = len(consumer.said(PartitionsRevoked, began))
        troubles = sorted({f"{fact.stream} {fact.reason}" for fact in consumer.said(StreamTroubled, began)})
        await play.drained()
        found = await play.findings()
    slowest = max(answers)
    return Outcome(
        not revoked and slowest <= 0.5 and recovered is not None and recovered <= 15 and _good(found),
        f"two minutes: evicted {revoked} times, the admin port answered within {slowest * 1000:.0f} ms, "
        f"said {', '.join(troubles) or 'nothing'}, committing {recovered or -1:.1f} s after it; {_balance(found)}",
        {"evictions": revoked, "slowest_page_ms": round(slowest * 1000), "recovery_seconds": round(recovered or -1, 1)},
    )


# --- K-14 and K-16 ----------------------------------------------------------------------------------------------------


async def topics_refused(folder: Path) -> Outcome:
    """A source topic may not be read any more, then is gone, then is back."""
    async with stage(folder) as play:
        consumer = await _going(play)
        rates, began = [], time.monotonic()
        for code in (Code.TOPIC_AUTHORIZATION_FAILED, Code.UNKNOWN_TOPIC):
            play.cluster.refuse(SOURCES[0], code)
            await asyncio.sleep(12)  # the topics are looked at every ten seconds
            play.cluster.count()
            await asyncio.sleep(10)
            asked = play.cluster.requests()
            rates.append((asked[Api.METADATA] + asked[Api.JOIN_GROUP]) / 10)
            play.cluster.refuse(SOURCES[0], Code.NONE)
            await asyncio.sleep(1)
        said = {fact.reason for fact in consumer.said(StreamTroubled, began)}
        at = time.monotonic()
        await play.sell(40)
        recovered = await _until_said(consumer, OffsetsCommitted, at, 60)
        await play.drained()
        found = await play.findings()
    rate = max(rates) / len(play.world.fakes)
    return Outcome(
        {"not_authorised", "topic_missing"} <= said and rate <= 1 and recovered is not None and _good(found),
        f"named {', '.join(sorted(said))}; {rate:.1f} requests for metadata or joins a second and lane; committing "
        f"{recovered or -1:.1f} s after it; {_balance(found)}",
        {"named": len(said), "requests_per_second": round(rate, 2), "recovery_seconds": round(recovered or -1, 1)},
    )


async def letters_refused(folder: Path) -> Outcome:
    """Writes of dead letters are refused for a while, in three ways, while poisoned records come in."""
    pace = Pace(seconds=600.0, per_second=30.0, burst=10, poison_every_seconds=0.5)
    # How often a write is refused: the client itself tries some of them again, fast.
    refusals = {Code.UNKNOWN_TOPIC: 40, Code.TOPIC_AUTHORIZATION_FAILED: 4, Code.NOT_ENOUGH_REPLICAS: 40}
    async with stage(folder) as play:
        play.consumer()
        play.open(pace)
        lost, unburied, told = 0, 0, 0
        for code, times in refusals.items():
            await eventually(play.idle, 60)
            play.cluster.refuse_writes(DEAD_LETTERS, code, times)
            await play.sell(120)
            at_its_worst = 0
            for _ in range(30):
                found = await play.findings()
                lost = max(lost, await _committed_without_letter(play))
                missing = found.report.poisoned * len(play.world.fakes) - found.report.dead_letters
                at_its_worst = max(at_its_worst, missing)
                if not found.report.waiting or not missing:
                    told += not found.report.waiting and missing > 0
                    break
                await asyncio.sleep(0.5)
            unburied = max(unburied, at_its_worst)
            await eventually(lambda: _all_buried(play), 90)
        await play.drained()
        found = await play.findings()
    return Outcome(
        not lost and unburied > 0 and _good(found),
        f"{len(refusals)} refusals: at most {unburied} letters could not be written, committed past one of them "
        f"{lost} times, everybody else told while it lasted in {told} of {len(refusals)}; afterwards "
        f"{found.report.dead_letters} letters; {_balance(found)}",
        {"committed_past_poison": lost, "unburied": unburied, "letters": found.report.dead_letters, "told": told},
    )


async def _committed_without_letter(play: Stage) -> int:
    """How many poisoned records a lane has committed past although their letters are not there. The offsets are
    read first, so that a letter that comes in between is not missed."""
    marks = {
        lane: await committed_offsets(play.settings, wiring.group_name(lane), SOURCES) for lane in play.world.fakes
    }
    records = await read_whole(play.settings, [DEAD_LETTERS])
    if isinstance(records, Trouble):
        raise OSError(f"the dead letters could not be read: {records.reason}")
    heads = [head for record in records if (head := read_headers(record)) is not None]
    buried = {(head.lane, head.topic, head.partition, head.offset) for head in heads}
    poisons = [sent.position for sent in play.account.sent if sent.poison]
    count = 0
    for lane, found in marks.items():
        offsets = {} if isinstance(found, Trouble) else found
        past = [each for each in poisons if (offsets.get(each.topic_partition) or 0) > each.offset]
        count += sum((lane, *each) not in buried for each in past)
    return count


async def _all_buried(play: Stage) -> bool:
    return not any("poisoned" in fault for fault in (await play.findings()).faults)


ROWS = (
    Row(
        "K-5", "all brokers down for five minutes, with records on their way",
        "the process stays, names the trouble, and goes on by itself",
        "loss 0; CPU < 20 %; log lines < 60 a minute; working within 15 s",
        brokers_down, 7.0, selection=False, again="no",
        test="tests/kafka/test_streams.py::test_a_source_reads_on_after_its_broker_came_back",
    ),
    Row(
        "K-6", "the coordinator moves, is loading, or is another, twenty times", "retried",
        "committing within 10 s; duplicates 0", coordinator_moves, 1.0, selection=True, again="no",
    ),
    Row(
        "K-7", "IllegalGeneration, UnknownMember, RebalanceInProgress on commit and heartbeat",
        "the commit is dropped with its epoch, the member joins again", "rewinds 0",
        fenced_epochs, 2.5, selection=False, again="no",
    ),
    Row(
        "K-8", "errors 82, 30 and -1 as answers to heartbeats", "the client is made anew",
        "at most 5 errors a second and lane; committing within 15 s",
        odd_heartbeats, 1.5, selection=True, again="no",
    ),
    Row(
        "K-9", "answers take 5 s, then 15 s", "the lane lives on",
        "evictions 0; the admin port answers within 0.5 s; committing within 15 s", slow_brokers, 4.5, selection=False,
        again="no",
    ),
    Row(
        "K-14", "a source topic's rights are revoked, then it is gone, then it is back",
        "named, asked rarely, goes on by itself", "at most 1 request a second and lane",
        topics_refused, 1.5, selection=False, again="no",
        test="tests/kafka/test_processes.py::test_missing_topics_are_a_named_state_and_heal_by_themselves",
    ),
    Row(
        "K-16", "writes to the dead-letter topic are refused: no such topic, no rights, too few replicas",
        "the offset stays, everybody else is told", "committed past a letter that is not there 0; nothing lost",
        letters_refused, 2.5, selection=True, again="no",
        test="tests/engine/test_lane.py::test_while_dead_letters_cannot_be_written_the_offset_stays",
    ),
)  # fmt: skip
