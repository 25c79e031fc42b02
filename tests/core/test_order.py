"""The order of very many groups is kept while they come, grow and go."""

from collections.abc import Iterable

from consumer.core.group import Group
from consumer.core.model import Message, OnUnsure, Priority
from consumer.core.order import Order
from consumer.core.rows import Entry
from consumer.core.sizes import Sizes
from tests.core.waiting import SHELF, command, group, join, leave, terms

REPEAT = OnUnsure.REPEAT


def order_of(*groups: Group) -> Order:
    order = Order(Sizes(), 300.0, SHELF.look)
    for each in groups:
        order.see(each)
    return order


def titles(order: Order) -> list[str]:
    return [each for _, row in order.rows for each in told(order, row)]


def told(order: Order, entries: Iterable[Entry]) -> list[str]:
    groups = [order.group(who) for _, _, _, who in entries]
    return [group.message.title for group in groups if group is not None]


def test_groups_stand_in_turn_in_the_row_of_their_priority_and_policy() -> None:
    urgent, stop = terms(Priority.URGENT), terms(on_unsure=OnUnsure.STOP)
    order = order_of(
        group(command("B", arrived=2.0)), group(command("A", arrived=1.0)),
        group(command("U", under=urgent)), group(command("S", under=stop)),
    )  # fmt: skip
    rows = [(on_unsure, told(order, row)) for on_unsure, row in order.rows]
    assert rows == [(REPEAT, ["A", "B"]), (REPEAT, ["U"]), (OnUnsure.STOP, ["S"])]
    assert len(order) == 4


def test_a_group_that_grows_moves_forward_and_one_that_ends_is_gone() -> None:
    grown, other = group(command("A", arrived=5.0)), group(command("B", arrived=1.0))
    order = order_of(grown, other)
    assert titles(order) == ["B", "A"]
    for _ in range(20):
        join(grown, command("A", arrived=5.0))
        order.see(grown)
    assert titles(order) == ["A", "B"]
    for each in list(grown):
        leave(grown, each)
    order.see(grown)
    assert titles(order) == ["B"]


def test_a_group_that_ended_before_anybody_saw_it_takes_no_place() -> None:
    ended = group(command("A"))
    leave(ended, ended.first())
    order = order_of(ended)
    assert (len(order), order.rows) == (0, [])


def test_a_group_that_hardly_changed_stays_where_it_is() -> None:
    grown = group(command("A"))
    order = order_of(grown)
    (before,) = (row.first for _, row in order.rows)
    assert order.group(before[3]) is grown
    join(grown, command("A"))
    order.see(grown)
    assert [row.first for _, row in order.rows] == [(*before[:3], grown)]


def company(order: Order, text: str) -> list[str]:
    return told(order, order.company(Message(text, ""), REPEAT))


def test_a_coarser_wording_knows_all_who_may_go_in_it() -> None:
    ladders = [group(command("A", "shop", "any", arrived=2.0)), group(command("B", "any", "any", arrived=1.0))]
    rigid = group(command("C", "shop", under=terms(ladder=False)))
    order = order_of(*ladders, rigid, group(command("shop")))
    assert (company(order, "shop"), company(order, "any"), company(order, "else")) == (["A"], ["B", "A"], [])
    for each in ladders:
        leave(each, each.first())
        order.see(each)
    assert (company(order, "shop"), company(order, "any")) == ([], [])
    assert order.steps == 0


def test_so_many_different_messages_are_left_after_so_many_steps() -> None:
    order = order_of(
        group(command("A", "shop 1", "any")), group(command("B", "shop 2", "any")), group(command("C", "generic"))
    )
    assert order.steps == 2
    assert [order.wordings(steps) for steps in (1, 2)] == [3, 2]
