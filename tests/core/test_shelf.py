"""What waits long is folded, and comes out of it as it was."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.group import Group
from consumer.core.model import Command, Message, Position, Quiet
from consumer.core.shelf import Live, Place, Shelf
from tests.core.waiting import command, terms

NIGHT = Quiet(22 * 60, 8 * 60, "Europe/Moscow")
OFFSETS = st.integers(0, 2**40 - 1)
POSITIONS = st.builds(Position, st.sampled_from(["shop.orders", "shop.bonuses"]), st.integers(0, 9999), OFFSETS)
COMMANDS = st.builds(
    Command,
    id=st.binary(min_size=12, max_size=12),
    digest=st.binary(min_size=4, max_size=4),
    terms=st.sampled_from([terms(), terms(route="another")]),
    recipient=st.text(max_size=40) | st.just("\ud800 is half a letter"),
    wordings=st.just((Message("A", "a"),)),
    thread=st.none() | st.integers(0, 2**64 - 1),
    rank=st.integers(-(2**63), 2**63 - 1),
    arrived=st.floats(allow_nan=False),
    deadline=st.floats(allow_nan=False),
    source=st.sampled_from(["", "shop.orders"]),
    quiet=st.none() | st.just(NIGHT),
)


def standing(shelf: Shelf, waiting: Command, *positions: Position, settled: int = 0) -> Live:
    """A live command that is open in a group of its own."""
    group = Group(waiting, shelf, int.from_bytes(waiting.id) % 2**32)
    shelf.groups[group.number] = group
    group.add(waiting)
    live = Live(waiting, list(positions), Place.WAITING, settled, group)
    shelf.add(live)
    shelf.rest(waiting.id)
    return live


def small_shelf() -> Shelf:
    """Up to 32 are whole; of more, the last one."""
    return Shelf(all_whole=32, last_whole=1)


def followed(shelf: Shelf, others: int = 64) -> None:
    """So many come after what is there."""
    for _ in range(others):
        standing(shelf, command())


def is_folded(shelf: Shelf, id_: bytes) -> bool:
    return isinstance(shelf._lives[id_], bytes)


@given(COMMANDS, st.lists(POSITIONS, max_size=3), st.integers(0, 3))
def test_what_was_folded_comes_out_as_it_was(waiting: Command, positions: list[Position], settled: int) -> None:
    shelf = Shelf()
    before = standing(shelf, waiting, *positions, settled=settled)
    shelf._fold(waiting.id)
    assert is_folded(shelf, waiting.id)
    assert shelf.rank(waiting.id) == waiting.rank
    assert shelf.open_until(waiting.id) == waiting.deadline
    assert list(shelf.of_quiet({NIGHT})) == [waiting.id] * (waiting.quiet is not None)
    assert list(shelf.open_records()) == [(waiting.id, positions[settled:])]
    assert before.group is not None
    assert shelf.stands_in(waiting.id, before.group)
    assert shelf[waiting.id] == before
    assert not is_folded(shelf, waiting.id)


def test_few_are_whole_and_of_many_only_the_last() -> None:
    shelf = small_shelf()
    followed(shelf, 32)
    assert not any(is_folded(shelf, id_) for id_ in shelf)
    followed(shelf, 32)
    assert [is_folded(shelf, id_) for id_ in shelf] == [True] * 63 + [False]
    assert len(shelf) == 64


def test_who_waits_among_very_many_that_come_and_go_is_folded_when_they_pile_up() -> None:
    shelf = small_shelf()
    live = standing(shelf, command())
    for _ in range(200):
        shelf.pop(standing(shelf, command()).command.id)
    assert not is_folded(shelf, live.command.id)
    assert len(shelf._whole) <= 64
    followed(shelf, 96)
    assert is_folded(shelf, live.command.id)


def test_whoever_asks_for_a_command_may_change_it() -> None:
    shelf = small_shelf()
    id_ = standing(shelf, command(), Position("shop.orders", 0, 1)).command.id
    followed(shelf)
    asked = shelf.get(id_)
    assert asked is not None
    asked.positions.append(Position("shop.orders", 1, 7))
    followed(shelf)
    assert is_folded(shelf, id_)
    assert [position.offset for position in shelf[id_].positions] == [1, 7]


def test_what_is_under_way_is_never_folded() -> None:
    shelf = small_shelf()
    bound, gone = standing(shelf, command()), standing(shelf, command())
    bound.group, bound.place = None, Place.BOUND
    shelf.pop(gone.command.id)
    followed(shelf)
    assert shelf.get(bound.command.id) is bound
    assert gone.command.id not in shelf
    assert shelf.open_until(bound.command.id) is None
    assert shelf.open_until(gone.command.id) is None


def test_who_was_just_asked_for_is_not_folded_at_once() -> None:
    """It stands in the line of those to be folded a second time."""
    shelf = small_shelf()
    live = standing(shelf, command())
    followed(shelf, 32)
    shelf._whole.clear()
    id_ = shelf[live.command.id].command.id
    shelf.rest(id_)
    shelf.rest(id_)
    assert not is_folded(shelf, live.command.id)


@pytest.mark.parametrize("waiting", [command(rank=2**70), command(thread=2**64)], ids=["rank", "thread"])
def test_a_command_with_a_number_that_is_too_great_stays_whole(waiting: Command) -> None:
    shelf = small_shelf()
    live = standing(shelf, waiting)
    followed(shelf)
    assert shelf.get(waiting.id) is live


def test_one_of_a_record_with_too_great_an_offset_stays_whole() -> None:
    shelf = small_shelf()
    live = standing(shelf, command(), Position("shop.orders", 0, 2**40))
    followed(shelf)
    assert shelf.get(live.command.id) is live


def test_records_and_quiet_hours_of_what_is_whole_are_told_too() -> None:
    shelf = Shelf()
    place = Position("shop.orders", 3, 5)
    waiting = replace(command(), quiet=NIGHT)
    standing(shelf, waiting, place)
    assert list(shelf.of_quiet({NIGHT})) == [waiting.id]
    assert list(shelf.open_records()) == [(waiting.id, [place])]


def test_an_empty_shelf_has_nothing() -> None:
    shelf = Shelf()
    id_ = standing(shelf, command()).command.id
    assert (list(shelf), id_ in shelf) == ([id_], True)
    shelf.clear()
    assert (list(shelf), len(shelf), shelf.get(id_), shelf.groups) == ([], 0, None, {})


def test_threads_know_who_waits_folded_and_whole() -> None:
    shelf = small_shelf()
    live = standing(shelf, command(thread=7, rank=3))
    shelf.threads.wait(7, live.command.id)
    followed(shelf)
    assert is_folded(shelf, live.command.id)
    assert (shelf.threads.is_outdated(7, 2, None), shelf.threads.newer(7, 3), shelf.threads.newer(8, 3)) == (
        True,
        False,
        False,
    )
    assert shelf.threads.older(7, 4) == [live.command.id]
    assert is_folded(shelf, live.command.id)
    second = command(thread=7, rank=3)
    shelf.threads.wait(7, second.id)
    assert shelf[live.command.id].command.thread == 7
    shelf.threads.leave(7, live.command.id)
    assert shelf.threads.waiting(7) == (second.id,)
