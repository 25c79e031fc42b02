"""A group shows policies what they decide by."""

import pytest

from tests.core.waiting import command, group, terms, wording


def test_a_group_of_a_ladder_starts_at_its_most_personal_wording() -> None:
    made = group(command("A", "B", "C", arrived=5.0), command("A", "B", "C", arrived=3.0))
    assert (made.message, made.level, made.may_coarsen) == (wording("A"), 0, True)
    assert (made.size, made.oldest, made.due) == (2, 3.0, 1803.0)
    assert [made.coarser(steps) for steps in (0, 1, 2, 5)] == [
        (wording("A"), 0), (wording("B"), 1), (wording("C"), 2), (wording("C"), 2),
    ]  # fmt: skip


def test_a_group_with_one_wording_is_not_coarsened() -> None:
    assert not group(command("A")).may_coarsen


def test_a_route_without_ladder_is_not_coarsened() -> None:
    assert not group(command("A", "B", under=terms(ladder=False))).may_coarsen


@pytest.mark.parametrize(("unique", "shown"), [((), False), ((True, False), True), ((False, True), False)])
def test_a_group_is_unique_by_the_wording_at_which_it_waits(unique: tuple[bool, ...], shown: bool) -> None:
    assert group(command("A", "B", under=terms(unique=unique))).is_unique is shown
