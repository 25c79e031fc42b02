"""Where a new owner begins."""

import pytest

from consumer.core.model import TopicPartition
from consumer.core.ports import Extent
from consumer.engine.recovery import NoStart, StartRule, Starts, starts

A, B, OTHER = TopicPartition("orders", 0), TopicPartition("orders", 1), TopicPartition("bonuses", 0)
EXTENTS = {A: Extent(10, 100), B: Extent(0, 50), OTHER: Extent(5, 7)}
NEW = StartRule("latest", "refuse", lane_is_new=True)
OLD = StartRule("latest", "refuse", lane_is_new=False)


def begun(found: Starts | NoStart) -> Starts:
    assert isinstance(found, Starts)
    return found


def test_what_was_committed_is_where_reading_goes_on() -> None:
    found = begun(starts({A: 42, B: 50}, EXTENTS, OLD))
    assert found.offsets == {A: 42, B: 50}
    assert (found.fresh, found.gone) == ({}, {})


@pytest.mark.parametrize(("start_at", "offset"), [("latest", 100), ("earliest", 10)])
def test_a_new_lane_begins_where_the_configuration_says_and_commits_it(start_at: str, offset: int) -> None:
    rule = StartRule("latest" if start_at == "latest" else "earliest", "refuse", lane_is_new=True)
    found = begun(starts({A: None}, EXTENTS, rule))
    assert found.offsets == found.fresh == {A: offset}


def test_a_partition_that_appeared_in_a_known_topic_is_read_from_its_beginning() -> None:
    found = begun(starts({A: 42, B: None}, EXTENTS, OLD))
    assert found.offsets == {A: 42, B: 0}
    assert found.fresh == {B: 0}


def test_a_topic_that_was_added_begins_as_in_a_new_lane() -> None:
    assert begun(starts({A: 42, OTHER: None}, EXTENTS, OLD)).offsets == {A: 42, OTHER: 7}


def test_offsets_that_are_lost_stop_an_old_lane_until_somebody_decides() -> None:
    refused = starts({A: None, B: None}, EXTENTS, OLD)
    assert isinstance(refused, NoStart)
    assert refused.reason == "offsets_lost"
    assert "--lost-offsets" in refused.detail
    decided = StartRule("latest", "earliest", lane_is_new=False)
    assert begun(starts({A: None, B: None}, EXTENTS, decided)).offsets == {A: 10, B: 0}


def test_offsets_beyond_the_end_stop_the_lane_and_name_the_partitions() -> None:
    refused = starts({A: 101, B: 51, OTHER: 6}, EXTENTS, OLD)
    assert isinstance(refused, NoStart)
    assert refused.reason == "offset_out_of_range"
    assert "orders [0, 1]" in refused.detail
    decided = StartRule("latest", "latest", lane_is_new=False)
    assert begun(starts({A: 101, OTHER: 6}, EXTENTS, decided)).offsets == {A: 100, OTHER: 6}


def test_what_retention_took_is_counted_and_the_rest_is_read() -> None:
    found = begun(starts({A: 3}, EXTENTS, OLD))
    assert found.offsets == {A: 10}
    assert found.gone == {A: 7}
