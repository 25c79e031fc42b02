"""Frequency caps: how many pushes of marketing one person has had, in any window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.caps import Told
from consumer.core.landing import attempt_records, land
from consumer.core.memory import Memory
from consumer.core.model import Batch, Cap, Command, Delivered, Message, Parcel, Refused, Terms
from consumer.core.ports import Entry
from schemas.journal import AnyRecord, Claim

HOUR = 3600.0


def test_without_caps_nobody_is_ever_told_too_often() -> None:
    told = Told((), b"")
    told.note("a", "1.1/0", 1000.0)
    assert not told.wanted
    assert not told.full("a", 1000.0, 99)


def test_a_cap_is_full_with_its_last_message_and_free_when_the_first_leaves_the_window() -> None:
    told = Told((Cap(2, HOUR),), b"key")
    assert told.wanted
    told.note("a", "1.1/0", 1000.0)
    assert not told.full("a", 1000.0)
    told.note("a", "1.2/0", 1600.0)
    assert told.full("a", 1600.0)
    assert not told.full("b", 1600.0)
    assert told.full("a", 1000.0 + HOUR - 1)
    assert not told.full("a", 1000.0 + HOUR)


def test_every_cap_must_have_room() -> None:
    told = Told((Cap(1, 60.0), Cap(2, HOUR)), b"key")
    told.note("a", "1.1/0", 1000.0)
    assert told.full("a", 1059.0)
    assert not told.full("a", 1061.0)
    told.note("a", "1.2/0", 1100.0)
    assert told.full("a", 2000.0)


def test_what_is_under_way_counts() -> None:
    told = Told((Cap(2, HOUR),), b"key")
    told.note("a", "1.1/0", 1000.0)
    assert not told.full("a", 1000.0)
    assert told.full("a", 1000.0, 1)


def test_one_push_counts_once_and_two_of_the_same_moment_count_twice() -> None:
    told = Told((Cap(2, HOUR),), b"key")
    told.note("a", "1.1/0", 1000.0)
    told.note("a", "1.1/0", 1000.0)
    assert not told.full("a", 1000.0)
    told.note("a", "1.1/1", 1000.0)
    assert told.full("a", 1000.0)


def test_what_is_older_than_every_window_is_forgotten() -> None:
    told = Told((Cap(1, HOUR),), b"key")
    told.note("a", "1.1/0", 1000.0)
    told.forget(1000.0 + 2 * HOUR)
    assert len(told) == 0


@pytest.mark.parametrize("key", [b"", b"k" * 64, b"k" * 200])
def test_any_key_will_do(key: bytes) -> None:
    told = Told((Cap(1, HOUR),), key)
    told.note("a", "1.1/0", 1000.0)
    assert told.full("a", 1000.0)


@given(st.lists(st.integers(0, 20_000), max_size=60), st.integers(1, 5), st.integers(60, 5000), st.integers(0, 25_000))
def test_it_counts_as_a_list_of_times_does(times: list[int], most: int, window: int, now: int) -> None:
    told = Told((Cap(most, float(window)),), b"key")
    for number, at in enumerate(sorted(times)):
        told.note("a", f"1.{number}/0", 1e9 + at)
    assert told.full("a", 1e9 + now) == (sum(at > now - window for at in times) >= most)


def test_only_marketing_that_was_delivered_counts() -> None:
    memory = Memory(86_400.0, Told((Cap(1, HOUR),), b"key"))
    message = Message("Бонусы", "сгорают завтра")
    commands = tuple(
        Command(
            name.encode().ljust(12),
            b"1234",
            Terms(route, marketing=route == "expiring"),
            name,
            (message,),
            None,
            0,
            1000.0,
            9000.0,
        )
        for name, route in (("told", "expiring"), ("refused", "expiring"), ("served", "accrued"))
    )
    batch = Batch("1.1", 1, (Parcel(message, 0, commands),))
    landed = land(batch, (Delivered(), Refused("gone", letter=False), Delivered()), memory)
    records: list[AnyRecord] = [Claim(epoch=1, member="me"), *attempt_records(batch, {}), landed.record]
    for offset, record in enumerate(records):
        memory.apply(Entry(offset, 1000.0, record))
    assert [memory.told.full(command.recipient, 1000.0) for command in commands] == [True, False, False]
