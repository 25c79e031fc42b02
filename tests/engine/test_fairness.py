"""One customer or one partition with far too much takes nothing from the others but what they do not need."""

from collections import Counter
from statistics import quantiles

import pytest

from consumer.core.facts import Pushed
from consumer.core.model import Bounds, Capacity, Quota
from tests.engine.harness import Process, World, seconds
from tests.virtual import virtual

FIFTY = Capacity(50, 1)
BUCKET = Quota(50, 25.0, bucket=True)


def waits(process: Process, hot: str) -> list[float]:
    """How old each message to the others was when it was told."""
    told = process.said(Pushed)
    return [
        age for push in told for person, age in zip(push.recipients, push.ages_seconds, strict=True) if person != hot
    ]


async def p99_of_others(hot_per_second: int, capacity: Capacity, quota: Quota) -> float:
    """Ten others a second, each with an order of his own, beside somebody with so many events."""
    world = World(partitions=4)
    process = world.process(quota=quota, capacity=capacity, bounds=Bounds(commands=2000)).start()
    await seconds(2)
    number = 0
    for second in range(60):
        for _ in range(hot_per_second):
            number += 1
            world.publish(id=f"h{number}", to="hot", texts=[f"{number}", "news"], thread=f"{number}", within=120.0)
        for other in range(10):
            one = f"u{second}-{other}"
            world.publish(id=one, to=one, texts=[f"order {one}", "news"], thread=one, within=120.0)
        await seconds(1)
    await seconds(120)
    found = waits(process, "hot")
    assert len(found) == 600
    await process.kill()
    return quantiles(found, n=100)[98]


@pytest.mark.parametrize(
    ("capacity", "quota"), [(FIFTY, BUCKET), (Capacity(1, 1000), Quota(10, 60.0))], ids=["batches", "one text"]
)
def test_a_customer_with_nine_tenths_of_all_events_at_most_doubles_the_wait_of_the_others(
    capacity: Capacity, quota: Quota
) -> None:
    @virtual
    async def run() -> None:
        alone = await p99_of_others(0, capacity, quota)
        beside = await p99_of_others(90, capacity, quota)
        assert beside <= 2 * alone

    run()


@virtual
async def test_a_partition_with_nine_tenths_of_all_records_leaves_the_others_half_of_their_share_at_least() -> None:
    world = World(partitions=4)
    process = world.process(quota=BUCKET, capacity=FIFTY, bounds=Bounds(commands=1000))
    key = {world.publish(id="e", to=str(name), ignore=True).position.partition: str(name) for name in range(64)}
    assert sorted(key) == [0, 1, 2, 3]
    for number in range(40_000):
        world.publish(id=f"h{number}", to=key[0], texts=[f"order {number}"], within=3600.0)
    process.start()
    for second in range(90):
        # Each of the others is given more than a fair quarter of what the quota lets through.
        for partition in (1, 2, 3):
            for number in range(30):
                one = f"{partition}-{second}-{number}"
                world.publish(id=one, to=key[partition], texts=[f"order {one}"], within=3600.0)
        await seconds(1)
    told = Counter(push.recipient for push in world.provider.pushes)
    assert told.total() >= 80 * 80
    assert min(told[key[partition]] for partition in (1, 2, 3)) >= 0.5 * told.total() / 4
    await process.kill()


@pytest.mark.parametrize(("quota", "slowly"), [(None, True), (Quota(10, 60.0), False)], ids=["none", "quota"])
def test_who_has_enough_to_send_reads_on_slowly_where_no_quota_makes_it_wait(quota: Quota | None, slowly: bool) -> None:
    @virtual
    async def run() -> None:
        world = World(partitions=1)
        world.provider.hanging.clear()
        process = world.process(quota=quota, capacity=Capacity(1, 1)).start()
        await seconds(3)
        for number in range(20_000):
            world.publish(id=f"e{number}", to=f"u{number}", text=f"text {number}")
        await seconds(0.2)
        early = process.lane.view().waiting
        await seconds(2)
        assert (0 < early < 10_000) == slowly
        assert process.lane.view().waiting >= 19_000
        await process.stop()

    run()
