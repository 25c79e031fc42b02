"""Slices find entries by how they begin, forget by age, and take little room."""

import random
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.slices import ENTRY_BYTES, Slices

# Few keys in few buckets, so that repeats happen and a key stands across the border of two entries.
KEYS = st.one_of(st.sampled_from([bytes(8), b"\0" * 7 + b"\1", b"\xff" * 8]), st.binary(min_size=8, max_size=8))
VALUES = st.sampled_from([bytes(8), b"\0" * 7 + b"\1", b"\xff" * 8])


def entry(key: int, value: int = 0) -> bytes:
    return key.to_bytes(8) + value.to_bytes(8)


def value(number: int) -> bytes:
    return number.to_bytes(8)


@settings(max_examples=60)
@given(
    puts=st.lists(st.tuples(KEYS, VALUES, st.floats(0, 799), st.booleans()), max_size=300),
    probes=st.lists(KEYS, max_size=20),
)
def test_slices_agree_with_a_plain_dict(puts: list[tuple[bytes, bytes, float, bool]], probes: list[bytes]) -> None:
    slices = Slices(800.0)
    model: dict[bytes, list[bytes]] = {}
    for key, said, at, looks in puts:
        (slices.put if looks else slices.extend)(key + said, at)
        model.setdefault(key, []).append(said)
    for key in [*model, *probes]:
        known = model.get(key, [])
        assert set(slices.values(key)) == set(known)
        assert slices.first(key) == (known[0] if known else None)


def test_many_entries_are_found_however_many_more_come() -> None:
    slices = Slices(800.0)
    dice = random.Random(1)
    keys = [dice.getrandbits(64) for _ in range(100_000)]
    for index in range(0, len(keys), 1000):
        slices.extend(b"".join(entry(key, key ^ 1) for key in keys[index : index + 1000]), index / 200)
    assert all(slices.values(value(key)) == [value(key ^ 1)] for key in keys)
    assert len(slices) == len(keys)


def test_keys_that_are_no_hashes_are_found_too() -> None:
    slices = Slices(800.0)
    slices.extend(b"".join(entry(key, key + 1) for key in range(3000)), 10.0)
    assert all(slices.first(value(key)) == value(key + 1) for key in range(3000))
    slices.extend(b"".join(entry(key << 40 | 5, key) for key in range(1 << 12, 1 << 14)), 10.0)
    assert all(slices.values(value(key << 40 | 5)) == [value(key)] for key in range(1 << 12, 1 << 14))


def test_the_value_put_first_is_found_first() -> None:
    slices = Slices(800.0)
    for number in (5, 3, 4):
        slices.put(entry(1, number), 10.0)
        for filler in range(200):
            slices.put(entry(2 + 200 * number + filler), 10.0)
    slices.put(entry(1, 2), 790.0)
    assert slices.values(value(1)) == [value(5), value(3), value(4), value(2)]
    assert slices.first(value(1)) == value(5)


def test_an_entry_put_twice_takes_room_once() -> None:
    slices = Slices(800.0)
    for _ in range(2):
        for key in range(64):
            slices.put(entry(key, key), 10.0)
    assert len(slices) == 64
    assert slices.values(value(7)) == [value(7)]


def test_an_entry_that_comes_again_and_again_takes_room_once_when_its_bucket_is_full() -> None:
    slices = Slices(800.0)
    for _ in range(1000):
        slices.extend(b"".join(entry(key, key) for key in range(64)), 10.0)
    assert len(slices) <= 128
    assert set(slices.values(value(7))) == {value(7)}


def test_a_key_is_not_found_where_one_entry_ends_and_the_next_begins() -> None:
    slices = Slices(800.0)
    between = b"\0" * 4 + b"\xee" * 4
    slices.extend(b"\0" * 12 + between[:4] + between[4:] + b"\xee" * 12, 10.0)
    assert slices.first(between) is None
    slices.extend(between + b"\1" * 8, 10.0)
    assert slices.first(between) == b"\1" * 8


def test_only_what_is_wholly_older_than_the_memory_is_forgotten() -> None:
    slices = Slices(800.0)
    slices.put(entry(1, 1), 50.0)
    slices.put(entry(2, 2), 150.0)
    slices.forget(899.0)
    assert slices.values(value(1)) == [value(1)]
    slices.forget(900.0)
    assert (slices.values(value(1)), slices.values(value(2))) == ([], [value(2)])


def test_what_is_in_a_later_slice_too_is_remembered_as_long_as_that() -> None:
    slices = Slices(800.0)
    for at in (50.0, 150.0, 250.0):
        slices.extend(b"".join(entry(key << 40 | 7, key) for key in range(100)), at)
    slices.extend(b"".join(entry(1000 + key << 40 | 7, key) for key in range(500)), 250.0)
    assert len(slices) == 100 * 3 + 500
    slices.forget(1000.0)
    assert all(slices.values(value(key << 40 | 7)) == [value(key)] for key in range(100))
    assert len(slices) == 100 + 500
    slices.forget(1100.0)
    assert (len(slices), slices.values(value(7))) == (0, [])
    slices.put(entry(1, 1), 1150.0)
    assert slices.values(value(1)) == [value(1)]


def test_a_clock_that_was_far_ahead_for_a_moment_lets_nothing_live_longer() -> None:
    slices = Slices(800.0)
    slices.put(entry(1, 1), 50.0)
    slices.put(entry(2, 2), 1e9)
    slices.put(entry(3, 3), 60.0)
    slices.forget(70.0)
    slices.put(entry(4, 4), 450.0)
    slices.forget(1000.0)
    assert [slices.first(value(key)) for key in (1, 2, 3, 4)] == [None, None, None, value(4)]


def test_an_entry_may_come_late() -> None:
    slices = Slices(800.0)
    slices.put(entry(1, 1), 750.0)
    slices.put(entry(2, 2), 50.0)
    slices.put(entry(2, 3), 750.0)
    slices.put(entry(3, 3), 50.0)
    assert slices.values(value(2)) == [value(2), value(3)]
    assert slices.values(value(3)) == [value(3)]


def test_an_entry_takes_less_than_twenty_bytes() -> None:
    dice = random.Random(3)
    entries = dice.randbytes(100_000 * ENTRY_BYTES)
    slices = Slices(800.0)
    tracemalloc.start()
    for start in range(0, len(entries), 1000 * ENTRY_BYTES):
        slices.extend(entries[start : start + 1000 * ENTRY_BYTES], 10.0)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used / 100_000 < 20
