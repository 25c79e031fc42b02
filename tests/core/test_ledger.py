"""The ledger never lets an offset be committed over an unsettled record."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.core.ledger import Ledger
from consumer.core.model import Position, TopicPartition

ORDERS = TopicPartition("shop.orders", 0)
BONUSES = TopicPartition("shop.bonuses", 3)


def at(offset: int, partition: TopicPartition = ORDERS) -> Position:
    return Position(*partition, offset)


def test_a_record_without_parts_is_settled_at_once() -> None:
    ledger = Ledger()
    ledger.open(at(7), 0)
    assert ledger.committable() == {ORDERS: 8}
    assert ledger.span(ORDERS) == 0
    assert not ledger.is_open(at(7))


def test_an_unsettled_record_holds_the_offset_but_not_the_work_behind_it() -> None:
    ledger = Ledger()
    ledger.open(at(1), 2)
    ledger.open(at(2), 1)
    ledger.open(at(5), 0)
    ledger.settle(at(2))
    ledger.settle(at(1))
    assert ledger.committable() == {}
    assert ledger.oldest(ORDERS) == at(1)
    assert ledger.span(ORDERS) == 3
    assert ledger.is_open(at(1))
    assert not ledger.is_open(at(2))
    ledger.settle(at(1))
    assert ledger.committable() == {ORDERS: 6}
    assert ledger.oldest(ORDERS) is None


def test_what_is_committed_is_not_offered_again() -> None:
    ledger = Ledger()
    ledger.open(at(1), 0)
    ledger.open(at(9, BONUSES), 0)
    ledger.mark_committed({ORDERS: 2, TopicPartition("gone", 0): 4})
    assert ledger.committable() == {BONUSES: 10}
    ledger.mark_committed({ORDERS: 1})
    assert ledger.committable() == {BONUSES: 10}


def test_unknown_partitions_hold_nothing() -> None:
    ledger = Ledger()
    assert (ledger.span(ORDERS), ledger.oldest(ORDERS), ledger.is_open(at(1))) == (0, None, False)


def test_settling_more_than_is_open_is_a_bug() -> None:
    ledger = Ledger()
    with pytest.raises(ValueError, match="never opened"):
        ledger.settle(at(1))
    ledger.open(at(1), 1)
    ledger.open(at(2), 1)
    ledger.settle(at(2))
    with pytest.raises(ValueError, match="0 are open"):
        ledger.settle(at(2))
    with pytest.raises(ValueError, match="1 are open"):
        ledger.settle(at(1), 2)
    with pytest.raises(ValueError, match="0 parts"):
        ledger.settle(at(1), 0)
    ledger.settle(at(1))
    with pytest.raises(ValueError, match="settled already"):
        ledger.settle(at(1))


def test_offsets_come_in_order() -> None:
    ledger = Ledger()
    ledger.open(at(3), 1)
    with pytest.raises(ValueError, match="cannot follow"):
        ledger.open(at(3), 1)
    with pytest.raises(ValueError, match="cannot follow"):
        ledger.open(at(4), -1)


def test_a_flight_that_lands_after_the_partitions_went_settles_nothing() -> None:
    ledger = Ledger()
    ledger.open(at(3), 1)
    ledger.clear()
    ledger.settle(at(3))
    ledger.settle(at(4, BONUSES))
    assert ledger.committable() == {}
    ledger.open(at(2), 1)
    ledger.settle(at(3))
    ledger.settle(at(2))
    assert ledger.committable() == {ORDERS: 3}


class LedgerAgainstAList(RuleBasedStateMachine):
    """The ledger against a plain list of (offset, parts left) for each of two partitions."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.model: dict[TopicPartition, list[list[int]]] = {ORDERS: [], BONUSES: []}
        self.committed: dict[TopicPartition, int] = {}

    @rule(partition=st.sampled_from([ORDERS, BONUSES]), gap=st.integers(1, 3), parts=st.integers(0, 3))
    def open(self, partition: TopicPartition, gap: int, parts: int) -> None:
        records = self.model[partition]
        offset = (records[-1][0] if records else 10) + gap
        self.ledger.open(at(offset, partition), parts)
        records.append([offset, parts])

    def unsettled(self) -> list[tuple[TopicPartition, list[int]]]:
        return [(partition, record) for partition, records in self.model.items() for record in records if record[1]]

    @precondition(lambda self: self.unsettled())
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        partition, record = data.draw(st.sampled_from(self.unsettled()))
        parts = data.draw(st.integers(1, record[1]))
        self.ledger.settle(at(record[0], partition), parts)
        record[1] -= parts

    @rule()
    def commit(self) -> None:
        offsets = self.ledger.committable()
        for partition, offset in offsets.items():
            assert offset > self.committed.get(partition, -1), "a commit never goes backwards"
        self.ledger.mark_committed(offsets)
        self.committed.update(offsets)

    @rule()
    def clear(self) -> None:
        self.ledger.clear()
        self.model = {ORDERS: [], BONUSES: []}
        self.committed = {}

    @invariant()
    def agrees(self) -> None:
        for partition, records in self.model.items():
            first = next((index for index, record in enumerate(records) if record[1]), len(records))
            following = records[first - 1][0] + 1 if first else None
            expected = None if following == self.committed.get(partition) else following
            assert self.ledger.committable().get(partition) == expected
            assert self.ledger.span(partition) == len(records) - first
            oldest = at(records[first][0], partition) if first < len(records) else None
            assert self.ledger.oldest(partition) == oldest
            assert all(self.ledger.is_open(at(record[0], partition)) == bool(record[1]) for record in records)


TestLedgerAgainstAList = LedgerAgainstAList.TestCase
