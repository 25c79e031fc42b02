"""A shared lane is so many lanes of their own."""

from collections import Counter

import pytest

from consumer.core.shares import Share, changed_shares, lane_of, preferred, share_number, shares_of, spread


def test_a_lane_that_is_not_shared_is_its_one_share_and_has_its_name() -> None:
    (only,) = shares_of("push", None)
    assert (only.name, only.of) == ("push", 1)
    assert all(only.has("shop.orders", partition) for partition in range(7))


@pytest.mark.parametrize("partitions", [1, 3, 4, 12])
def test_every_partition_has_exactly_one_share(partitions: int) -> None:
    for partition in range(partitions):
        assert [share.has("shop.orders", partition) for share in shares_of("hook", 4)].count(True) == 1


def test_a_share_reads_the_whole_of_its_own_backfill_topic() -> None:
    assert Share("hook", 2, 4).has("vestnik.backfill.hook.2", 0)


def test_lane_and_number_are_known_by_a_share_s_name() -> None:
    for share in (*shares_of("hook", 12), *shares_of("push", None)):
        assert (lane_of(share.name), share_number(share.name)) == (share.lane, share.number)


def test_why_another_number_is_refused_says_both_numbers_and_what_to_do() -> None:
    grown = changed_shares("vestnik.journal.hook", 4, 8)
    assert "vestnik.journal.hook belongs to a lane with shares: 4, not with shares: 8" in grown
    assert "a new id" in grown
    first = changed_shares("vestnik.journal.hook", 1, 4)
    assert "a lane with no shares, not with shares: 4, and that never changes: leave out shares, or" in first


@pytest.mark.parametrize("shares", [2, 4, 7, 64])
@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_every_process_has_as_many_shares_as_any_other_or_one_more(processes: int, shares: int) -> None:
    plan = spread([f"host-{number}" for number in range(processes)], shares)
    counts = Counter({f"host-{number}": 0 for number in range(processes)}) + Counter(plan)
    assert len(plan) == shares
    assert max(counts.values()) - min(counts[f"host-{number}"] for number in range(processes)) <= 1


def test_in_whatever_order_processes_are_named_the_plan_is_the_same() -> None:
    names = ["c", "a", "b"]
    assert spread(names, 8) == spread(sorted(names), 8) == spread(set(names), 8)


def test_where_a_process_goes_little_moves_between_the_others() -> None:
    moved = lost = 0
    for town in range(100):
        names = [f"town-{town}-host-{number}" for number in range(4)]
        before, after = spread(names, 8), spread(names[1:], 8)
        moved += sum(was != now for was, now in zip(before, after, strict=True))
        lost += before.count(names[0])
    assert lost == 200
    assert moved < 1.6 * lost  # to the next in line for each would be 3.2 times as many


def test_each_share_s_group_comes_to_its_own_part_of_one_plan() -> None:
    # Members have other ids in each group, and processes the same names.
    shares = shares_of("hook", 4)
    groups = [{f"{number}-b": "beta", f"{7 - number}-a": "alpha"} for number in range(4)]
    owners = [group[preferred(group, share) or ""] for group, share in zip(groups, shares, strict=True)]
    assert owners == spread(["alpha", "beta"], 4)
    assert sorted(owners) == ["alpha", "alpha", "beta", "beta"]
    assert preferred({}, shares[0]) is None
