"""Groups are counted by their sizes, so that places need no look at each group."""

from consumer.core.sizes import Sizes


def sizes_of(*sizes: int, may_coarsen: bool) -> Sizes:
    made = Sizes()
    for size in sizes:
        made.move(0, size, may_coarsen=may_coarsen)
    return made


def test_each_group_takes_as_many_places_as_it_fills() -> None:
    sizes = sizes_of(1, 1, 10, 11, may_coarsen=True)
    assert (sizes.places(10), sizes.places(1)) == (5, 23)
    sizes.move(0, 3, may_coarsen=False)
    assert sizes.places(10) == 6


def test_a_group_that_moves_or_ends_is_counted_once() -> None:
    sizes = sizes_of(1, 1, may_coarsen=True)
    sizes.move(1, 12, may_coarsen=True)
    assert sizes.places(10) == 3
    sizes.move(1, 0, may_coarsen=True)
    assert sizes.places(10) == 2


def test_what_is_small_takes_one_place_a_wording_or_as_many_as_it_fills_together() -> None:
    sizes = sizes_of(*[1] * 20, 50, may_coarsen=True)
    assert [sizes.places_at(price, 3, 100) for price in (0, 2, 256)] == [21, 4, 3]
    assert sizes.places_at(2, 3, 5) == 4 + 10
    assert sizes.places_at(2, 500, 100) == 21


def test_what_may_not_be_coarsened_keeps_its_places() -> None:
    assert sizes_of(1, 1, 1, may_coarsen=False).places_at(256, 1, 100) == 3
