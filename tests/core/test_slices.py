"""Slices are a map of many values for a key, which forgets by age and takes little room."""

import random
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.slices import Slices

WIDE = 1 << 64
# Few keys in few shards, so that repeats and merges happen.
KEYS = st.one_of(st.integers(0, 5), st.integers(WIDE - 4, WIDE - 1), st.integers(0, WIDE - 1))


@settings(max_examples=60)
@given(
    puts=st.lists(st.tuples(KEYS, st.integers(0, 3), st.floats(0, 799)), max_size=300),
    probes=st.lists(KEYS, max_size=20),
)
def test_slices_agree_with_a_plain_dict(puts: list[tuple[int, int, float]], probes: list[int]) -> None:
    slices = Slices(800.0)
    model: dict[int, set[int]] = {}
    for key, value, at in puts:
        slices.put(key, value, at)
        model.setdefault(key, set()).add(value)
    for key in [*model, *probes]:
        assert set(slices.values(key)) == model.get(key, set())


def test_many_entries_survive_all_merges() -> None:
    slices = Slices(800.0)
    keys = [(key * 7919 << 48 | key) % WIDE for key in range(40_000)]
    for index, key in enumerate(keys):
        slices.put(key, index, index / 100)
    assert all(slices.values(key) == [index] for index, key in enumerate(keys))
    assert len(slices) == len(keys)


def test_the_value_put_first_is_found_first() -> None:
    slices = Slices(800.0)
    for value in (5, 3, 4):
        slices.put(1, value, 10.0)
        for filler in range(200):
            slices.put(2 + 200 * value + filler, 0, 10.0)
    slices.put(1, 2, 790.0)
    assert slices.values(1) == [5, 3, 4, 2]


def test_an_entry_put_twice_takes_room_once_after_a_merge() -> None:
    slices = Slices(800.0)
    for _ in range(2):
        for key in range(128):
            slices.put(key, key, 10.0)
    assert len(slices) == 128
    assert slices.values(77) == [77]


def test_only_what_is_wholly_older_than_the_memory_is_forgotten() -> None:
    slices = Slices(800.0)
    slices.put(1, 1, 50.0)
    slices.put(2, 2, 150.0)
    slices.forget(899.0)
    assert slices.values(1) == [1]
    slices.forget(900.0)
    assert (slices.values(1), slices.values(2)) == ([], [2])


def test_an_entry_may_come_late() -> None:
    slices = Slices(800.0)
    slices.put(1, 1, 750.0)
    slices.put(2, 2, 50.0)
    slices.put(2, 3, 750.0)
    slices.put(3, 3, 50.0)
    assert slices.values(2) == [2, 3]
    assert slices.values(3) == [3]


def test_an_entry_takes_less_than_twenty_bytes() -> None:
    dice = random.Random(3)
    keys = [dice.getrandbits(64) for _ in range(100_000)]
    slices = Slices(800.0)
    tracemalloc.start()
    for key in keys:
        slices.put(key, key, 10.0)
    slices.put(0, 0, 790.0)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used / len(keys) < 20
