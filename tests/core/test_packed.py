"""Hashes in arrays: the same as a dictionary, many times smaller."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.packed import Packed

KEYS = st.integers(0, 2**64 - 1) | st.integers(0, 20) | st.sampled_from([k << 12 for k in range(9)])


@given(st.lists(KEYS))
def test_a_set_holds_what_was_added_and_nothing_else(keys: list[int]) -> None:
    """A hash of nothing but zeros counts as 1."""
    packed, known = Packed(), set[int]()
    for key in keys:
        assert packed.add(key) == ((key or 1) not in known)
        known.add(key or 1)
    assert len(packed) == len(known)
    assert all(key in packed for key in keys)
    assert (77_777 in packed) == (77_777 in known)


@given(st.lists(st.tuples(KEYS, st.integers(0, 2**64 - 1), st.integers(0, 9))))
def test_a_table_says_what_was_put_last(rows: list[tuple[int, int, int]]) -> None:
    packed, known = Packed(2), dict[int, tuple[int, int]]()
    for key, first, second in rows:
        packed.put(key, first, second)
        known[key or 1] = (first, second)
    assert {key: (packed.get(key), packed.get(key, 1)) for key in known} == known
    assert packed.get(77_777) == known.get(77_777, (0, 0))[0]


def test_it_grows_and_forgets_nothing() -> None:
    packed = Packed(1)
    for number in range(1, 20_000):
        packed.put(number * 0x9E3779B97F4A7C15 % 2**64, number)
    assert len(packed) == 19_999
    assert all(packed.get(number * 0x9E3779B97F4A7C15 % 2**64) == number for number in range(1, 20_000))
