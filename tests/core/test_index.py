"""An index of ids finds what was put in, and nothing else."""

from random import Random

from consumer.core.index import Index


def some_id(number: int) -> bytes:
    return number.to_bytes(12)


def test_what_was_put_in_is_found_until_it_is_taken_out() -> None:
    dice, index = Random(1), Index()
    known: dict[int, set[bytes]] = {}
    for number in range(12_000):
        key = dice.choice((dice.getrandbits(64), dice.randrange(50), -dice.getrandbits(63)))
        index.add(key, some_id(number))
        known.setdefault(key, set()).add(some_id(number))
        if number % 3 == 0:
            assert index.remove(key, known[key].pop())
    assert {key: set(index.find(key)) for key in known} == known
    assert len(index) == sum(map(len, known.values()))


def test_an_entry_is_not_found_in_the_midst_of_others() -> None:
    """Of nothing but zeros, each place looks like a beginning."""
    index = Index()
    for number in (0, 1):
        index.add(0, some_id(number))
    assert sorted(index.find(0)) == [some_id(0), some_id(1)]
    assert index.remove(0, some_id(0))
    assert not index.remove(0, some_id(0))
    assert index.find(0) == [some_id(1)]


def test_a_cleared_index_is_empty() -> None:
    index = Index()
    index.add(7, some_id(7))
    index.clear()
    assert (len(index), index.find(7)) == (0, [])
