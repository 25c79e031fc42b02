"""A row stays sorted, however its entries come and go."""

from itertools import count
from random import Random

import pytest

from consumer.core.rows import Entry, Row
from tests.core.waiting import command, group

SOME = group(command("A"))
_NUMBERS = count()


def entry(turn: float, due: float | None = None) -> Entry:
    return turn, next(_NUMBERS), turn if due is None else due, SOME


def test_an_empty_row_is_false() -> None:
    row = Row()
    assert not row
    assert list(row) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_row_is_what_a_sorted_list_would_be(seed: int) -> None:
    dice = Random(seed)
    row = Row()
    known: list[Entry] = []
    for _ in range(6000):
        if known and dice.random() < 0.4:
            gone = known.pop(dice.randrange(len(known)))
            row.remove(*gone[:2])
        else:
            known.append(entry(float(dice.randrange(500)), dice.random()))
            row.add(*known[-1])
    assert list(row) == sorted(known)
    assert row.first == min(known)
    assert len(row.blocks) > 1
    assert min(block.due for block in row.blocks) == min(each[2] for each in known)
    for each in known:
        row.remove(*each[:2])
    assert not row


def test_a_block_knows_the_earliest_due_after_it_has_left() -> None:
    first, second = entry(1.0, due=5.0), entry(2.0, due=9.0)
    row = Row()
    for each in (second, first):
        row.add(*each)
    assert row.blocks[0].due == 5.0
    row.remove(*first[:2])
    row.add(*entry(3.0, due=11.0))
    assert row.blocks[0].due == 9.0
    row.remove(*second[:2])
    row.add(*entry(2.5, due=1.0))
    assert row.blocks[0].due == 1.0
