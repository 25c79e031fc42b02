"""Refused batches are taken apart with few requests, and only those who are at fault pay for it."""

import math
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.bisection import refused_whole
from consumer.core.case import Case
from consumer.core.desk import PART_EVERY
from consumer.core.doorman import Doorman
from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Deferred,
    Delivered,
    Message,
    Outcome,
    Parcel,
    Refused,
    Unsure,
    Verdict,
    Verdicts,
)
from schemas.journal import Outcomes
from tests.core.test_desk import Table, command

BAD = Refused("bad")


class Lane(Table):
    """A table whose provider refuses every request that names somebody `guilty`, or everything. A text that begins with
    `ok` is accepted all the same."""

    def __init__(self, *guilty: str, everything: bool = False) -> None:
        super().__init__()
        self.guilty = set(guilty)
        self.everything = everything
        self.asked: list[list[str]] = []
        self.ends: dict[str, tuple[Outcome, str]] = {}
        self.told: list[str] = []
        self.blocked = 0

    def people(self, *names: str, text: str = "готов", thread: int | None = None, rank: int = 0) -> None:
        self.plan(*(command(name, text=text, thread=thread, rank=rank, ttl=1e6) for name in names))

    def answer(self, batch: Batch) -> Verdict:
        guilty = self.guilty.intersection(one.recipient for one in batch.commands)
        return BAD if guilty or self.everything else Delivered()

    def request(self, *, probe: bool = False) -> Batch:
        self.number += 1
        parcels = self.desk.take(1000.0, 6.0, Capacity(1, 1000), probe=probe)
        return Batch(f"1.{self.number}", 1, parcels)

    def ask(self, *answers: Verdict, probe: bool = False) -> Batch:
        """One request, with the provider's own answer or another one."""
        batch = self.request(probe=probe)
        self.asked.append([one.recipient for one in batch.commands])
        self.hear(batch, answers or (self.answer(batch),))
        return batch

    def hear(self, batch: Batch, answers: Verdicts) -> None:
        before = self.ended
        ended = self.fly(batch, *answers)
        self.blocked += self.desk.bisection.refusing
        self.ends |= {end.command.recipient: (end.outcome, end.reason) for end in ended}
        if answers == (Delivered(),):
            self.told.extend(one.recipient for one in batch.commands)
        assert self.desk.drift == 0
        assert self.ended >= before

    def finish(self, most: int = 10_000) -> int:
        """Ask until nothing is due; how many requests that took."""
        count = 0
        while self.desk.due:
            count += 1
            assert count <= most
            self.ask()
        return count

    @property
    def ended(self) -> int:
        return len(self.told) + len(self.ends)


def names(count: int) -> list[str]:
    return [f"u{number}" for number in range(count)]


def test_three_bad_recipients_of_a_thousand_cost_forty_requests_at_most() -> None:
    dice = Random(3)
    counts = []
    for _ in range(60):
        lane = Lane(*dice.sample(names(1000), 3))
        lane.people(*names(1000))
        counts.append(lane.finish())
        assert len(lane.told) == 997
        assert lane.committable == 1
    assert max(counts) <= 40
    assert median(counts) <= 36


@settings(max_examples=80, deadline=None)
@given(
    size=st.integers(2, 80),
    guilty=st.sets(st.integers(0, 79), max_size=6),
    answers=st.lists(st.sampled_from([None, None, Deferred("later"), Unsure("lost", answered=True)]), max_size=20),
)
def test_nobody_but_the_guilty_is_refused_whatever_happens_meanwhile(
    size: int, guilty: set[int], answers: list[Verdict | None]
) -> None:
    bad = {f"u{number}" for number in guilty if number < size}
    lane = Lane(*bad)
    lane.people(*names(size))
    lane.people("other", text="другое")
    while lane.desk.due:
        answer = answers.pop() if answers else None
        lane.ask(*(() if answer is None else (answer,)))
    refused = {name for name, (outcome, _) in lane.ends.items() if outcome is Outcome.REFUSED}
    unresolved = {name for name, (_, reason) in lane.ends.items() if reason == "unresolved"}
    assert refused - unresolved <= bad
    assert lane.desk.drift == 0
    assert lane.committable == 2 or lane.desk.bound


def test_who_was_told_twice_in_one_parcel_stays_together() -> None:
    lane = Lane("a")
    lane.plan(command("a1"), command("b1"))
    twice = [command("x"), command("y")]
    for one in twice:
        object.__setattr__(one, "recipient", "a")
    lane.plan(*twice)
    lane.finish()
    assert [asked for asked in lane.asked if "a" in asked][-1] == ["a", "a"]
    assert sorted(lane.told) == ["a1", "b1"]


def test_a_part_of_a_refused_batch_gets_every_fourth_request_while_anything_else_is_due() -> None:
    lane = Lane("b")
    lane.people("a", "b", "c", "d")
    lane.ask()
    for number in range(2 * PART_EVERY):
        lane.people(f"x{number}", text=f"{number}")
    for _ in range(2 * PART_EVERY):
        lane.ask()
    parts = [number for number, asked in enumerate(lane.asked) if set(asked) <= set("abcd")]
    assert parts == [0, PART_EVERY - 1, 2 * PART_EVERY - 1]


def test_the_older_batch_is_taken_apart_first() -> None:
    lane = Lane("a0", "b0")
    lane.people(*(f"a{n}" for n in range(8)), text="a")
    lane.people(*(f"b{n}" for n in range(8)), text="b")
    first, second = lane.request(), lane.request()
    lane.hear(first, (BAD,))
    lane.hear(second, (BAD,))
    lane.finish()
    oldest = first.commands[0].recipient[0]
    assert [asked[0][0] for asked in lane.asked[:4]] == [oldest] * 4
    assert len(lane.told) == 14


def test_a_part_that_did_not_happen_is_asked_again_as_it_was() -> None:
    lane = Lane("d")
    lane.people("a", "b", "c", "d")
    lane.ask()
    lane.ask(Deferred("limit", limit=True))
    lane.ask(Blocked("key_refused"))
    lane.finish()
    assert lane.asked == [["a", "b", "c", "d"], ["a", "b"], ["a", "b"], ["a", "b"], ["c"], ["d"]]


def test_the_rest_that_did_not_happen_is_asked_again_whole() -> None:
    lane = Lane("a")
    lane.people("a", "b", "c", "d")
    for _ in range(3):
        lane.ask()
    assert lane.asked[-1] == ["a"]
    lane.ask(Deferred("limit", limit=True))
    lane.finish()
    assert lane.asked[3] == lane.asked[4]
    assert sorted(lane.told) == ["b", "c", "d"]


def test_a_part_with_a_verdict_for_each_goes_its_own_way() -> None:
    lane = Lane("d")
    lane.people("a", "b", "c", "d")
    lane.ask()
    lane.ask(Delivered(), Deferred("busy"))
    assert lane.asked[-1] == ["a", "b"]
    lane.finish()
    assert lane.ends == {}
    assert lane.committable == 1
    assert ["b"] in lane.asked


def test_a_part_of_which_some_were_refused_together_becomes_a_search_of_its_own() -> None:
    lane = Lane("b", "d")
    lane.people(*names(4), "b", "c", "d", "e")
    lane.ask()
    shared = Refused("odd", shared=True)
    asked = lane.request()
    lane.asked.append([one.recipient for one in asked.commands])
    lane.hear(asked, (Delivered(), shared, shared, Delivered()))
    lane.finish()
    assert lane.committable == 1


def test_waiting_parts_expire_and_whoever_is_left_is_asked_whole() -> None:
    lane = Lane("d")
    lane.plan(command("a", ttl=10), command("b", ttl=500), command("c", ttl=10), command("d", ttl=500))
    lane.ask()
    assert sorted(end.command.recipient for end in lane.desk.expire(1011.0)) == ["a", "c"]
    lane.finish()
    assert lane.asked[1:] == [["b", "d"], ["b"], ["d"]]
    assert lane.desk.expire(1600.0) == ()


def test_a_batch_that_expires_whole_is_gone() -> None:
    lane = Lane("a")
    lane.plan(command("a", ttl=10, thread=1), command("b", ttl=10))
    lane.ask()
    assert len(lane.desk.expire(1011.0)) == 2
    assert not lane.desk.due
    assert lane.committable == 1


def test_what_expires_beside_a_part_on_the_wire_takes_its_guilt_with_it() -> None:
    lane = Lane()
    lane.plan(command("a", ttl=500), command("b", ttl=500), command("c", ttl=10), command("d", ttl=500))
    lane.ask(BAD)
    part = lane.request()
    lane.desk.expire(1011.0)
    lane.hear(part, (Delivered(),))
    lane.ask()
    assert lane.asked[-1] == ["d"]
    assert sorted(lane.told) == ["a", "b", "d"]


def test_a_newer_message_replaces_one_that_waits_in_a_part() -> None:
    lane = Lane("b")
    lane.people("a", thread=7, rank=1)
    lane.people("b", "c")
    lane.ask()
    lane.people("a2", text="новее", thread=7, rank=2)
    assert [(end.command.recipient, end.outcome) for end in lane.admitted.ended] == [("a", Outcome.SUPERSEDED)]
    lane.finish()
    assert sorted(lane.told) == ["a2", "c"]
    assert lane.committable == 3


def test_two_of_one_thread_and_rank_may_wait_in_parts() -> None:
    lane = Lane("b")
    lane.people("a", "b", "c", "d", thread=7, rank=1)
    assert lane.finish() == 5
    assert sorted(lane.told) == ["a", "c", "d"]


def test_a_probe_is_the_smallest_group_of_the_most_urgent() -> None:
    lane = Lane()
    lane.people(*names(5), text="a")
    lane.people("x", "y", text="b")
    assert [one.recipient for one in lane.request(probe=True).commands] == ["x", "y"]
    assert len(lane.request(probe=True).commands) == 5
    assert lane.request(probe=True).parcels == ()


def test_a_part_is_the_probe_where_nothing_else_waits() -> None:
    lane = Lane("a")
    lane.people("a", "b", "c", "d")
    lane.ask()
    assert [one.recipient for one in lane.request(probe=True).commands] == ["a", "b"]


def test_the_texts_of_a_request_share_the_room_that_the_ceiling_leaves() -> None:
    lane = Lane()
    lane.people(*names(5), text="a")
    lane.people("x", "y", text="b")
    parcels = lane.desk.take(1000.0, 6.0, Capacity(3, 5, total=6))
    assert sum(len(parcel.commands) for parcel in parcels) == 6
    assert len(parcels) == 2


def test_a_newer_message_replaces_one_that_comes_back_to_be_asked_again() -> None:
    lane = Lane("b")
    lane.people("a", thread=7, rank=1)
    lane.people("b")
    batch = lane.request()
    lane.people("a2", text="новее", thread=7, rank=2)
    lane.hear(batch, (BAD,))
    assert lane.ends["a"] == (Outcome.SUPERSEDED, "newer")
    lane.finish()
    assert lane.told == ["a2"]


def test_who_ended_elsewhere_is_not_asked_again() -> None:
    lane = Lane("b")
    lane.people("a", "b")
    batch = lane.request()
    ids, digests = [command("a").id.hex()], [command("a").digest.hex()]
    lane.write(Outcomes(epoch=1, outcome="delivered", ids=ids, digests=digests, routes=["route"]))
    lane.hear(batch, (BAD,))
    lane.finish()
    assert lane.asked == [["b"]]
    assert lane.committable == 1


def test_a_single_one_refused_before_anybody_was_told_gets_no_letter_yet() -> None:
    lane = Lane("a")
    lane.people("a", "b", "c", "d")
    for _ in range(3):
        lane.ask()
    assert (lane.asked[-1], lane.ends) == (["a"], {})
    lane.finish()
    assert lane.ends == {"a": (Outcome.REFUSED, "bad")}
    assert sorted(lane.told) == ["b", "c", "d"]


def test_a_small_batch_refused_one_by_one_was_refused() -> None:
    lane = Lane("a", "b")
    lane.people("a", "b")
    assert lane.finish() == 3
    assert set(lane.ends) == {"a", "b"}


def refuse_until_stuck(lane: Lane, count: int = 64) -> None:
    lane.people(*names(count))
    bound = math.floor(math.log2(count)) + 5
    assert sum(1 for _ in iter(lambda: lane.desk.due and lane.ask(), False)) == bound


def test_too_many_refusals_in_a_row_stop_the_search_and_bury_nobody() -> None:
    lane = Lane(everything=True)
    refuse_until_stuck(lane)
    assert (lane.ends, lane.desk.bound, lane.blocked) == ({}, 64, 0)


def test_if_another_text_is_told_then_the_rest_is_unresolved() -> None:
    lane = Lane(everything=True)
    refuse_until_stuck(lane)
    lane.people("other", text="другое")
    lane.everything = False
    lane.ask()
    assert lane.told == ["other"]
    reasons = [reason for _, reason in lane.ends.values()]
    assert (len(reasons), set(reasons)) == (64, {"bad", "unresolved"})
    assert reasons.count("bad") == 5
    assert (lane.desk.bound, lane.committable) == (0, 2)


def test_a_stuck_batch_is_asked_once_more_every_five_minutes_though_no_other_text_comes() -> None:
    """Seed 3340 of the worlds."""
    lane = Lane(everything=True)
    refuse_until_stuck(lane)
    asked = []
    for now in range(1000, 2600, 100):
        lane.desk.expire(now)
        asked.append(lane.finish())
        lane.everything = now < 2200
    assert asked[:12] == [0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0]
    assert len(lane.told) + len(lane.ends) == 64
    assert {reason for _, reason in lane.ends.values()} == {"bad"}


def test_if_another_text_is_refused_too_the_lane_is_blocked_and_all_wait_again() -> None:
    lane = Lane(everything=True)
    refuse_until_stuck(lane)
    lane.people("other", text="другое")
    lane.ask()
    assert (lane.blocked, lane.ends) == (1, {})
    assert (lane.desk.bound, lane.desk.outbox.waiting) == (0, 65)
    lane.ask(probe=True)
    lane.ask(probe=True)
    assert min(lane.asked[-1] + lane.asked[-2]) == "other"
    assert lane.blocked == 3
    lane.everything = False
    lane.ask(probe=True)
    assert lane.told
    lane.finish()
    assert len(lane.told) == 65


def test_more_of_the_same_text_waits_with_the_stuck_batch() -> None:
    lane = Lane(everything=True)
    refuse_until_stuck(lane)
    lane.people("more")
    lane.ask()
    assert (lane.ends, lane.blocked, lane.desk.due) == ({}, 0, False)
    lane.people("other", text="другое")
    lane.everything = False
    lane.ask()
    assert lane.ends["more"] == (Outcome.REFUSED, "unresolved")


def test_refusals_over_several_texts_block_the_lane_before_any_one_search_is_stuck() -> None:
    lane = Lane(everything=True)
    for text in range(40):
        lane.people(*(f"{text}-{n}" for n in range(16)), text=f"{text}")
    count = 0
    while not lane.blocked:
        count += 1
        lane.ask()
    assert count == 9
    assert lane.ends == {}
    assert lane.desk.outbox.waiting == 640


def test_a_part_on_the_wire_when_the_lane_is_blocked_waits_again_with_the_others() -> None:
    lane = Lane(everything=True)
    lane.people(*names(16), text="a")
    lane.ask()
    part = lane.request()
    for text in range(8):
        lane.people(*(f"{text}-{n}" for n in range(8)), text=f"{text}")
    while not lane.blocked:
        lane.ask()
    lane.hear(part, (Deferred("later"),))
    assert (lane.desk.bound, lane.ends) == (0, {})


def test_many_guilty_ones_do_not_eat_the_quota_for_ever() -> None:
    lane = Lane(*names(1000)[500:])
    lane.people(*names(1000))
    asked = lane.finish(most=450)
    assert lane.told
    lane.people("other", text="другое")
    lane.finish()
    assert lane.committable == 2
    assert len(lane.told) + len(lane.ends) + asked >= 1001


def test_a_part_waits_until_the_ceiling_has_room_for_it() -> None:
    lane = Lane("u0")
    lane.people(*names(8))
    lane.ask()
    assert lane.desk.least == 4
    assert lane.desk.take(1000.0, 6.0, Capacity(1, 3, total=3)) == ()
    assert len(lane.desk.take(1000.0, 6.0, Capacity(1, 4, total=4))[0].commands) == 4
    assert lane.desk.least == 1


def test_a_released_desk_sentences_nobody() -> None:
    lane = Lane("a", "b")
    lane.people("a", "b")
    lane.desk.release()
    assert not lane.desk.bisection.ready
    assert lane.desk.bisection.take() == ()


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ((Delivered(),), False),
        ((BAD,), True),
        ((Refused("gone", letter=False),), False),
        ((BAD, BAD), False),
        ((Refused("odd", shared=True),) * 2, True),
        ((Refused("odd", shared=True), Delivered()), False),
    ],
)
def test_what_is_refused_at_once(verdicts: Verdicts, whole: bool) -> None:
    assert (refused_whole(verdicts) is not None) is whole


def test_who_leaves_the_rest_takes_nothing_from_the_search() -> None:
    case = Case(BAD)
    case.join([Parcel(Message("t", "x"), 0, tuple(command(name) for name in "abcd"))])
    case.ask()
    case.refused(BAD)
    case.drop(lambda one: one.recipient == "c")
    assert [unit[0].recipient for unit in case.search] == ["a", "b"]
    assert [unit[0].recipient for unit in case.rest] == ["d"]


class Listing(Lane):
    """The same, with a list of people who are not to be told any more."""

    def __init__(self, *guilty: str) -> None:
        super().__init__(*guilty)
        self.listed: set[str] = set()
        desk = self.desk
        desk.doorman = Doorman(desk.books, desk.outbox, lambda who, _now: who in self.listed, desk.bisection.withdraw)

    def request(self, *, probe: bool = False) -> Batch:
        batch = super().request(probe=probe)
        parcels, ended = self.desk.doorman.sift(batch.parcels, 1000.0)
        self.ends |= {end.command.recipient: (end.outcome, end.reason) for end in ended}
        return Batch(batch.id, batch.epoch, parcels)


@pytest.mark.parametrize("listed", [("a",), ("a", "b"), ("a", "b", "c", "d")])
def test_who_is_listed_while_a_part_is_bound_is_asked_about_no_more(listed: tuple[str, ...]) -> None:
    lane = Listing("d")
    lane.people("a", "b", "c", "d")
    lane.ask()
    lane.listed.update(listed)
    batch = lane.request()
    if batch.parcels:
        # What is left of the part does not happen, and is asked again.
        lane.hear(batch, (Deferred("limit", limit=True),))
    while lane.desk.due:
        batch = lane.request()
        if batch.parcels:
            lane.hear(batch, (lane.answer(batch),))
    assert {name for name, (outcome, _) in lane.ends.items() if outcome is Outcome.SUPPRESSED} == set(listed)
    assert set(lane.told) == {"a", "b", "c"} - set(listed)
    assert not lane.desk.books.live
    assert lane.desk.drift == 0
