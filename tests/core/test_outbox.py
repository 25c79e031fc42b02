"""What waits is grouped late, keeps its threads in order, expires in time and stays within its bound."""

import cProfile
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from consumer.core.group import Group
from consumer.core.model import Bounds, Capacity, Command, Ended, OnUnsure, Outcome, Parcel, Priority
from consumer.core.outbox import Outbox
from consumer.core.room import command_bytes, wordings_bytes
from consumer.core.turn import Choice, Moment, fifo, oldest, slack_with_ladder
from tests.core.waiting import command, terms, wording

ONE = Capacity(1, 1000)
STOP = terms(on_unsure=OnUnsure.STOP)


def outbox_of(*commands: Command, bounds: Bounds | None = None) -> Outbox:
    outbox = Outbox(bounds or Bounds(), slack_with_ladder)
    for each in commands:
        assert outbox.put(each) == ()
    return outbox


def take(outbox: Outbox, capacity: Capacity = ONE, now: float = 10.0) -> tuple[Parcel, ...]:
    return outbox.take(now, 6.0, capacity)


def superseded(each: Command) -> Ended:
    return Ended(each, Outcome.SUPERSEDED, "newer")


# --- groups and requests ----------------------------------------------------------------------------------------------


def test_an_empty_outbox_gives_nothing() -> None:
    outbox = outbox_of()
    assert take(outbox) == ()
    assert (outbox.waiting, outbox.oldest, outbox.next_expiry(), outbox.groups()) == (0, None, None, ())


def test_equal_messages_share_a_group_and_a_request_whatever_their_route() -> None:
    first, second = command("A"), command("A", under=terms(route="other"))
    outbox = outbox_of(first, second, command("B", arrived=5.0))
    assert (outbox.group_count, outbox.open_count) == (2, 3)
    assert second.wordings is first.wordings
    assert take(outbox) == (Parcel(wording("A"), 0, (first, second)),)
    assert (outbox.waiting, outbox.group_count) == (1, 1)


def test_the_same_command_cannot_wait_twice() -> None:
    first = command("A")
    outbox = outbox_of(first)
    with pytest.raises(ValueError, match="waits already"):
        outbox.put(first)


def test_a_request_takes_the_oldest_arrivals_up_to_its_recipients() -> None:
    commands = [command("A", arrived=float(at)) for at in (3, 1, 4, 2)]
    outbox = outbox_of(*commands)
    (parcel,) = take(outbox, Capacity(1, 2))
    assert [each.arrived for each in parcel.commands] == [1.0, 2.0]
    assert outbox.oldest == 3.0


def test_a_recipient_who_is_told_once_is_told_for_all_of_his_commands() -> None:
    rider = command("A", to="anna", arrived=9.0)
    outbox = outbox_of(command("A", to="anna"), command("A", to="boris", arrived=1.0), rider)
    (parcel,) = take(outbox, Capacity(1, 1))
    assert [each.recipient for each in parcel.commands] == ["anna", "anna"]
    assert outbox.open_count == 1
    assert outbox.groups()[0].size == 1


def test_room_left_goes_to_other_groups_for_which_it_is_the_full_message() -> None:
    outbox = outbox_of(
        command("A", "coarse"), command("A", arrived=1.0), command("A", arrived=2.0, under=STOP), command("B", "A")
    )
    (parcel,) = take(outbox)
    assert [each.arrived for each in parcel.commands] == [0.0, 1.0]
    assert outbox.open_count == 2


def test_a_filled_group_lends_its_riders_even_when_the_request_is_full() -> None:
    outbox = outbox_of(
        command("A", "coarse", to="anna"), command("A", to="anna", arrived=1.0), command("A", arrived=1.0)
    )
    (parcel,) = take(outbox, Capacity(1, 1))
    assert [each.recipient for each in parcel.commands] == ["anna", "anna"]


def test_several_parcels_share_one_policy_for_doubts() -> None:
    urgent = terms(Priority.URGENT)
    outbox = outbox_of(command("A", under=urgent), command("B", under=STOP), command("C"), command("D"))
    parcels = take(outbox, Capacity(3, 1))
    assert sorted(parcel.message.title for parcel in parcels) == ["A", "C", "D"]
    assert [parcel.message.title for parcel in take(outbox, Capacity(3, 1))] == ["B"]


def test_parcels_that_are_left_go_to_the_same_groups_again_in_turn() -> None:
    outbox = outbox_of(*(command("A") for _ in range(4)), *(command("B") for _ in range(2)))
    parcels = take(outbox, Capacity(5, 1))
    assert sorted(parcel.message.title for parcel in parcels) == ["A", "A", "A", "B", "B"]
    assert [len(parcel.commands) for parcel in parcels] == [1] * 5
    assert outbox.open_count == 1


def test_a_message_that_goes_alone_has_the_whole_request() -> None:
    marked = Capacity(5, 1, alone=("$result[",))
    outbox = outbox_of(command("A"), command("$RESULT[c1]", arrived=1.0), command("$result[c1]", arrived=1.0))
    outbox.put(command("$result[c1]", arrived=2.0))
    outbox.put(command("B", arrived=3.0))
    titles = [[parcel.message.title for parcel in take(outbox, marked)] for _ in range(4)]
    assert sorted(map(sorted, titles)) == [["$RESULT[c1]"], ["$result[c1]"], ["$result[c1]"], ["A", "B"]]
    assert not Capacity(1, 5, alone=("$result[",)).goes_alone(wording("$result[c1]"))


def test_a_batch_has_no_more_parcels_than_it_may() -> None:
    outbox = outbox_of(*(command(text) for text in "ABCDE"))
    assert len(take(outbox, Capacity(2, 10))) == 2


def test_a_group_that_was_taken_as_company_is_not_offered_again() -> None:
    outbox = outbox_of(command("A", "coarse"), command("A"))
    parcels = take(outbox, Capacity(5, 10))
    assert [len(parcel.commands) for parcel in parcels] == [2]


class Counted:
    """A policy that counts how often it ranks."""

    def __init__(self) -> None:
        self.rankings = 0

    def line(self, groups: Sequence[Group], moment: Moment) -> Iterator[Choice]:
        self.rankings += 1
        return oldest.line(groups, moment)

    def choose(self, groups: Sequence[Group], moment: Moment) -> Choice | None:
        return next(self.line(groups, moment), None)


def test_the_order_of_very_many_groups_is_kept_for_a_little_while() -> None:
    policy = Counted()
    outbox = Outbox(Bounds(), policy)
    for number in range(1100):
        outbox.put(command(f"order {number}", arrived=number / 1000))
    moments = [10.0, 10.5, 11.0, 12.0, 12.5]
    sent = [parcel.message.title for now in moments for parcel in take(outbox, Capacity(10, 1), now)]
    assert sent == [f"order {number}" for number in range(50)]
    assert policy.rankings == 2
    assert len(take(outbox, Capacity(1060, 1), 13.0)) == 1050
    assert policy.rankings == 3
    outbox.put(command("A"))
    assert len(take(outbox, now=13.0)) == 1


def test_what_came_after_the_order_was_made_is_found_when_the_order_is_used_up() -> None:
    policy = Counted()
    outbox = Outbox(Bounds(), policy)
    for number in range(1001):
        outbox.put(command(f"order {number}"))
    assert len(take(outbox, Capacity(900, 1))) == 900
    for number in range(1000):
        outbox.put(command(f"late {number}"))
    assert len(take(outbox, Capacity(200, 1))) == 200
    assert policy.rankings == 2


def test_first_in_first_out_sends_one_recipient_a_request() -> None:
    outbox = Outbox(Bounds(), fifo)
    for each in (command("A", arrived=2.0), command("B", arrived=1.0), command("B", arrived=3.0)):
        outbox.put(each)
    titles = [take(outbox)[0].message.title for _ in range(3)]
    assert titles == ["B", "A", "B"]


# --- threads ----------------------------------------------------------------------------------------------------------


def test_a_newer_command_replaces_the_older_ones_that_wait() -> None:
    old, equal = command("A", thread=1, rank=1), command("A", thread=1, rank=1)
    outbox = outbox_of(old, equal)
    new = command("B", thread=1, rank=2)
    assert set(outbox.put(new)) == {superseded(old), superseded(equal)}
    assert [parcel.commands for parcel in take(outbox)] == [(new,)]


def test_equal_ranks_replace_nobody() -> None:
    outbox = outbox_of(command("A", thread=1, rank=1), command("B", thread=1, rank=1))
    assert outbox.open_count == 2


# Behind 2 ** 53 a float does not tell two neighbours apart; the microseconds of a far year are beyond it.
@pytest.mark.parametrize("rank", [1, 2**53, 2**60])
@pytest.mark.parametrize("state", ["waits", "flies", "was attempted"])
def test_a_command_ends_when_a_newer_one_of_its_thread_is_known(state: str, rank: int) -> None:
    outbox = outbox_of()
    if state != "was attempted":
        outbox.put(command("B", thread=1, rank=rank + 1))
    if state == "flies":
        take(outbox)
    late = command("A", thread=1, rank=rank)
    assert outbox.put(late, attempted=rank + 1 if state == "was attempted" else None) == (superseded(late),)


def test_a_command_waits_when_its_own_rank_was_attempted() -> None:
    outbox = outbox_of()
    assert outbox.put(command("A", thread=1, rank=2), attempted=2) == ()
    assert outbox.open_count == 1


def test_a_newer_command_is_held_while_an_older_one_is_in_flight() -> None:
    first = command("A", thread=1, rank=1)
    outbox = outbox_of(first)
    take(outbox)
    second = command("B", thread=1, rank=2)
    assert outbox.put(second) == ()
    assert (outbox.held, outbox.open_count, outbox.waiting, outbox.oldest) == (1, 0, 1, 0.0)
    assert take(outbox) == ()
    outbox.land(1, 1)
    assert (outbox.held, outbox.open_count) == (0, 1)
    assert take(outbox)[0].commands == (second,)


def test_a_held_command_stays_held_until_the_last_older_one_has_landed() -> None:
    outbox = outbox_of(command("A", thread=1, rank=1), command("A", thread=1, rank=1))
    take(outbox)
    outbox.put(command("B", thread=1, rank=2))
    outbox.land(1, 1)
    assert outbox.held == 1
    outbox.land(1, 1)
    assert outbox.held == 0


def test_a_command_of_the_rank_that_flies_is_not_held() -> None:
    outbox = outbox_of(command("A", thread=1, rank=1))
    take(outbox)
    outbox.put(command("B", thread=1, rank=1))
    assert outbox.held == 0


def test_a_deferred_command_ends_when_a_newer_one_was_held_behind_it() -> None:
    first = command("A", thread=1, rank=1)
    outbox = outbox_of(first)
    take(outbox)
    outbox.put(command("B", thread=1, rank=2))
    assert outbox.put_back(first, attempted=1) == (superseded(first),)
    assert (outbox.open_count, outbox.held) == (1, 0)


def test_a_command_that_comes_back_keeps_its_age() -> None:
    first = command("A", arrived=3.0)
    outbox = outbox_of(first)
    take(outbox)
    assert outbox.put_back(first) == ()
    assert outbox.oldest == 3.0


def test_a_doubt_found_at_recovery_holds_what_is_newer_and_ends_what_is_older() -> None:
    older, equal, newer = (command(text, thread=number, rank=number) for number, text in enumerate("ABC", 1))
    other = command("D", thread=9, rank=1)
    outbox = outbox_of(older, equal, newer, other)
    assert [outbox.fly(number, 2) for number in (1, 2, 3)] == [(superseded(older),), (), ()]
    assert outbox.fly(None, 2) == ()
    assert (outbox.held, outbox.open_count) == (1, 2)
    outbox.fly(3, 2)
    outbox.land(3, 2)
    outbox.land(3, 2)
    outbox.land(None, 2)
    assert outbox.held == 0


def test_landing_what_does_not_fly_is_a_bug() -> None:
    outbox = outbox_of(command("A", thread=1, rank=1))
    with pytest.raises(ValueError, match="in flight"):
        outbox.land(1, 1)
    take(outbox)
    with pytest.raises(ValueError, match="in flight"):
        outbox.land(1, 2)
    with pytest.raises(ValueError, match="in flight"):
        outbox.land(2, 1)


# --- ends without a request -------------------------------------------------------------------------------------------


def test_what_reaches_its_deadline_ends_and_is_never_taken() -> None:
    stale, fresh = command("A", ttl=5.0), command("A", ttl=50.0)
    outbox = outbox_of(stale, fresh)
    assert outbox.next_expiry() == 5.0
    (parcel,) = take(outbox, now=5.0)
    assert parcel.commands == (fresh,)
    assert (outbox.waiting, outbox.open_count, outbox.next_expiry(), outbox.oldest) == (1, 0, 5.0, 0.0)
    assert outbox.expire(5.0) == (Ended(stale, Outcome.EXPIRED, "ttl"),)
    assert (outbox.waiting, outbox.next_expiry()) == (0, None)


def test_a_held_command_expires_too() -> None:
    outbox = outbox_of(command("A", thread=1, rank=1))
    take(outbox)
    held = command("B", thread=1, rank=2, ttl=20.0)
    outbox.put(held)
    assert outbox.expire(20.0) == (Ended(held, Outcome.EXPIRED, "ttl"),)
    outbox.land(1, 1)
    assert outbox.waiting == 0


def test_an_overdue_command_does_not_come_back_when_its_thread_lands() -> None:
    outbox = outbox_of(command("A", thread=1, rank=1))
    take(outbox)
    outbox.put(command("B", thread=1, rank=2, ttl=20.0))
    assert take(outbox, now=30.0) == ()
    outbox.land(1, 1)
    outbox.fly(1, 1)
    assert (outbox.open_count, outbox.held, outbox.waiting) == (0, 0, 1)


def test_an_overdue_command_can_still_be_superseded_but_ends_once() -> None:
    stale = command("A", thread=1, rank=1, ttl=5.0)
    outbox = outbox_of(stale)
    take(outbox, now=6.0)
    assert outbox.put(command("B", thread=1, rank=2)) == (superseded(stale),)
    assert outbox.expire(6.0) == ()


def test_a_command_that_is_expired_already_is_put_and_then_ends() -> None:
    outbox = outbox_of(command("A", ttl=-5.0))
    assert outbox.waiting == 1
    assert len(outbox.expire(0.0)) == 1


def test_a_command_that_ended_elsewhere_is_removed() -> None:
    first, second = command("A", thread=1, rank=1), command("A")
    outbox = outbox_of(first, second)
    assert outbox.remove(first)
    assert not outbox.remove(first)
    assert (outbox.waiting, outbox.groups()[0].size) == (1, 1)


def test_letting_go_keeps_what_flies() -> None:
    outbox = outbox_of(command("A", thread=1, rank=1))
    take(outbox)
    outbox.put(command("B", thread=1, rank=2))
    outbox.put(command("C", ttl=1.0))
    outbox.put(command("D"))
    take(outbox, now=2.0)
    assert outbox.clear() == 2
    assert (outbox.waiting, outbox.waiting_bytes, outbox.next_expiry(), outbox.group_count) == (0, 0, None, 0)
    outbox.land(1, 1)


def test_entries_of_what_is_gone_do_not_pile_up() -> None:
    outbox = outbox_of(command("A", arrived=1.0))
    deferred = command("A")
    outbox.put(deferred)
    for _ in range(3000):
        outbox.remove(deferred)
        outbox.put(deferred)
    assert len(outbox._deadlines) < 1100
    crowd = outbox.groups()[0]._crowd
    assert crowd is not None
    assert len(crowd._line) < 100
    assert outbox.oldest == 0.0
    for _ in range(2000):
        outbox.take(0.0, 6.0, ONE)
        outbox.put_back(deferred)
        outbox.remove(deferred)
        outbox.put(deferred)
    assert outbox.next_expiry() == 7200.0


def test_a_deadline_of_something_gone_is_not_the_next_expiry() -> None:
    gone = command("A", ttl=1.0)
    outbox = outbox_of(gone, command("A", ttl=9.0))
    outbox.remove(gone)
    assert outbox.next_expiry() == 9.0
    gone_later = command("A", ttl=3.0)
    outbox.put(gone_later)
    outbox.remove(gone_later)
    assert outbox.expire(5.0) == ()


# --- the bound --------------------------------------------------------------------------------------------------------


def test_the_bound_counts_commands() -> None:
    outbox = outbox_of(command("A"), bounds=Bounds(commands=2))
    assert outbox.has_room("shop.orders")
    second = command("A")
    outbox.put(second)
    assert not outbox.has_room("shop.orders")
    outbox.remove(second)
    assert outbox.has_room("shop.orders")


def test_the_bound_counts_bytes() -> None:
    first = command("A", "B")
    size = command_bytes(first) + wordings_bytes(first.wordings)
    outbox = outbox_of(first, bounds=Bounds(bytes=size + 1))
    assert outbox.waiting_bytes == size
    assert outbox.has_room("shop.orders")
    outbox.put(command("A", "B"))
    assert outbox.waiting_bytes < 2 * size
    assert not outbox.has_room("shop.orders")


def test_a_named_source_has_its_share_and_the_others_share_the_rest() -> None:
    bounds = Bounds(commands=100, shares={"backfill": 0.25})
    outbox = outbox_of(*(command("A", source="backfill") for _ in range(25)), bounds=bounds)
    assert not outbox.has_room("backfill")
    assert outbox.has_room("shop.orders")
    assert outbox.has_room("shop.bonuses")
    for _ in range(38):
        outbox.put(command("A", source="shop.orders"))
    assert not outbox.has_room("shop.orders")
    assert outbox.has_room("shop.bonuses")


def test_shares_of_more_than_all_leave_the_others_a_twentieth() -> None:
    outbox = outbox_of(command("A"), bounds=Bounds(commands=40, shares={"backfill": 1.5}))
    assert outbox.has_room("shop.orders")
    outbox.put(command("A"))
    assert not outbox.has_room("shop.orders")


def test_the_bytes_of_a_share_are_counted_too() -> None:
    outbox = outbox_of(command("A"), bounds=Bounds(bytes=4000, shares={"shop.orders": 0.25, "other": 0.25}))
    assert not outbox.has_room("shop.orders")
    assert outbox.has_room("other")


def test_the_time_to_clear_counts_requests() -> None:
    outbox = outbox_of(*(command("A") for _ in range(5)), command("B"))
    assert outbox.seconds_to_clear(6.0, Capacity(1, 2)) == 24.0
    assert outbox.seconds_to_clear(0.5, Capacity(3, 2)) == 1.0


def test_a_policy_may_be_any() -> None:
    outbox = Outbox(Bounds(), oldest)
    outbox.put(replace(command("A"), arrived=5.0))
    outbox.put(command("B", arrived=1.0))
    assert take(outbox)[0].message == wording("B")


def test_one_name_with_very_many_equal_messages_costs_no_more_for_each() -> None:
    """Told once for all of them; counted in calls, which are the same for each command however many there are."""

    def calls(count: int) -> float:
        outbox = outbox_of(*(command("A", to="me") for _ in range(count)))
        profile = cProfile.Profile()
        profile.enable()
        (parcel,) = outbox.take(0.0, 6.0, ONE)
        profile.disable()
        assert len(parcel.commands) == count
        return sum(entry.callcount for entry in profile.getstats()) / count

    assert calls(400) < 2 * calls(100)
