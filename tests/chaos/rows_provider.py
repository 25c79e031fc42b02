"""Rows on providers, over real lanes and sinks: what a provider does wrong, and what people see of it."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from consumer.core.facts import BreakerMoved, RequestSent
from consumer.demo.fakes import Bitrix24Fake, Bitrix24Profile, FakeProvider, ImshopFake
from tests.chaos.lanes import Quay, Run, Spread, app_push, fast, gateway, now, told
from tests.chaos.row import Outcome, Row
from tests.engine.harness import ends_of, journal_of
from tests.sinks.lanes import Shore, staff
from tests.virtual_network import seconds

EXECUTED_AND_LOST = ("reset_after", "hang_after", "cut_body")


async def _publish(
    quay: Shore, count: int, *, start: int = 0, texts: int = 10, gap_seconds: float = 0.0, **more: object
) -> None:
    """One event for each of so many people, in so many texts."""
    for number in range(start, start + count):
        quay.publish(id=f"e{number}", to=f"{number + 1}", texts=[f"news {number % texts}"], **more)
        if gap_seconds:
            await seconds(gap_seconds)


# --- P-1 --------------------------------------------------------------------------------------------------------------


async def _lost_answers(unsure: str) -> tuple[int, int, int, int, int]:
    """Three faults that follow an acceptance, each four times: people told, told again, most often, ambiguous, lost."""
    async with app_push(timeout="10s") as (fake, quay):
        await _publish(quay, 600, texts=120, unsure=unsure, within=30.0)
        for kind in ("reset_after", "hang_after", "cut_body"):
            fake.fail(kind, 4)
        quay.start()
        await quay.settled(20_000)
        counts = told(fake)
        ambiguous = sum(len(each.recipients) for each in fake.requests if each.fault in EXECUTED_AND_LOST)
        again = sum(count - 1 for count in counts.values())
        return len(counts), again, max(counts.values()), ambiguous, 600 - quay.ends.total()


@fast(60)
async def lost_answers(folder: Path) -> Outcome:
    people, again, most, ambiguous, lost = await _lost_answers("repeat")
    stop_people, stop_again, _, stop_ambiguous, stop_lost = await _lost_answers("stop")
    return Outcome(
        again <= ambiguous and most <= 2 and not stop_again and not lost + stop_lost and ambiguous > 0,
        f"repeat: {people} people told, {again} of {ambiguous} ambiguous twice, nobody three times; "
        f"stop: {stop_people} told, {stop_again} of {stop_ambiguous} twice; without an outcome {lost + stop_lost}",
        {"repeat_duplicates": again, "repeat_ambiguous": ambiguous, "stop_duplicates": stop_again,
         "stop_ambiguous": stop_ambiguous, "lost": lost + stop_lost},
    )  # fmt: skip


# --- P-4 --------------------------------------------------------------------------------------------------------------


@fast(60)
async def server_errors(folder: Path) -> Outcome:
    """Ten minutes of 503, then ten of 503 to every second request."""
    async with app_push() as (fake, quay):
        process = quay.start()
        await _publish(quay, 60, gap_seconds=1.0)
        fake.fail("status", status=503)
        began, sent = now(), len(fake.requests)
        await _publish(quay, 600, start=60, gap_seconds=1.0)
        opened = [number for number, fact in enumerate(process.facts) if isinstance(fact, BreakerMoved) and fact.open]
        before = len(fake.requests) - sent
        failures = _failures_before(quay, opened[0]) if opened else 99
        times = [each.at for each in fake.requests[sent:] if each.at > began + 65]
        per_30 = max((sum(start <= at < start + 30 for at in times) for start in times), default=0)
        letters = quay.letters
        fake.heal()
        flaky = asyncio.create_task(_every_second_fails(fake))
        await _publish(quay, 600, start=660, gap_seconds=1.0)
        flaky.cancel()
        fake.heal()
        await quay.settled(20_000)
        ends, late_letters = quay.ends, quay.letters
    return Outcome(
        bool(opened) and failures <= 10 and per_30 <= 1 and not letters and not late_letters and ends.total() == 1260,
        f"open after {failures} failures, {before} requests in ten minutes, in the end at most {per_30} in 30 s; "
        f"dead letters {letters + late_letters}; half of the answers 503: {dict(sorted(ends.items()))}",
        {"failures_until_open": failures, "requests_while_down": before, "most_in_30_s": per_30,
         "dead_letters": letters + late_letters, "without_outcome": 1260 - ends.total()},
    )  # fmt: skip


def _failures_before(quay: Quay, index: int) -> int:
    facts = quay.processes[0].facts[:index]
    sent = [fact.verdict for fact in facts if isinstance(fact, RequestSent)]
    # The breaker moves before the request that moved it is told.
    return sum(verdict != "delivered" for verdict in sent) + 1


async def _every_second_fails(fake: FakeProvider) -> None:
    while True:
        fake.fail("status", 1, status=503)
        count = len(fake.requests)
        await fake.arrived(count + 2)


# --- P-5 --------------------------------------------------------------------------------------------------------------


@fast(60)
async def retry_after(folder: Path) -> Outcome:
    """A 429 with each form of Retry-After: how long the next request was kept back."""
    wall = datetime.now(UTC)
    asked = {
        "7": 7.0, "a date in 90 s": 90.0, "0": 0.0, "-5": 0.0, "1000000000": 900.0, "abc": 0.0, "none": 0.0,
    }  # fmt: skip
    gaps: dict[str, float] = {}
    async with app_push() as (fake, quay):
        quay.start()
        for number, form in enumerate(asked):
            headers = {} if form == "none" else {"Retry-After": form}
            if form.startswith("a date"):
                headers = {
                    "Retry-After": format_datetime(wall + timedelta(seconds=90), usegmt=True),
                    "Date": format_datetime(wall, usegmt=True),
                }
            fake.fail("status", 1, status=429, headers=headers)
            await _publish(quay, 1, start=number)
            await quay.settled(5_000)
            limited = next(index for index in reversed(range(len(fake.requests))) if fake.requests[index].status == 429)
            gaps[form] = fake.requests[limited + 1].at - fake.requests[limited].at
        crashes = sum(process.task is not None and process.task.done() for process in quay.processes)
    early = {form: gap for form, gap in gaps.items() if gap < asked[form] - 0.2}
    late = {form: gap for form, gap in gaps.items() if gap > 960}
    said = ", ".join(f"{form}: {gap:.0f} s" for form, gap in gaps.items())
    return Outcome(
        not early and not late and not crashes,
        f"next request after {said}; earlier than asked {len(early)}, crashes {crashes}",
        {
            **{form.replace(" ", "_"): round(gap, 1) for form, gap in gaps.items()},
            "early": len(early),
            "crashes": crashes,
        },
    )


# --- P-10 -------------------------------------------------------------------------------------------------------------


@fast(30)
async def partial_acceptance(folder: Path) -> Outcome:
    """A gateway that does not know everybody, and a portal that runs a part of each batch and refuses a text."""
    strangers = tuple(str(number) for number in range(1, 1001, 20))
    async with gateway(*strangers) as (hook, quay):
        await _publish(quay, 1000, texts=3)
        quay.start()
        await quay.settled()
        first, first_told = quay.ends, told(hook)
    profile = Bitrix24Profile(batch_executes=20, bad_texts=("Заказ. news 7",))
    async with Bitrix24Fake(profile, clock=now) as portal, staff(folder, portal) as shore:
        await _publish(shore, 300, texts=100)
        shore.start()
        await shore.settled()
        second = ends_of(journal_of(shore.broker))
        second_told = told(portal)
    accounted = first.total() + second.total()
    again = sum(count - 1 for counts in (first_told, second_told) for count in counts.values())
    right = first == {"delivered": 950, "refused": 50} and second == {"delivered": 297, "refused": 3}
    return Outcome(
        right and accounted == 1300 and not again,
        f"1,300 recipients: unaccounted {1300 - accounted}, told twice {again}; "
        f"gateway {dict(first)}, portal {dict(second)}",
        {"unaccounted": 1300 - accounted, "duplicates": again, "refused": first["refused"] + second["refused"]},
    )


# --- P-11 and the second half of P-3 ----------------------------------------------------------------------------------


@asynccontextmanager
async def _healthy() -> AsyncIterator[tuple[ImshopFake, Quay]]:
    async with app_push() as (fake, quay):
        quay.start()
        yield fake, quay


async def _spread(fake: ImshopFake, quay: Quay, start: int, minutes: float) -> Spread:
    """Seconds from event to delivery, of two orders every fifteen seconds, each with a text of its own: the second one
    waits for the quota."""
    published: dict[str, float] = {}
    for number in range(start, start + int(minutes * 8)):
        quay.publish(id=f"e{number}", to=f"p{number}", texts=[f"order {number}"])
        published[f"p{number}"] = now()
        await seconds(15 * (number % 2))
    await quay.settled()
    return Spread.of([each.at - published[each.recipient] for each in fake.deliveries if each.recipient in published])


def _beside(kind: str, minutes: float) -> Run:
    """One provider fails in this way beside a healthy one: what the healthy one's people notice."""

    @fast(2)
    async def run(folder: Path) -> Outcome:
        async with _healthy() as (fake, quay), gateway(timeout="10s") as (sick, other):
            other.start()
            baseline = await _spread(fake, quay, 0, minutes / 2)
            sick.fail(kind)  # type: ignore[arg-type]
            feeding = asyncio.create_task(_publish(other, 1_000_000, gap_seconds=0.5))
            rss, requests = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(fake.requests)
            began = now()
            beside = await _spread(fake, quay, 100_000, minutes)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss) / 1024
            rate = (len(fake.requests) - requests) / (now() - began)
            feeding.cancel()
            waiting = other.processes[0].lane.view().waiting
            sick.heal()
            await other.settled(20_000)
            lost = len(other.broker.records("shop.orders")) - other.ends.total()
        share = beside.p99 / baseline.p99 if baseline.p99 else 99.0
        return Outcome(
            share <= 1.1 and beside.count > 0 and not lost and grown <= 64,
            f"{minutes:.0f} minutes: p99 of the healthy lane {beside.p99:.2f} s against {baseline.p99:.2f} s before "
            f"({100 * share:.0f} %), {rate * 60:.1f} requests a minute; the sick lane kept {waiting} waiting and lost "
            f"{lost}; memory +{grown:.0f} MiB",
            {"p99_seconds": round(beside.p99, 3), "baseline_p99_seconds": round(baseline.p99, 3), "lost": lost,
             "rss_growth_mib": round(grown, 1)},
        )  # fmt: skip

    return run


# --- P-14 -------------------------------------------------------------------------------------------------------------


@fast(60)
async def slow_answers(folder: Path) -> Outcome:
    """Every answer takes eight seconds while each of fifty people gets a newer status every two."""
    async with app_push() as (fake, quay):
        quay.start()
        fake.fail("slow", seconds=8.0)
        for rank in range(40):
            for person in range(50):
                if (person + rank) % 5 == 0:
                    quay.publish(
                        id=f"e{person}-{rank}", to=f"p{person}", texts=[f"{rank:03d}"], thread=f"o{person}", rank=rank
                    )
            await seconds(2)
        fake.heal()
        await quay.settled(5_000)
        ends = quay.ends
        last: dict[str, str] = {}
        violations = 0
        for delivery in fake.deliveries:
            violations += delivery.message.text < last.get(delivery.recipient, "")
            last[delivery.recipient] = delivery.message.text
        newest = {f"p{person}": max(rank for rank in range(40) if (person + rank) % 5 == 0) for person in range(50)}
        current = sum(last[person] == f"{rank:03d}" for person, rank in newest.items())
    return Outcome(
        not violations and current == 50 and ends.total() == 400,
        f"400 statuses of 50 threads under answers of 8 s: order violations {violations}, the newest is the last that "
        f"{current} of 50 saw; {dict(ends)}",
        {"violations": violations, "newest_last": current, "superseded": ends["superseded"]},
    )


PACE = "its seconds pass {} times as fast, over a real network"
ROWS = (
    Row(
        "P-1", "accepted, and the answer is reset, cut or never comes",
        "on_unsure: repeat sends once more, stop never", "duplicates of repeat ≤ ambiguous; of stop 0",
        lost_answers, 1.0, selection=True, compressed=PACE.format(60), again="as the route says",
        test="tests/engine/test_lane.py::test_an_unsure_answer_is_repeated_once_or_stopped_as_the_route_wants",
    ),
    Row(
        "P-4", "503 for ten minutes, then to every second request", "the breaker opens; probes",
        "open after at most 10 failures; after a minute at most 1 request in 30 s; dead letters 0",
        server_errors, 0.5, selection=True, compressed=PACE.format(60), again="as the route says",
        test="tests/engine/test_outage.py::test_an_hour_without_the_provider_costs_only_probes_and_loses_nothing",
    ),
    Row(
        "P-5", "429 with Retry-After 7, a date, 0, -5, 1e9, abc, none", "honoured up to 15 minutes",
        "the next request no earlier than asked; crashes 0",
        retry_after, 0.4, selection=True, compressed=PACE.format(60), again="yes: it did not happen",
        test="tests/sinks/test_answer.py::test_retry_after_is_honoured_up_to_a_quarter_of_an_hour",
    ),
    Row(
        "P-10", "a part of a request is accepted", "an outcome for each recipient", "recipients unaccounted 0",
        partial_acceptance, 0.1, selection=True, compressed=PACE.format(30), again="what did not happen",
        test="tests/sinks/test_bitrix24_lane.py::test_what_a_batch_did_not_come_to_is_sent_again_and_nothing_else",
    ),
    Row(
        "P-11", "one provider hangs for ten minutes, another is well", "lanes do not touch each other",
        "p99 of the healthy lane within 10 % of before; memory flat",
        _beside("hang", 10.0), 8.0, selection=False, compressed=PACE.format(2), again="as the route says",
        test="tests/kafka/test_processes.py::test_a_blocked_imshop_says_why_and_does_not_touch_bitrix24",
    ),
    Row(
        "P-14", "answers are slower than the next event of the same thread", "the order of the thread holds",
        "order violations 0", slow_answers, 0.1, selection=True, compressed=PACE.format(60), again="no",
        test="tests/engine/test_lane.py::test_a_newer_message_waits_while_an_older_one_of_its_thread_is_in_flight",
    ),
)  # fmt: skip
