"""Lanes that make many requests a second decide by the kept order, with the same rule."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest

from consumer.core.brisk import brisk_line, free_line
from consumer.core.group import Group
from consumer.core.model import Capacity, OnUnsure, Priority
from consumer.core.order import Order
from consumer.core.price import TurnAndPrice
from consumer.core.prices import Prices
from consumer.core.sizes import Sizes
from consumer.core.turn import Choice, Moment, weighted_slack
from tests.core.waiting import SHELF, command, group, leave, terms

WITHIN = 1800.0
GAP = 1.0
NOW = Moment(10_000.0, GAP, Capacity(2, 1000))


def small(text: str, due_in: float, *coarser: str, size: int = 1, **more: object) -> Group:
    under = replace(terms(within=WITHIN), **more)  # type: ignore[arg-type]
    arrived = NOW.now + due_in - under.deliver_within_seconds
    return group(*(command(text, *coarser, arrived=arrived, under=under) for _ in range(size)))


def order_of(groups: Iterable[Group]) -> Order:
    sizes = Sizes()
    order = Order(sizes, Prices().patience, SHELF.look)
    for each in groups:
        sizes.move(0, each.size, may_coarsen=each.may_coarsen)
        order.see(each)
    return order


def line(groups: Iterable[Group], moment: Moment = NOW) -> list[Choice]:
    return list(brisk_line(order_of(groups), moment, Prices()))


def titles(choices: Iterable[Choice]) -> list[tuple[str, int]]:
    return [(choice.message.title, len(choice.groups)) for choice in choices]


def crowd(number: int, due_in: float, *coarser: str, **more: object) -> list[Group]:
    return [small(f"order {each}", due_in + each / 1000, *coarser, **more) for each in range(number)]  # type: ignore[arg-type]


def test_nothing_waits_so_nothing_goes() -> None:
    assert line([]) == []


def test_while_nobody_will_be_late_everything_goes_in_turn_and_full_detail() -> None:
    choices = line([small("C", 900.0, "coarse"), small("A", 300.0, "coarse"), small("B", 600.0, priority=Priority.LOW)])
    assert titles(choices) == [("A", 1), ("B", 1), ("C", 1)]
    assert {choice.level for choice in choices} == {0}


def test_only_the_first_in_turn_are_looked_at() -> None:
    assert len(line([*crowd(100, 900.0), *crowd(100, 900.0, priority=Priority.LOW)])) == 108


def test_a_small_group_that_is_due_goes_with_its_small_siblings_where_they_would_be_late() -> None:
    groups = [*crowd(2000, 1.0, "coarse"), small("later", 500.0, "coarse"), small("other", 30.0, "else")]
    first = line(groups)[0]
    assert (first.message.title, first.level) == ("coarse", 1)
    assert len(first.groups) == 1000
    assert not {"later", "other"} & {each.message.title for each in first.groups}


def test_siblings_that_are_not_due_soon_stay_out_of_the_company() -> None:
    hasty = small("hasty", 500.0, "coarse", size=200, deliver_within_seconds=1000.0)
    first = line([*crowd(500, 1.0, "coarse"), hasty, small("later", 500.0, "coarse")])[0]
    assert titles([first]) == [("coarse", 500)]


def test_a_group_worth_the_price_keeps_its_detail_and_small_ones_that_can_wait_come_last() -> None:
    groups = [*crowd(400, 50.0, "coarse"), small("large", 340.0, "coarse", size=60)]
    assert titles(line(groups)[:2]) == [("large", 1), ("order 0", 1)]
    groups[0] = small("due", 1.0, "coarse")
    assert titles(line(groups)[:2]) == [("coarse", 400), ("large", 1)]


def test_what_may_not_be_coarsened_goes_in_its_turn() -> None:
    groups = [small("rigid", 0.5, "coarse", ladder=False), *crowd(2000, 1.0, "coarse")]
    assert titles(line(groups)[:2]) == [("rigid", 1), ("coarse", 1000)]


def test_where_a_parcel_carries_one_recipient_merging_saves_nothing() -> None:
    choices = line(crowd(2000, 1.0, "coarse"), NOW._replace(capacity=Capacity(2, 1)))
    assert {choice.level for choice in choices} == {0}


def test_all_choices_share_the_policy_for_doubts_of_the_first() -> None:
    groups = [small("stop", 100.0, on_unsure=OnUnsure.STOP), *crowd(5, 200.0)]
    assert titles(line(groups)) == [("stop", 1)]


def test_in_overload_an_urgent_one_passes_a_hopeless_backlog() -> None:
    backlog = crowd(1000, -4000.0, priority=Priority.LOW)
    urgent = small("urgent", 20.0, priority=Priority.URGENT, deliver_within_seconds=120.0)
    fresh = small("fresh", 1700.0)
    choices = line([*backlog, urgent, fresh])
    assert titles(choices)[0] == ("urgent", 1)
    assert ("fresh", 1) not in titles(choices)


def test_a_group_that_an_earlier_parcel_took_is_passed_over() -> None:
    groups = crowd(4, 900.0)
    for moment, due_in in ((NOW, 900.0), (NOW, -4000.0)):
        groups = crowd(4, due_in)
        walk = brisk_line(order_of(groups), moment, Prices())
        assert next(walk).groups == (groups[0],)
        leave(groups[1], groups[1].first())
        assert titles(walk) == [("order 2", 1), ("order 3", 1)]


def test_a_small_group_that_waited_for_the_rest_of_the_room_may_be_gone_by_then() -> None:
    groups = crowd(400, 50.0, "coarse")
    walk = brisk_line(order_of(groups), NOW, Prices())
    assert titles([next(walk)]) == [("order 0", 1)]
    leave(groups[1], groups[1].first())
    assert titles([next(walk)]) == [("order 2", 1)]


def test_of_longer_ladders_the_fewest_steps_are_taken_that_make_nobody_later() -> None:
    def ladders(orders: int, shops: int) -> list[Group]:
        return [small(f"{n} at {s}", 2.0 + n / 10, f"shop {s}", "any") for s in range(shops) for n in range(orders)]

    one, two = line(ladders(300, 2))[0], line(ladders(3, 200))[0]
    assert (one.message.title, one.level) == ("shop 0", 1)
    assert (two.message.title, two.level) == ("any", 2)


FREE = Moment(NOW.now, 0.0, Capacity(1, 1))


def free(groups: Iterable[Group], moment: Moment = FREE) -> list[Choice]:
    return list(free_line(order_of(groups), moment, Prices()))


def test_without_a_quota_nothing_waits_so_nothing_goes() -> None:
    assert free([]) == []


def test_without_a_quota_everything_goes_in_turn_and_full_detail_also_what_is_late() -> None:
    groups = [small("B", 300.0, "coarse"), small("A", -100.0, "coarse"), small("C", 900.0, priority=Priority.LOW)]
    assert titles(free(groups)) == [("A", 1), ("B", 1), ("C", 1)]
    assert {choice.level for choice in free(groups)} == {0}


def test_without_a_quota_the_most_urgent_of_much_too_late_ones_goes_first() -> None:
    late = [small("low", -900.0, priority=Priority.LOW), small("urgent", -600.0, priority=Priority.URGENT)]
    assert titles(free(late))[0] == ("urgent", 1)


def test_without_a_quota_a_request_has_one_policy_for_lost_answers_and_few_groups_are_looked_at() -> None:
    groups = [*crowd(9, 10.0, on_unsure=OnUnsure.STOP), *crowd(9, 20.0, on_unsure=OnUnsure.REPEAT)]
    choices = free(groups)
    assert {choice.on_unsure for choice in choices} == {OnUnsure.STOP}
    assert len(choices) == 4
    emptied = next(iter(choices)).groups[0]
    line = free_line(order_of(groups), FREE, Prices())
    next(line)
    second = next(line).groups[0]
    assert second is not emptied


def test_without_a_quota_what_an_earlier_parcel_took_is_passed_over() -> None:
    first, second = small("A", 10.0), small("B", 20.0)
    line = free_line(order_of([first, second]), FREE, Prices())
    assert next(line).message.title == "A"
    leave(second, second.first())
    assert list(line) == []


@pytest.mark.parametrize("late_seconds", [0.0, 900.0])
def test_without_a_quota_the_whole_rule_and_the_kept_order_begin_with_the_same_group(late_seconds: float) -> None:
    for seed in range(20):
        dice = Random(seed)
        groups = [
            small(f"order {n}", dice.uniform(1.0, 900.0) - late_seconds, "coarse", priority=dice.choice(list(Priority)))
            for n in range(30)
        ]
        if late_seconds == 0.0:
            assert free(groups)[0] == next(TurnAndPrice().line(groups, FREE))
        else:
            best = max(groups, key=lambda each: weighted_slack(each, FREE))
            assert weighted_slack(free(groups)[0].groups[0], FREE) == weighted_slack(best, FREE)
