"""A shared lane is so many lanes of their own."""

import pytest

from consumer.core.shares import Share, changed_shares, lane_of, preferred, share_number, shares_of


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
    assert "vestnik.journal.hook is of a lane with shares: 4, not with shares: 8" in grown
    assert "a new id" in grown
    first = changed_shares("vestnik.journal.hook", 1, 4)
    assert "of a lane with no shares, not with shares: 4" in first


def test_processes_have_shares_in_turns_by_their_names_and_each_group_comes_to_its_own_part_of_one_plan() -> None:
    # Members have other ids in each group, and processes the same names.
    groups = [{f"{number}-b": "beta", f"{7 - number}-a": "alpha"} for number in range(4)]
    owners = [preferred(group, number) for number, group in enumerate(groups)]
    assert [group[owner or ""] for group, owner in zip(groups, owners, strict=True)] == ["alpha", "beta"] * 2
    assert preferred({}, 3) is None


def test_while_the_processes_stay_no_share_moves_and_one_alone_has_all() -> None:
    three = {f"m{number}": name for number, name in enumerate(("c", "a", "b"))}
    assert [preferred(three, number) for number in range(4)] == ["m1", "m2", "m0", "m1"]
    assert [preferred(dict(reversed(three.items())), number) for number in range(4)] == ["m1", "m2", "m0", "m1"]
    assert {preferred({"m9": "c"}, number) for number in range(4)} == {"m9"}
