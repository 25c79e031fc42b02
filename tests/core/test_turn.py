"""Policies rank groups; a small simulated lane shows what comes of it."""

from collections.abc import Sequence

import pytest

from consumer.core.group import Group
from consumer.core.model import Bounds, Capacity, Command, OnUnsure, Parcel, Priority
from consumer.core.outbox import Outbox
from consumer.core.turn import (
    Choice,
    InOrder,
    Moment,
    Policy,
    SlackWithLadder,
    fifo,
    largest,
    oldest,
    slack_with_ladder,
    weighted_slack,
)  # fmt: skip
from tests.core.waiting import command, group, terms, wording

NOW = Moment(1000.0, 6.0, Capacity(1, 1000))
GAP = 6.0


def titles(line: Sequence[Choice]) -> list[str]:
    return [choice.message.title for choice in line]


def crowd(text: str, size: int, *ladder: str, **more: float) -> Group:
    return group(*(command(text, *ladder, **more) for _ in range(size)))  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", [fifo, oldest, largest, slack_with_ladder])
def test_nothing_waits_so_nothing_is_chosen(policy: Policy) -> None:
    assert policy.choose([], NOW) is None


def test_simple_policies_rank_by_age_or_size() -> None:
    groups = [crowd("A", 2, arrived=5.0), crowd("B", 1, arrived=1.0), crowd("C", 3, arrived=9.0)]
    assert titles(list(oldest.line(groups, NOW))) == ["B", "A", "C"]
    assert titles(list(largest.line(groups, NOW))) == ["C", "A", "B"]
    assert oldest.choose(groups, NOW) == Choice((groups[1],), wording("B"), 0)
    assert fifo.choose(groups, NOW) == Choice((groups[1],), wording("B"), 0, most=1)


def test_a_policy_can_be_made_of_any_score() -> None:
    groups = [crowd("A", 2), crowd("B", 1)]
    assert titles(list(InOrder(lambda each, _: -each.size).line(groups, NOW))) == ["B", "A"]


def test_worth_grows_with_weight_size_and_haste_up_to_what_a_request_carries() -> None:
    calm = crowd("A", 2, arrived=1000.0)
    assert weighted_slack(calm, NOW) == pytest.approx(4 * 2 / 1.02)
    assert weighted_slack(crowd("A", 2, arrived=100.0), NOW) == pytest.approx(4 * 2 / 0.52)
    late = crowd("A", 2, arrived=-9e9)
    assert weighted_slack(late, NOW) == pytest.approx(4 * 2 / 0.02)
    assert weighted_slack(late, NOW._replace(capacity=Capacity(1, 1))) == pytest.approx(4 / 0.02)
    urgent = group(command("A", arrived=1000.0, under=terms(Priority.URGENT)))
    assert weighted_slack(urgent, NOW) == pytest.approx(16 / 1.02)


def test_a_route_that_wants_no_wait_at_all_is_simply_due() -> None:
    assert weighted_slack(group(command("A", under=terms(within=0.0))), NOW) == pytest.approx(4 / 0.02)


def test_full_detail_is_kept_while_everybody_is_in_time() -> None:
    groups = [crowd(text, 1, "coarse", arrived=1000.0) for text in "ABC"]
    assert titles(list(slack_with_ladder.line(groups, NOW))) == ["A", "B", "C"]


def test_small_groups_that_would_be_late_are_merged_and_go_together() -> None:
    groups = [crowd(text, 1, "coarse", arrived=1000.0 - 1800.0 + 3.0 * at) for at, text in enumerate("ABCD")]
    line = list(slack_with_ladder.line(groups, NOW))
    assert titles(line) == ["coarse", "A"]
    assert line[0] == Choice(tuple(groups[1:]), wording("coarse"), 1)


def test_what_is_late_already_is_merged_even_if_it_stands_first() -> None:
    groups = [crowd(text, 1, "coarse", arrived=-5000.0) for text in "AB"]
    assert slack_with_ladder.choose(groups, NOW) == Choice(tuple(groups), wording("coarse"), 1)


def test_groups_of_different_policies_for_doubts_are_never_merged() -> None:
    stop = terms(on_unsure=OnUnsure.STOP)
    groups = [
        group(command(text, "coarse", arrived=-5000.0, under=under)) for text in "AB" for under in (terms(), stop)
    ]
    choices = list(slack_with_ladder.line(groups, NOW))
    assert [{each.terms.on_unsure for each in choice.groups} == {choice.on_unsure} for choice in choices] == [
        True,
        True,
    ]


def test_a_route_without_ladder_keeps_its_detail_however_late() -> None:
    rigid = terms(ladder=False)
    groups = [group(command(text, "coarse", arrived=-5000.0, under=rigid)) for text in "AB"]
    assert titles(list(slack_with_ladder.line(groups, NOW))) == ["A", "B"]


def test_a_large_group_takes_as_many_turns_as_it_fills() -> None:
    moment = NOW._replace(capacity=Capacity(1, 10))
    big = crowd("big", 40, arrived=-5000.0)
    groups = [big, crowd("A", 1, "coarse", arrived=-785.0), crowd("B", 1, "coarse", arrived=-780.0)]
    line = list(slack_with_ladder.line(groups, moment))
    assert titles(line) == ["big", "coarse"]


def test_a_merged_group_is_worth_no_more_than_a_request_carries() -> None:
    moment = NOW._replace(capacity=Capacity(1, 2))
    groups = [crowd(text, 1, "coarse", arrived=-5000.0) for text in "ABCD"]
    urgent = group(command("U", arrived=-5000.0, under=terms(Priority.URGENT)))
    line = list(slack_with_ladder.line([*groups, urgent], moment))
    assert titles(line) == ["U", "coarse"]


def test_several_parcels_a_request_bring_everybody_forward() -> None:
    groups = [crowd(text, 1, "coarse", arrived=1000.0 - 1800.0 + 3.0 * at) for at, text in enumerate("ABCD")]
    moment = NOW._replace(capacity=Capacity(4, 1))
    assert titles(list(slack_with_ladder.line(groups, moment))) == ["A", "B", "C", "D"]


def ladder_of_three(arrived: float) -> list[Group]:
    return [crowd(f"{shop}{n}", 1, f"shop {shop}", "any", arrived=arrived) for shop in "AB" for n in range(3)]


def test_of_three_steps_the_middle_one_is_taken_when_it_is_enough() -> None:
    line = list(slack_with_ladder.line(ladder_of_three(1000.0 - 1800.0 + 2 * GAP), NOW))
    assert titles(line) == ["shop B", "A0", "A1", "A2"]


def test_of_three_steps_the_last_one_is_taken_when_the_middle_one_makes_somebody_later() -> None:
    line = list(slack_with_ladder.line(ladder_of_three(-5000.0), NOW))
    assert titles(line) == ["any"]


def test_of_very_many_groups_only_the_first_in_rank_are_walked() -> None:
    groups = [crowd(text, 1, arrived=-float(at)) for at, text in enumerate("ABC")]
    assert titles(list(SlackWithLadder(most_groups=2).line(groups, NOW))) == ["C", "B"]


# --- a lane in virtual time -------------------------------------------------------------------------------------------


class Lane:
    """Ten requests a minute of up to a thousand recipients, from an outbox with everything in it from the start."""

    def __init__(self, commands: Sequence[Command], policy: Policy) -> None:
        self.outbox = Outbox(Bounds(), policy)
        self.sent: list[tuple[float, Parcel]] = []
        self.expired = 0
        for each in commands:
            self.outbox.put(each)

    def run(self) -> None:
        now = 0.0
        while self.outbox.waiting:
            self.expired += len(self.outbox.expire(now))
            self.sent.extend((now, parcel) for parcel in self.outbox.take(now, GAP, Capacity(1, 1000)))
            now += GAP

    @property
    def titles(self) -> list[str]:
        return [parcel.message.title for _, parcel in self.sent]


def test_sixty_order_messages_leave_in_the_order_of_the_policy() -> None:
    kinds = (terms(Priority.URGENT, 300.0), terms(Priority.NORMAL, 1800.0), terms(Priority.LOW, 7200.0))
    commands = [command(f"order {n}", arrived=-float(n * 7 % 60), under=kinds[n % 3]) for n in range(60)]
    lane = Lane(commands, slack_with_ladder)
    before: list[Choice | None] = []
    now = 0.0
    while lane.outbox.waiting:
        before.append(slack_with_ladder.choose(lane.outbox.groups(), Moment(now, GAP, Capacity(1, 1000))))
        lane.sent.extend((now, parcel) for parcel in lane.outbox.take(now, GAP, Capacity(1, 1000)))
        now += GAP
    assert lane.titles == [choice.message.title for choice in before if choice]
    assert now == 60 * GAP
    for kind in kinds:
        of_kind = [parcel.commands[0].arrived for _, parcel in lane.sent if parcel.commands[0].terms is kind]
        assert of_kind == sorted(of_kind), "within a kind the oldest goes first"
    priorities = [parcel.commands[0].terms.priority for _, parcel in lane.sent]
    assert priorities[:20] == [Priority.URGENT] * 20


def test_ten_thousand_equal_messages_leave_in_ten_requests() -> None:
    lane = Lane([command("Your bonus") for _ in range(10_000)], slack_with_ladder)
    lane.run()
    assert [len(parcel.commands) for _, parcel in lane.sent] == [1000] * 10


def overload(*, ladder: bool) -> list[Command]:
    """Three hundred messages, of which a quarter of an hour carries half."""
    under = terms(within=300.0, ladder=ladder)
    return [command(f"order {n} is ready", "An order is ready", under=under, ttl=900.0) for n in range(300)]


def test_under_overload_nobody_expires_with_a_coarser_wording() -> None:
    lane = Lane(overload(ladder=True), SlackWithLadder())
    lane.run()
    assert lane.expired == 0
    assert max(now for now, _ in lane.sent) <= 300.0 + GAP
    assert len({title for title in lane.titles if title != "An order is ready"}) >= 30, "others keep their detail"


def test_without_the_ladder_the_same_overload_expires() -> None:
    lane = Lane(overload(ladder=False), SlackWithLadder())
    lane.run()
    assert lane.expired == 150
