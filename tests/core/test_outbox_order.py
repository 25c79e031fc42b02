"""An outbox of very many groups takes batch after batch by the order that it keeps."""

from collections.abc import Iterator, Sequence
from random import Random

import pytest

from consumer.core.group import Group
from consumer.core.model import Bounds, Capacity, Command, Parcel
from consumer.core.outbox import Outbox
from consumer.core.price import TurnAndPrice
from consumer.core.turn import Choice, Moment
from tests.core.waiting import command

FIFTY = Capacity(50, 1)
GAP = 0.5
BOUNDLESS = Bounds(1 << 40, 1 << 50)


class Patient(TurnAndPrice):
    """Turn and price that may not rank all groups."""

    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        raise AssertionError("all groups were ranked")


def outbox_of(*commands: Command) -> Outbox:
    outbox = Outbox(BOUNDLESS, Patient())
    for each in commands:
        outbox.put(each)
    return outbox


def crowd(number: int, arrived: float = 0.0, *coarser: str) -> list[Command]:
    return [command(f"order {n}", *coarser, arrived=arrived + n / 1000) for n in range(number)]


def titles(parcels: tuple[Parcel, ...]) -> list[str]:
    return [parcel.message.title for parcel in parcels]


def test_batch_after_batch_goes_in_turn() -> None:
    outbox = outbox_of(*reversed(crowd(1200)))
    assert titles(outbox.take(10.0, GAP, FIFTY)) == [f"order {n}" for n in range(50)]
    outbox.put(command("older", arrived=-1.0))
    assert titles(outbox.take(10.5, GAP, FIFTY))[:2] == ["older", "order 50"]


def test_what_is_late_goes_merged_with_its_siblings() -> None:
    outbox = outbox_of(*crowd(1500, 0.0, "coarse"))
    (parcel, *_) = outbox.take(1799.0, 1.0, Capacity(2, 1000))
    assert (parcel.message.title, parcel.level, len(parcel.commands)) == ("coarse", 1, 1000)


def test_a_lane_that_gets_a_quota_merges_from_then_on() -> None:
    outbox = outbox_of(command("first"))
    assert titles(outbox.take(0.0, 0.0, Capacity(1, 1))) == ["first"]
    for each in crowd(1500, 0.0, "coarse"):
        outbox.put(each)
    assert titles(outbox.take(0.0, 0.0, Capacity(1, 1))) == ["order 0"]
    (parcel, *_) = outbox.take(1799.0, 1.0, Capacity(2, 1000))
    assert (parcel.message.title, parcel.level, len(parcel.commands)) == ("coarse", 1, 1000)


def test_a_lane_of_few_requests_ranks_all_groups_however_many() -> None:
    with pytest.raises(AssertionError, match="all groups"):
        outbox_of(*crowd(1200)).take(10.0, 6.0, Capacity(1, 1000))


def test_a_lane_without_a_quota_goes_in_turn_from_the_first_group_on() -> None:
    outbox = outbox_of(*reversed(crowd(3)))
    assert titles(outbox.take(10.0, 0.0, Capacity(2, 1))) == ["order 0", "order 1"]
    outbox.put(command("older", arrived=-1.0))
    assert titles(outbox.take(10.5, 0.0, FIFTY)) == ["older", "order 2"]


def test_with_few_groups_left_all_are_ranked_again() -> None:
    commands = crowd(1200)
    outbox = outbox_of(*commands)
    for each in commands[:750]:
        outbox.remove(each)
    with pytest.raises(AssertionError, match="all groups"):
        outbox.take(10.0, GAP, FIFTY)


@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_lost_whatever_comes_and_goes(seed: int) -> None:
    dice = Random(seed)
    outbox = outbox_of()
    waiting: dict[bytes, Command] = {}
    for step in range(120):
        for _ in range(60):
            coarser = dice.choice([(), ("coarse",), (f"shop {step % 7}", "coarse")])
            each = command(f"order {dice.randrange(1500)}", *coarser, arrived=step - dice.random(), ttl=4000.0)
            outbox.put(each)
            waiting[each.id] = each
        if outbox.group_count > 1000 and step % 2:
            capacity = dice.choice([FIFTY, Capacity(20, 100)])
            for parcel in outbox.take(step + dice.choice([0.0, 3000.0]), GAP, capacity):
                assert all(parcel.message == each.wordings[parcel.level] or parcel.level for each in parcel.commands)
                for each in parcel.commands:
                    del waiting[each.id]
        assert outbox.oldest == min(each.arrived for each in waiting.values())
        assert outbox.seconds_to_clear(1.0, Capacity(1, 3)) == sum(-(-group.size // 3) for group in outbox.groups())
    assert {each.command.id for each in outbox.expire(9000.0)} == set(waiting)
    assert (outbox.waiting, outbox.group_count, outbox.oldest) == (0, 0, None)
