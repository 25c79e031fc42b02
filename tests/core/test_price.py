"""Turn and price: small groups wait for company, and are merged together only when one of them is due."""

from dataclasses import replace

import pytest

from consumer.core.group import Group
from consumer.core.model import Capacity, OnUnsure
from consumer.core.price import TurnAndPrice, turn_and_price
from consumer.core.prices import Prices
from consumer.core.turn import Choice, Moment, slack_with_ladder
from tests.core.waiting import command, group, terms, wording

WITHIN = 1800.0
GAP = 6.0
NOW = Moment(10_000.0, GAP, Capacity(1, 1000))


def small(text: str, due_in: float, coarse: str = "coarse", size: int = 1, **more: object) -> Group:
    """A group that is due (by the rule, a gap before its time) in so many seconds."""
    arrived = NOW.now + due_in + GAP - WITHIN
    under = replace(terms(within=WITHIN), **more)  # type: ignore[arg-type]
    return group(*(command(text, coarse, arrived=arrived, under=under) for _ in range(size)))


def large(text: str, due_in: float) -> Group:
    return small(text, due_in, size=40)


def titles(choice: Choice | None) -> tuple[str, int]:
    assert choice is not None
    return choice.message.title, len(choice.groups)


def test_nothing_waits_so_nothing_is_chosen() -> None:
    assert turn_and_price().choose([], NOW) is None


def test_in_quiet_times_everything_goes_in_full_detail_in_turn() -> None:
    policy = turn_and_price()
    line = list(policy.line([small("B", 900.0), small("A", 600.0)], NOW))
    assert [titles(choice) for choice in line] == [("A", 1), ("B", 1)]
    assert policy.last_price == 0


def test_a_group_that_has_grown_comes_before_an_older_lonely_one() -> None:
    assert titles(turn_and_price().choose([small("A", 600.0), large("B", 700.0)], NOW)) == ("B", 1)


def crowded(due_in: float) -> list[Group]:
    """More lonely groups than requests until they are due, and one large one."""
    return [*(small(f"order {n}", due_in + n / 10) for n in range(20)), large("big", 1000.0)]


def test_small_groups_wait_while_a_large_one_can_go() -> None:
    policy = turn_and_price()
    assert titles(policy.choose(crowded(30.0), NOW)) == ("big", 1)
    assert policy.last_price == 2


def test_when_a_small_group_is_due_all_its_small_siblings_that_are_due_soon_go_with_it() -> None:
    groups = [*crowded(5.0), small("later", 700.0), small("stranger", 20.0, coarse="other")]
    choice = turn_and_price().choose(groups, NOW)
    assert titles(choice) == ("coarse", 20)
    assert choice is not None
    assert choice.level == 1


def test_a_head_that_is_due_no_later_goes_before_a_due_small_group() -> None:
    groups = [*crowded(5.0), large("overdue", -1.0)]
    assert titles(turn_and_price().choose(groups, NOW)) == ("overdue", 1)


def test_without_any_group_worth_the_price_the_first_in_turn_goes() -> None:
    groups = [small(f"order {n}", 30.0 + n / 10) for n in range(20)]
    assert titles(turn_and_price().choose(groups, NOW)) == ("order 0", 1)


def test_groups_of_other_policies_for_doubts_stay_out_of_the_company() -> None:
    groups = [*crowded(5.0), small("stop", 5.0, on_unsure=OnUnsure.STOP)]
    assert titles(turn_and_price().choose(groups, NOW)) == ("coarse", 20)


def test_an_open_group_of_the_coarser_wording_joins() -> None:
    coarse = group(command("coarse", arrived=NOW.now - WITHIN + 100.0))
    assert titles(turn_and_price().choose([*crowded(5.0), coarse], NOW)) == ("coarse", 21)


def test_a_small_group_that_cannot_be_coarsened_goes_alone_when_it_is_due() -> None:
    groups = [*crowded(5.0), small("rigid", 1.0, ladder=False)]
    assert titles(turn_and_price().choose(groups, NOW)) == ("rigid", 1)


def test_while_the_price_is_high_unique_groups_stand_merged() -> None:
    groups = [small(f"order {n}", 600.0 + n, unique=(True, False)) for n in range(5)]
    assert titles(turn_and_price().choose(groups, NOW)) == ("order 0", 1)
    assert titles(TurnAndPrice(last_price=2).choose(groups, NOW)) == ("coarse", 5)


def test_in_overload_weighted_slack_decides() -> None:
    groups = [small(f"order {n}", -400.0) for n in range(3)]
    assert list(turn_and_price().line(groups, NOW)) == list(slack_with_ladder.line(groups, NOW))
    patient = TurnAndPrice(Prices(overload_seconds=1e9))
    assert titles(patient.choose(groups, NOW)) == ("coarse", 3)


def test_a_batch_of_several_parcels_is_filled_with_those_worth_the_price_first() -> None:
    moment = NOW._replace(capacity=Capacity(3, 1000))
    groups = [*(small(f"order {n}", 5.0 + n / 10) for n in range(60)), small("other", 700.0), large("big", 1000.0)]
    line = list(turn_and_price().line(groups, moment))
    assert [titles(choice) for choice in line] == [("coarse", 60), ("big", 1), ("other", 1)]


@pytest.mark.parametrize("size", [1, 40])
def test_every_group_stands_in_the_line_once(size: int) -> None:
    groups = [small(f"order {n}", 3.0 * n, size=size if n % 3 else 1) for n in range(30)]
    for last_price in (0, 2):
        line = list(TurnAndPrice(last_price=last_price).line(groups, NOW))
        assert sorted(id(each) for choice in line for each in choice.groups) == sorted(map(id, groups))
        assert all(choice.message in (wording("coarse"), choice.groups[0].message) for choice in line)


def test_small_groups_of_several_wordings_that_fall_due_together_do_not_wait_for_the_last_gap() -> None:
    """Five wordings due within four gaps: the last would be late if the large group went first."""
    due = [small(f"order {n}.{k}", 4.0 * GAP, coarse=f"coarse {n}") for n in range(5) for k in range(8)]
    assert titles(turn_and_price().choose([*due, large("big", 1000.0)], NOW)) == ("coarse 0", 8)
    assert titles(turn_and_price().choose([*due[8:], large("big", 1000.0)], NOW))[0] == "coarse 1"
    assert titles(turn_and_price().choose([*due[16:], large("big", 1000.0)], NOW)) == ("big", 1)


def ladder_of_three(orders: int, shops: int) -> list[Group]:
    """Lonely groups, due at once, of so many orders at each of so many shops."""
    arrived = NOW.now + GAP - WITHIN
    under = terms(within=WITHIN)
    return [
        group(command(f"order {n} at {shop}", f"shop {shop}", "any", arrived=arrived + n, under=under))
        for shop in range(shops)
        for n in range(orders)
    ]


def test_of_three_steps_one_is_taken_where_it_makes_nobody_later_than_two() -> None:
    choice = turn_and_price().choose(ladder_of_three(orders=20, shops=1), NOW)
    assert choice is not None
    assert (choice.message.title, choice.level, len(choice.groups)) == ("shop 0", 1, 20)


def test_of_three_steps_two_are_taken_where_one_is_not_enough() -> None:
    choice = turn_and_price().choose(ladder_of_three(orders=2, shops=20), NOW)
    assert choice is not None
    assert (choice.message.title, choice.level, len(choice.groups)) == ("any", 2, 40)


def test_a_crowd_of_unique_texts_stands_merged_whatever_the_last_price() -> None:
    """Their own requests would take longer than any of them may wait."""
    crowd = [small(f"order {n}", 1500.0, unique=(True, False)) for n in range(int(WITHIN / GAP) + 1)]
    assert titles(turn_and_price().choose(crowd, NOW)) == ("coarse", len(crowd))
    assert titles(turn_and_price().choose(crowd[1:], NOW)) == ("order 1", 1)


def test_unique_groups_that_stand_merged_go_when_they_are_due() -> None:
    groups = [*(small(f"order {n}", 5.0 + n, unique=(True, False)) for n in range(20)), *crowded(900.0)[20:]]
    policy = TurnAndPrice(Prices(ladder=(30,)), last_price=2)
    choice = policy.choose(groups, NOW)
    assert titles(choice) == ("coarse", 20)
    assert choice is not None
    assert choice.level == 1
