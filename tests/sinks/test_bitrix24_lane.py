"""Real lanes against the fake portal: its real bucket, its batches, its tokens, its refusals."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from consumer.core.facts import CommandEnded, DeadLettered, RequestSent, RequestsNarrowed
from consumer.demo.fakes import Bitrix24Fake, Bitrix24Profile
from tests.engine.harness import LETTERS
from tests.sinks.lanes import Shore, keep_in_topic, staff
from tests.virtual_network import fast


def portal(profile: Bitrix24Profile | None = None, token_seconds: float = 3600.0) -> Bitrix24Fake:
    """A portal whose bucket and tokens go by the loop's own clock."""
    return Bitrix24Fake(profile, clock=asyncio.get_running_loop().time, token_seconds=token_seconds)


def publish(shore: Shore, count: int, start: int = 1) -> None:
    for number in range(start, start + count):
        shore.publish(id=f"e{number}", to=str(number), texts=[f"заказ № {number} & ждёт: 50% + бонус #1"])


def told(fake: Bitrix24Fake) -> Counter[str]:
    return Counter(delivery.recipient for delivery in fake.deliveries)


@fast(20)
async def test_five_thousand_texts_on_the_real_bucket_are_told_once_within_a_hundred_and_ten_requests(
    tmp_path: Path,
) -> None:
    async with portal() as fake, staff(tmp_path, fake) as shore:
        publish(shore, 5000)
        # The loop is fast and planning is not: the first requests are slow, so that what waits is all there.
        fake.fail("slow", 4, path="/rest", seconds=40.0)
        process = shore.start()
        await shore.settled()
        assert told(fake) == Counter(str(number) for number in range(1, 5001))
        assert len({delivery.message.text for delivery in fake.deliveries}) == 5000
        assert all(
            delivery.message.text == f"Заказ. заказ № {delivery.recipient} & ждёт: 50% + бонус #1"
            for delivery in fake.deliveries
        )
        assert {arrival.status for arrival in fake.pushes} == {200}
        assert len(fake.pushes) <= 110, len(fake.pushes)
        assert fake.worst_level <= 50
        assert [fact for fact in process.facts if isinstance(fact, DeadLettered)] == []


@fast(20)
async def test_one_bad_command_of_a_batch_is_one_dead_letter_and_nobody_is_told_twice(tmp_path: Path) -> None:
    bad = "Заказ. заказ № 7 & ждёт: 50% + бонус #1"
    async with portal(Bitrix24Profile(bad_texts=(bad,))) as fake, staff(tmp_path, fake) as shore:
        publish(shore, 50)
        process = shore.start()
        await shore.settled()
        assert told(fake) == Counter(str(number) for number in range(1, 51) if number != 7)
        assert len(shore.broker.records(LETTERS)) == 1
        ends: Counter[tuple[str, str]] = Counter()
        for fact in process.facts:
            if isinstance(fact, CommandEnded):
                ends[fact.outcome.value, fact.reason] += fact.count
        assert ends == {("delivered", ""): 49, ("refused", "invalid_arg_value"): 1}
        assert [fact.detail for fact in process.facts if isinstance(fact, DeadLettered)] == [
            "invalid_arg_value: INVALID_ARG_VALUE"
        ]


@fast(20)
async def test_what_a_batch_did_not_come_to_is_sent_again_and_nothing_else(tmp_path: Path) -> None:
    async with portal(Bitrix24Profile(batch_executes=20)) as fake, staff(tmp_path, fake) as shore:
        publish(shore, 60)
        shore.start()
        await shore.settled()
        assert told(fake) == Counter(str(number) for number in range(1, 61))
        assert len(fake.pushes) <= 8


@fast(20)
async def test_a_portal_that_takes_no_batches_gets_single_calls_for_good(tmp_path: Path) -> None:
    async with portal(Bitrix24Profile(push_in_batch=False)) as fake, staff(tmp_path, fake) as shore:
        publish(shore, 30)
        first = shore.start()
        await shore.settled()
        assert told(fake) == Counter(str(number) for number in range(1, 31))
        (narrowed,) = (fact for fact in first.facts if isinstance(fact, RequestsNarrowed))
        assert narrowed == RequestsNarrowed("staff", "bitrix24", "batch_not_allowed")
        await first.stop()
        batches = sum(arrival.path == "/rest/batch" for arrival in fake.pushes)
        assert 1 <= batches <= 4, "those that were under way when the first answer came"
        publish(shore, 30, start=31)
        second = shore.start()
        await shore.settled()
        assert told(fake) == Counter(str(number) for number in range(1, 61))
        assert sum(arrival.path == "/rest/batch" for arrival in fake.pushes) == batches, "known after a restart too"
        assert not [fact for fact in second.facts if isinstance(fact, RequestsNarrowed)]


@fast(20)
async def test_texts_that_a_batch_would_change_go_by_themselves(tmp_path: Path) -> None:
    async with portal() as fake, staff(tmp_path, fake) as shore:
        odd = ["цена $result[c1]", "цена $NEXT[c0]", "цена $error[c3] и $time[c1]"]
        for number, text in enumerate([*odd, *(f"обычный {n}" for n in range(20))], 1):
            shore.publish(id=f"e{number}", to=str(number), texts=[text])
        shore.start()
        await shore.settled()
        seen = {delivery.recipient: delivery.message.text for delivery in fake.deliveries}
        assert [seen[str(number)] for number in (1, 2, 3)] == [f"Заказ. {text}" for text in odd]
        assert set(told(fake).values()) == {1}
        assert len(told(fake)) == 23


@fast(20)
async def test_equal_texts_are_told_in_lists_and_not_in_batches(tmp_path: Path) -> None:
    async with portal() as fake, staff(tmp_path, fake) as shore:
        for number in range(1, 251):
            shore.publish(id=f"e{number}", to=str(number), texts=["собрание в полдень"])
        shore.start()
        await shore.settled()
        assert set(told(fake).values()) == {1}
        assert len(told(fake)) == 250
        assert len(fake.pushes) <= 6


@fast(20)
async def test_an_ended_token_costs_one_refresh_and_nobody_their_push(tmp_path: Path) -> None:
    async with portal() as fake, staff(tmp_path, fake) as shore:
        fake.oauth.expire()
        publish(shore, 400)
        process = shore.start()
        await shore.settled()
        assert fake.oauth.refreshes == 1
        assert told(fake) == Counter(str(number) for number in range(1, 401))
        assert not [fact for fact in process.facts if isinstance(fact, DeadLettered)]


@pytest.mark.parametrize("store", ["file", "topic"])
@fast(20)
async def test_an_owner_killed_after_a_refresh_leaves_a_standby_that_needs_no_login(tmp_path: Path, store: str) -> None:
    async with portal() as fake, staff(tmp_path, fake) as shore:
        if store == "topic":
            await keep_in_topic(shore, fake)
        fake.oauth.expire()
        owner = shore.start()
        while owner.lane.view().state != "working":  # noqa: ASYNC110 - the loop is fast
            await asyncio.sleep(0.1)
        standby = shore.start()
        fake.fail("slow", 1, path="/rest", seconds=2.0)
        publish(shore, 10)
        while not fake.oauth.refreshes:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        await owner.kill()
        publish(shore, 10, start=11)
        await shore.settled()
        assert fake.oauth.refreshes == 1, "the standby takes the pair that the dead owner has kept"
        assert len(told(fake)) == 20
        assert standby.lane.view().state == "working"
        assert [fact.verdict for fact in standby.facts if isinstance(fact, RequestSent)][-1] == "delivered"


@fast(20)
async def test_a_standby_never_touches_the_tokens(tmp_path: Path) -> None:
    async with portal(token_seconds=20.0) as fake, staff(tmp_path, fake) as shore:
        owner, standby = shore.start(), shore.start()
        for number in range(1, 5):
            publish(shore, 1, start=number)
            await shore.settled()
            await asyncio.sleep(25)
        assert fake.oauth.refreshes == 3
        views = {process.lane.view().state for process in (owner, standby)}
        assert views == {"working", "standby"}
        idle = owner if owner.lane.view().state == "standby" else standby
        assert not [fact for fact in idle.facts if type(fact).__name__ in ("TokenRefreshed", "RequestSent")]


@fast(20)
async def test_a_renamed_portal_is_remembered_over_a_restart(tmp_path: Path) -> None:
    async with portal() as old, portal() as new, staff(tmp_path, old) as shore:
        new.oauth.access.update(old.oauth.access)
        old.moved_to = new.origin
        publish(shore, 5)
        first = shore.start()
        await shore.settled()
        await first.stop()
        asked = len(old.requests)
        publish(shore, 5, start=6)
        shore.start()
        await shore.settled()
        assert told(new) == Counter(str(number) for number in range(1, 11))
        assert len(old.requests) == asked


@fast(200)
async def test_a_lane_stays_within_the_operating_time_of_ten_minutes(tmp_path: Path) -> None:
    profile = Bitrix24Profile(operating_seconds=10.0, operating_limit_seconds=480.0)
    async with portal(profile) as fake, staff(tmp_path, fake) as shore:
        for number in range(1, 101):
            shore.publish(id=f"e{number}", to=str(number), texts=[f"$result[ {number}"])
        shore.start()
        await shore.settled(5000.0)
        assert len(told(fake)) == 100
        assert {arrival.status for arrival in fake.pushes} == {200}
