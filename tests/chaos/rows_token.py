"""Rows on the token of a Bitrix24 account, against the fake portal and its token endpoint."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from consumer.core.facts import LaneBlocked, TokenRefreshed
from consumer.core.model import Blocked, Deferred, Delivered
from consumer.demo.fakes import Bitrix24Fake, Bitrix24Profile, write_tokens
from consumer.sinks.base import make_sink
from tests.chaos.lanes import fast, now, told
from tests.chaos.row import Outcome, Row
from tests.engine.harness import LETTERS, ends_of, journal_of
from tests.sinks.lanes import Shore, portal_config, staff
from tests.sinks.support import batch, secret
from tests.sinks.test_oauth import World, kept, refuse
from tests.virtual_network import seconds

PARALLEL = 50
REVOKED = ("PAYMENT_REQUIRED", "ACCESS_ERROR", "WRONG_AUTH_TYPE", "EMPTY_APP_NAME", "INVALID_CREDENTIALS")


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """A portal, a token file, and clocks that stand until they are moved."""
    async with Bitrix24Fake() as fake:
        path = folder / "tokens.json"
        write_tokens(path, fake)
        found = World(fake, path)
        try:
            yield found
        finally:
            for guard in found.guards:
                await guard.close()


async def expires_under_load(folder: Path) -> Outcome:
    """The access token ends under fifty parallel calls; each is made again once there is a new one."""
    async with Bitrix24Fake(Bitrix24Profile(depth=1000.0)) as fake:
        tokens = folder / "tokens.json"
        write_tokens(tokens, fake)
        sink = make_sink(portal_config(fake, tokens), secret("client-secret"), lambda fact: None, "staff", in_flight=50)
        await sink.ready()
        fake.oauth.expire()
        delivered, calls = 0, PARALLEL
        for _ in range(4):
            await sink.ready()
            verdicts = await asyncio.gather(*(sink.send(batch(str(number))) for number in range(1, calls + 1)))
            delivered += sum(isinstance(verdict, Delivered) for (verdict,) in verdicts)
            calls = PARALLEL - delivered
            if not calls:
                break
        refreshes = fake.oauth.refreshes
        await sink.close()
    return Outcome(
        refreshes == 1 and delivered == PARALLEL,
        f"{PARALLEL} parallel calls with an ended token: refreshes {refreshes}, failed {PARALLEL - delivered}",
        {"refreshes": refreshes, "failed": PARALLEL - delivered, "calls": PARALLEL},
    )


@fast(30)
async def answer_lost(folder: Path) -> Outcome:
    """The answer of a refresh is lost after the portal has rotated its tokens; a person authorises anew later."""
    async with Bitrix24Fake(clock=now) as fake, staff(folder, fake) as shore:
        process = shore.start()
        for number in range(1, 11):
            shore.publish(id=f"e{number}", to=str(number), texts=["first"])
        await shore.settled()
        fake.oauth.expire()
        fake.fail("reset_after", 1, path="/oauth")
        began = now()
        for number in range(11, 31):
            shore.publish(id=f"e{number}", to=str(number), texts=["second"])
        blocked_after = await _blocked(shore, began)
        await seconds(1200)
        attempts = fake.oauth.refreshes
        results = [fact.result for fact in process.facts if isinstance(fact, TokenRefreshed)]
        write_tokens(folder / "tokens.json", fake)
        await shore.settled(5000)
        lost = 30 - len(told(fake))
        letters = len(shore.broker.records(LETTERS))
    return Outcome(
        attempts <= 3 and blocked_after <= 30 and not lost and not letters,
        f"refresh attempts {attempts} in 20 minutes ({', '.join(results)}), blocked after {blocked_after:.0f} s; "
        f"authorised anew: lost {lost}, dead letters {letters}",
        {"attempts": attempts, "alert_seconds": round(blocked_after, 1), "lost": lost, "dead_letters": letters},
    )


async def _blocked(shore: Shore, since: float, within_seconds: float = 600.0) -> float:
    """Seconds until the lane says that it is blocked."""
    while now() - since < within_seconds:
        if any(isinstance(fact, LaneBlocked) for fact in shore.processes[-1].facts):
            return now() - since
        await seconds(0.5)
    return within_seconds


async def two_replicas(folder: Path) -> Outcome:
    """Two processes with one token file find its token refused in the same instant, fifty callers in each."""
    async with world(folder) as found:
        guards = [found.guard(), found.guard()]
        for guard in guards:
            await refuse(guard)
        found.fake.fail("slow", path="/oauth", seconds=0.05)
        rounds, asked = 0, [object()]
        while rounds < 200 and asked != [None] * len(asked):
            rounds += 1
            asked = await asyncio.gather(*(guard.ready() for guard in guards for _ in range(PARALLEL)))
        refreshes = found.fake.oauth.refreshes
        working = sum(guard.access_token == kept(found) for guard in guards)
        alive = json.loads(found.path.read_text("utf-8"))["refresh_token"] == found.fake.oauth.refresh_token
    return Outcome(
        refreshes <= 2 and working == 2 and alive,
        f"2 processes of {PARALLEL} callers: refreshes {refreshes}, working {working} of 2 after {rounds} rounds, "
        f"families revoked {int(not alive)}",
        {"refreshes": refreshes, "working": working, "revoked": int(not alive)},
    )


async def endpoint_hangs(folder: Path) -> Outcome:
    """The token endpoint hangs for five minutes and says 503 for five, with twenty callers each second."""
    hung = 0
    async with world(folder) as found:
        guard = found.guard(total_seconds=0.2)
        await refuse(guard)
        for kind in ("hang", "status"):
            found.fake.faults.clear()
            found.fake.fail(kind, path="/oauth")
            for _ in range(300):
                callers = [asyncio.ensure_future(guard.ready()) for _ in range(20)]
                done, waiting = await asyncio.wait(callers, timeout=5.0)
                hung += len(waiting) + sum(not isinstance(each.result(), Blocked | Deferred) for each in done)
                found.now += 1
        asked = len(found.fake.requests)
        found.fake.heal()
        found.now += 900
        healed = await guard.ready() is None
        left = [task for task in asyncio.all_tasks() if "refresh" in task.get_name() and not task.done()]
    return Outcome(
        not hung and asked <= 600 / 30 and healed and not left,
        f"12,000 callers in 600 s: hung {hung}, the endpoint was asked {asked} times, "
        f"tasks left {len(left)}; healed afterwards",
        {"hung": hung, "endpoint_calls": asked, "seconds": 600, "healed": int(healed)},
    )


@fast(60)
async def revoked(folder: Path) -> Outcome:
    """The portal refuses the application for good, in five ways; each heals after half an hour."""
    letters, lost, worst_refreshes, blocked = 0, 0, 0, 0
    for code in REVOKED:
        place = folder / code
        place.mkdir()
        async with Bitrix24Fake(clock=now) as fake, staff(place, fake) as shore:
            process = shore.start()
            fake.fail("error", path="/rest", code=code, status=403)
            for number in range(1, 21):
                shore.publish(id=f"e{number}", to=str(number), texts=["news"])
            await seconds(1800)
            letters += len(shore.broker.records(LETTERS))
            worst_refreshes = max(worst_refreshes, fake.oauth.refreshes)
            blocked += any(isinstance(fact, LaneBlocked) for fact in process.facts)
            fake.heal()
            await shore.settled(5000)
            lost += 20 - ends_of(journal_of(shore.broker))["delivered"]
    return Outcome(
        not letters and not lost and worst_refreshes <= 1 and blocked == len(REVOKED),
        f"{blocked} of {len(REVOKED)} codes block it: dead letters {letters}, refreshes {worst_refreshes} at most, "
        f"after healing not delivered {lost}",
        {"blocked": blocked, "dead_letters": letters, "refreshes": worst_refreshes, "lost": lost},
    )


async def bad_store(folder: Path) -> Outcome:
    """Token files that are broken, readable by others, or cannot be written: nothing is rotated."""
    rotations, refused, kinds = 0, 0, ("", "{", "[]", '{"access_token": "a"}', "readable by all", "not writable")
    for number, kind in enumerate(kinds):
        place = folder / str(number)
        place.mkdir()
        async with world(place) as found:
            guard = found.guard()
            if kind == "not writable":
                await refuse(guard)
                found.path.with_name("tokens.json.new").mkdir()
            elif kind == "readable by all":
                found.path.chmod(0o644)
            else:
                found.path.write_text(kind, "utf-8")
            answer = await guard.ready()
            refused += isinstance(answer, Blocked) and answer.reason == "token_store"
            rotations += found.fake.oauth.refreshes
    return Outcome(
        not rotations and refused == len(kinds),
        f"{len(kinds)} stores: refused {refused} with the reason token_store, rotations without a store {rotations}",
        {"refused": refused, "of": len(kinds), "rotations": rotations},
    )


CLOCK = "the guard's clock is set by hand"
ROWS = (
    Row(
        "T-1", "the access token ends under fifty parallel calls", "one refresh for all", "refreshes 1; failed 0",
        expires_under_load, 0.1, selection=True, again="yes: it did not happen",
        test="tests/sinks/test_base.py::test_a_token_that_ends_under_fifty_parallel_calls_is_refreshed_once",
    ),
    Row(
        "T-2", "the answer of a refresh is lost after the tokens were rotated", "tried again, then blocked and said",
        "attempts ≤ 3; blocked within 30 s; lost 0", answer_lost, 1.0, selection=False, again="yes: it did not happen",
        compressed="its seconds pass 30 times as fast, over a real network",
        test="tests/sinks/test_oauth.py::test_an_answer_lost_after_rotation_ends_blocked_after_two_refreshes",
    ),
    Row(
        "T-3", "two replicas refresh at once", "a lock, and the pair of whoever was first",
        "refreshes ≤ 2; both working; families revoked 0", two_replicas, 0.1, selection=True, again="no",
        test="tests/sinks/test_oauth.py::test_two_processes_that_refresh_at_once_make_at_most_two_refreshes",
    ),
    Row(
        "T-4", "a refresh hangs for five minutes, then 503 for five", "callers are let go by a deadline",
        "hung 0; at most one call in 30 s", endpoint_hangs, 0.1, selection=True, compressed=CLOCK,
        again="yes: it did not happen",
        test="tests/sinks/test_oauth.py::test_an_endpoint_that_is_down_is_asked_rarely_and_heals",
    ),
    Row(
        "T-5", "revoked, PAYMENT_REQUIRED, ACCESS_ERROR, WRONG_AUTH_TYPE, EMPTY_APP_NAME",
        "the lane is blocked and keeps its offsets", "dead letters 0; refreshes ≤ 1", revoked, 3.0, selection=False,
        again="yes: it did not happen", compressed="its seconds pass 60 times as fast, over a real network",
        test="tests/sinks/test_base.py::test_a_token_that_is_refused_twice_blocks",
    ),
    Row(
        "T-6", "the token store is broken, readable by others, or cannot be written",
        "refused before anything is rotated", "rotations without a store 0", bad_store, 0.1, selection=True, again="no",
        test="tests/sinks/test_oauth.py::test_a_file_that_cannot_be_replaced_stops_the_refresh_before_it_rotates",
    ),
)  # fmt: skip
