"""Whoever comes onto the list while something waits for them: it ends there and then, wherever it waited."""

from consumer.core.model import Outcome
from tests.core.test_night import MORNING, NIGHT, House, command, reasons

ENDED = (Outcome.SUPPRESSED, "listed")


def evicted(house: House, *recipients: str) -> list[tuple[str, Outcome, str]]:
    """The list changes, and everything is looked at, two at a time."""
    house.listed |= set(recipients)
    eviction = house.desk.doorman.eviction(house.desk.lot)
    assert eviction.over
    eviction.begin()
    found: list[tuple[str, Outcome, str]] = []
    while not eviction.over:
        found += reasons(eviction.look(NIGHT, 2))
    return sorted(found)


def test_what_waits_sleeps_or_is_parked_ends_and_the_others_stay() -> None:
    house = House()
    house.night(command("p1"), command("p2"))
    assert house.park() == 2
    house.night(command("s1"), command("s2"), command("w1", quiet=None), command("w2", quiet=None))
    assert evicted(house, "p1", "s1", "w1") == [(name, *ENDED) for name in ("p1", "s1", "w1")]
    assert house.desk.drift == 0
    house.write_ends()
    assert house.tell(NIGHT) == ["w2"]
    assert house.wake() == ()
    assert sorted(house.tell(MORNING)) == ["p2", "s2"]
    assert (house.desk.drift, house.desk.parked, house.committable) == (0, 0, 2)


def test_the_thread_of_an_evicted_command_is_free() -> None:
    house = House()
    house.night(command("a", thread=7, rank=1, quiet=None))
    assert evicted(house, "a") == [("a", *ENDED)]
    house.listed.clear()
    house.night(command("b", thread=7, rank=1, quiet=None))
    assert house.tell(NIGHT) == ["b"]
    assert house.desk.drift == 0


def test_what_is_in_flight_or_has_ended_meanwhile_is_left_alone() -> None:
    house = House()
    house.night(command("f", quiet=None), command("g", quiet=None))
    batch = house.take(NIGHT)
    assert batch is not None
    house.night(command("gone", quiet=None))
    house.listed.add("gone")
    eviction = house.desk.doorman.eviction(house.desk.lot)
    eviction.begin()
    assert reasons(house.desk.expire(NIGHT + 30 * 3600.0)) == [("gone", Outcome.EXPIRED, "ttl")]
    house.listed |= {"f"}
    assert eviction.look(NIGHT, 100) == ()
    house.fly(batch)
    assert (house.desk.drift, house.desk.bound) == (0, 0)


def test_a_takeover_ends_what_an_earlier_owner_parked() -> None:
    first = House()
    first.night(command("p1"), command("p2"))
    assert first.park() == 2
    second = House(first.journal)
    assert evicted(second, "p1") == [("p1", *ENDED)]
    assert (second.desk.parked, second.desk.drift) == (1, 0)
