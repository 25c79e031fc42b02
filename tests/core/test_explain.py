"""Why an open group waits can be asked at any time, and the question changes nothing."""

from consumer.core.explain import Waiting
from consumer.core.model import Bounds, Capacity, Command
from consumer.core.outbox import Outbox
from consumer.core.price import TurnAndPrice, turn_and_price
from consumer.core.turn import Policy, fifo
from tests.core.waiting import command, terms

GAP = 6.0
ONE = Capacity(1, 1000)


def outbox_of(*commands: Command, policy: Policy | None = None) -> Outbox:
    outbox = Outbox(Bounds(), policy or turn_and_price())
    for each in commands:
        outbox.put(each)
    return outbox


def test_each_group_shows_its_size_age_slack_and_when_it_goes() -> None:
    outbox = outbox_of(command("B", arrived=40.0), command("A", arrived=10.0), command("A", arrived=20.0))
    assert outbox.explain(100.0, GAP, ONE) == [
        Waiting("A", 0, 2, age_seconds=90.0, slack_seconds=1710.0, rank=0, goes_in_seconds=0.0),
        Waiting("B", 0, 1, age_seconds=60.0, slack_seconds=1740.0, rank=1, goes_in_seconds=GAP),
    ]
    assert len(outbox.explain(100.0, GAP, ONE, limit=1)) == 1
    assert outbox_of().explain(100.0, GAP, ONE) == []


def test_a_group_that_fills_several_parcels_keeps_the_next_one_waiting() -> None:
    outbox = outbox_of(*(command("A") for _ in range(5)), command("B", arrived=900.0))
    rows = outbox.explain(1000.0, GAP, Capacity(2, 2))
    assert [(row.title, row.rank, row.goes_in_seconds) for row in rows] == [("A", 0, 0.0), ("B", 3, GAP)]
    alone = outbox_of(command("A"), command("A", arrived=1.0), command("B", arrived=2.0), policy=fifo)
    assert [(row.title, row.rank) for row in alone.explain(10.0, GAP, ONE)] == [("A", 0), ("B", 2)]


def test_merged_groups_share_a_rank_and_show_the_level_at_which_they_would_go() -> None:
    crowd = [command(f"order {n}", "coarse", arrived=n / 10) for n in range(30)]
    rows = outbox_of(*crowd).explain(1800.0, GAP, ONE)
    assert {(row.level, row.rank) for row in rows} == {(1, 0)}
    assert len(rows) == 30


def test_the_question_does_not_change_what_a_policy_remembers() -> None:
    policy = TurnAndPrice(last_price=7)
    outbox_of(command("A"), policy=policy).explain(0.0, GAP, ONE)
    assert policy.last_price == 7


def test_of_very_many_groups_the_first_in_the_kept_order_are_shown() -> None:
    urgent = terms(within=60.0)
    outbox = outbox_of(*(command(f"order {n}") for n in range(1001)), command("hasty", under=urgent))
    rows = outbox.explain(0.0, GAP, ONE, limit=20)
    assert (rows[0].title, len(rows)) == ("hasty", 20)
