"""What a replay would do: who would be told, who not and why, and which records are published for it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from consumer.core.backfill import Backfilled, next_life
from consumer.core.ceiling import PeopleLimit
from consumer.core.decode import decode
from consumer.core.formats import PLAIN
from consumer.core.hindsight import Hindsight
from consumer.core.model import Capacity, Command, Quota, Record, TopicPartition
from consumer.core.parking import Sleeper, parked_records
from consumer.core.plan import LaneProfile, Planner
from consumer.core.profile import Mode
from consumer.core.replay import Asked, Forecast, Foresight, Outlook
from consumer.core.replay_quota import Pace, Sayings
from schemas.journal import AnyRecord, Claim, Landing, OutcomeName, Outcomes
from tests.core.formats import structured
from tests.core.journal import Log, attempt, parcel
from tests.core.journal import columns as plain_columns
from tests.core.planning import AT, READY, SHOPS, bonus, order, planned, record, routes

HOUR = 3600.0
NOW = AT + HOUR
PROFILE = LaneProfile("app", SHOPS)
BONUS = """
- id: bonus-accrued
  on: bonus.accrued
  lane: app
  to: event.customer
  ttl: 2h
  wordings:
    - {title: "+{{ bonus.amount | money }}", text: "{{ bonus.reason }}"}
"""
NEWS = READY.replace("order-ready", "order-news") + READY.replace("order-ready", "order-more").replace(
    "order.ready_for_pickup", "order.paid"
)


class Case:
    """One lane, its journal, and a forecast over records."""

    def __init__(self, text: str = READY, asked: Asked | None = None, **outlook: Any) -> None:
        profile = outlook.pop("profile", PROFILE)
        journal = outlook.pop("journal", ())
        loaded = routes(text)
        self.planner = Planner(profile, loaded)
        hindsight, log = Hindsight(8 * 86_400.0), Log(timestamp=AT)
        for each in journal:
            hindsight.apply(log.entry(each))
        given = {"now": NOW} | outlook
        self.forecast = Forecast(
            Outlook(Foresight(profile, loaded), self.planner, hindsight, **given), asked or Asked("r")
        )

    def see(self, *events: dict[str, Any] | bytes | Record | None) -> "Case":
        for offset, event in enumerate(events):
            one = event if isinstance(event, Record) else record(event, offset=offset)
            self.forecast.see(one, decode(one.value, 1 << 20))
        return self

    @property
    def fates(self) -> Mapping[tuple[str, str], int]:
        found = Counter[tuple[str, str]]()
        for tally in self.forecast.tallies():
            found[tally.fate.value, tally.why] += tally.commands
        return found

    def wanted(self, event: dict[str, Any], offset: int = 0, now: float = NOW, **more: bool) -> Backfilled | None:
        one = record(event, offset=offset)
        found = self.forecast.wanted(one, decode(one.value, 1 << 20), now, **more)
        return None if found is None else found[0]


def command(event: dict[str, Any] | None = None) -> Command:
    return planned(Planner(PROFILE, routes()).plan(record(event or order()))).commands[0]


def ended(outcome: OutcomeName, id_: bytes | None = None, digest: bytes | None = None) -> Outcomes:
    one = command()
    ids, digests = [(id_ or one.id).hex()], [(digest or one.digest).hex()]
    return Outcomes(epoch=1, outcome=outcome, ids=ids, digests=digests, routes=["x"])


def told(*records: AnyRecord, **more: Any) -> Mapping[tuple[str, str], int]:
    return Case(journal=records, **more).see(order()).fates


def test_what_never_ended_and_is_still_true_would_be_told() -> None:
    case = Case().see(order())
    assert case.fates == {("told", ""): 1}
    assert (case.forecast.told, case.forecast.people) == (1, 1)
    assert case.wanted(order()) == Backfilled(record(order(), offset=0), "r", frozenset({"order-ready"}))


@pytest.mark.parametrize("outcome", ["delivered", "expired", "superseded", "suppressed", "refused", "unknown"])
def test_what_the_journal_has_ended_is_not_told_and_it_says_how_it_ended(outcome: OutcomeName) -> None:
    case = Case(journal=[ended(outcome)]).see(order())
    assert case.fates == {(outcome, "journal"): 1}
    assert (case.forecast.told, case.forecast.people) == (0, 0)
    assert case.wanted(order()) is None


def test_an_event_id_that_was_used_with_another_payload_is_a_conflict() -> None:
    assert told(ended("delivered", digest=b"\0\0\0\0")) == {("conflict", "payload"): 1}


def test_what_a_lane_has_in_its_hands_is_left_to_it() -> None:
    one = command()
    commands = replace(plain_columns([1]), ids=[one.id.hex()], digests=[one.digest.hex()])
    flying = attempt("1.1", parcel(commands))
    assert told(Claim(epoch=1, member="a"), flying) == {("waiting", "in_doubt"): 1}
    ((parked, _),) = parked_records([Sleeper(one, NOW + HOUR)], 1, "quiet_hours")
    assert told(Claim(epoch=1, member="a"), parked) == {("waiting", "parked"): 1}
    source = TopicPartition("shop.orders", 2)
    assert told(committed={source: 0}) == {("waiting", "lane"): 1}
    assert told(committed={source: 1}) == told(committed={source: None}) == {("told", ""): 1}
    assert told(ended("delivered"), committed={source: 0}) == {("delivered", "journal"): 1}


def test_who_must_not_be_told_is_not_told() -> None:
    assert told(profile=replace(PROFILE, mode=Mode.SHADOW)) == {("suppressed", "shadow"): 1}
    assert told(profile=replace(PROFILE, mode=Mode.ALLOW_LIST)) == {("suppressed", "not_listed"): 1}
    assert told(listed=lambda recipient, _now: recipient == "123") == {("suppressed", "listed"): 1}
    assert Case(profile=replace(PROFILE, mode=Mode.SHADOW)).see(order(order__id="1")).wanted(order()) is None


def test_old_news_stays_silent() -> None:
    assert told(now=AT + 13 * HOUR) == {("expired", "deadline"): 1}


def test_a_longer_ttl_tells_what_was_never_told_and_who_expired_once_more() -> None:
    longer, first = Asked("r", extend_ttl_seconds=12 * HOUR), command().id
    late: dict[str, Any] = {"now": AT + 13 * HOUR, "asked": longer}
    assert told(**late) == {("told", ""): 1}
    case = Case(journal=[ended("expired")], **late).see(order())
    assert case.fates == {("told", ""): 1}
    published = case.wanted(order(), now=AT + 13 * HOUR)
    assert published is not None
    assert (published.revive, published.extend_ttl_seconds) == (frozenset({first}), 12 * HOUR)
    second = next_life(first)
    assert told(ended("expired"), ended("delivered", second), **late) == {("delivered", "journal"): 1}
    third = Case(journal=[ended("expired"), ended("expired", second)], **late).see(order()).wanted(order(), now=NOW)
    assert third is not None
    assert third.revive == {first, second}


def test_telling_again_tells_who_was_told_and_nobody_of_whom_it_is_no_longer_true() -> None:
    again = Asked("r", again=True)
    case = Case(journal=[ended("delivered")], asked=again).see(order())
    assert case.fates == {("told", ""): 1}
    published = case.wanted(order())
    assert published is not None
    assert published.again
    assert told(ended("delivered"), asked=again, now=AT + 13 * HOUR) == {("expired", "deadline"): 1}


def test_nothing_older_than_what_was_attempted_on_a_thread_is_told() -> None:
    newer = command(order(order__revision=9, event_id="e-2"))
    assert newer.thread is not None
    commands = plain_columns([1], thread=newer.thread, rank=newer.rank)
    landing = Landing(attempt="1.1", epoch=1, verdict="delivered", outcome="delivered")
    journal: list[AnyRecord] = [Claim(epoch=1, member="a"), attempt("1.1", parcel(commands)), landing]
    assert told(*journal) == {("superseded", "newer"): 1}


def test_of_one_thread_only_the_newest_of_the_range_is_told_whatever_their_order() -> None:
    older, newer = order(), order(order__revision=9, event_id="e-2")
    for events in ((older, newer), (newer, older)):
        case = Case().see(*events)
        assert case.fates == {("told", ""): 1, ("superseded", "newer"): 1}
        assert (case.forecast.told, case.forecast.people) == (1, 1)
        assert case.forecast.estimate(IMSHOP).looked_at == 1
        assert case.wanted(older) is None
        assert case.wanted(newer) is not None


def test_of_one_thread_only_the_newest_is_told_where_only_a_microsecond_of_a_far_year_tells_them_apart() -> None:
    older, newer = (
        order(order__revision=None, occurred_at=f"9900-01-01T00:00:00.00000{number}Z", event_id=str(number))
        for number in (4, 5)
    )
    case = Case().see(older, newer)
    assert case.fates == {("told", ""): 1, ("superseded", "newer"): 1}
    assert (case.forecast.estimate(IMSHOP).looked_at, case.wanted(older)) == (1, None)
    assert case.wanted(newer) is not None


def test_news_that_is_over_replaces_older_news_all_the_same() -> None:
    older, newer = order(), order(order__revision=9, event_id="e-2", occurred_at="2026-08-31T10:15:00+03:00")
    assert Case().see(older, newer).fates == {("expired", "deadline"): 1, ("superseded", "newer"): 1}
    assert Case().see(older, newer).forecast.people == 0


def test_equal_ranks_replace_nobody_and_all_of_them_give_way() -> None:
    equal = [order(event_id=f"e-{number}") for number in range(4)]
    newer = order(event_id="e-9", order__revision=9)
    case = Case().see(*equal)
    assert (case.fates, case.forecast.people) == ({("told", ""): 4}, 1)
    case.see(newer)
    assert (case.fates, case.forecast.people) == ({("told", ""): 1, ("superseded", "newer"): 4}, 1)


def test_more_routes_than_bits_are_counted_too() -> None:
    text = "".join(READY.replace("order-ready", f"order-ready-{number}") for number in range(70))
    case = Case(text).see(order())
    assert (case.forecast.told, case.forecast.people) == (70, 1)
    case.see(order(event_id="e-2", order__revision=9))
    assert case.fates == {("told", ""): 70, ("superseded", "newer"): 70}


def test_a_copy_of_an_event_is_one_event() -> None:
    case = Case().see(order(), order())
    assert case.fates == {("told", ""): 1, ("repeated", ""): 1}
    assert case.wanted(order(), offset=0) is not None
    assert case.wanted(order(), offset=1) is None


def test_what_was_published_already_is_not_published_again_nor_are_its_copies() -> None:
    case = Case().see(order(), order())
    assert case.wanted(order(), published=True) is None
    assert case.wanted(order(), offset=1) is None


def test_only_the_routes_that_are_asked_for_are_told_and_the_others_are_newer_all_the_same() -> None:
    case = Case(READY + NEWS, Asked("r", frozenset({"order-ready"}))).see(order())
    assert [tally.route for tally in case.forecast.tallies()] == ["order-ready"]
    published = case.wanted(order())
    assert published is not None
    assert published.routes == {"order-ready"}
    case.see(order(type="order.paid", event_id="e-2", order__revision=9))
    assert case.fates == {("superseded", "newer"): 1}
    threadless = Case(READY.replace("  thread: event.order.id\n", ""), Asked("r", frozenset({"other"})))
    assert threadless.see(order()).fates == {}


def test_people_without_threads_are_counted_once_each() -> None:
    case = Case(BONUS).see(bonus(), bonus(event_id="b-2"), bonus(event_id="b-3", customer__id="9"))
    assert (case.forecast.told, case.forecast.people) == (3, 2)
    assert case.wanted(bonus(event_id="b-2")) is not None


def test_what_cannot_be_planned_is_counted_by_reason() -> None:
    case = Case(BONUS.replace("{{ bonus.reason }}", "{{ bonus.expires_at | day }}"))
    endless = bonus(bonus__expires_at=None)
    case.see(b"{", None, order(), endless, bonus(event_id="b-2", customer__phone="1", customer__id=None))
    assert case.forecast.ignored == {"tombstone": 1, "no_route": 1}
    assert case.forecast.rejected == {
        ("", "invalid_json"): 1,
        ("bonus-accrued", "render"): 1,
        ("bonus-accrued", "recipient"): 1,
    }
    assert (case.fates, case.forecast.told) == ({}, 0)
    assert case.wanted(endless) is None
    other = Case(BONUS, Asked("r", frozenset({"other"}))).see(bonus(customer__phone="1", customer__id=None))
    assert not other.forecast.rejected
    shadowed = Case(BONUS, Asked("r", frozenset({"other"})), profile=replace(PROFILE, mode=Mode.SHADOW)).see(bonus())
    assert shadowed.fates == {}


def test_what_expires_between_the_plan_and_its_publishing_is_late() -> None:
    case = Case().see(order())
    assert case.wanted(order(), now=AT + 13 * HOUR) is None
    assert case.forecast.late == 1
    assert Case().wanted(order()) is None


def test_bytes_that_are_no_event_are_wanted_by_nobody() -> None:
    case = Case()
    assert case.forecast.wanted(record(b"{"), decode(b"{", 100), NOW) is None


# --- the quota --------------------------------------------------------------------------------------------------------

IMSHOP = Pace(Capacity(1, 1000), Quota(10, 60.0))


def sayings(*texts: str, most: int = 20_000) -> Sayings:
    found = Sayings(most)
    for text in texts:
        found.add(
            replace(command(), wordings=tuple(command().wordings[0]._replace(text=each) for each in text.split("/")))
        )
    return found


def test_each_text_costs_a_request_and_a_coarser_one_fewer() -> None:
    found = sayings("a/c", "b/c", "b/c").estimate(3, 3, IMSHOP)
    assert (found.looked_at, found.texts, found.texts_coarse) == (3, 2, 1)
    assert (found.requests, found.requests_coarse, found.seconds, found.seconds_coarse) == (2, 1, 12.0, 6.0)


def test_a_text_for_many_costs_a_request_for_each_thousand() -> None:
    found = sayings("a", "a", most=2)
    assert not found.wanted
    assert found.estimate(2500, 2500, IMSHOP).requests == 3
    assert found.estimate(2500, 2500, Pace(Capacity(2, 1000), Quota(10, 60.0))).requests == 2


def test_beyond_those_that_were_looked_at_new_texts_are_as_common_as_before() -> None:
    found = sayings("a", "a", "b", "c").estimate(104, 104, IMSHOP)
    assert (found.texts, found.requests) == (53, 53)


def test_the_provider_s_ceiling_of_people_counts_too() -> None:
    pace = Pace(Capacity(1, 1000), Quota(10, 60.0), PeopleLimit(10, 60.0))
    assert sayings("a").estimate(100, 100, pace).seconds == 600.0
    assert sayings("a").estimate(1, 1, Pace(Capacity(1, 1000))).seconds == 0.0
    assert Sayings().estimate(0, 0, IMSHOP).requests == 0


def test_a_route_that_must_not_coarsen_does_not() -> None:
    found = Sayings()
    one = command()
    for text in ("a", "b"):
        firm = replace(one, terms=replace(one.terms, ladder=False))
        found.add(replace(firm, wordings=(one.wordings[0]._replace(text=text), one.wordings[1])))
    assert found.estimate(2, 2, IMSHOP).texts_coarse == 2


def test_an_event_in_an_envelope_is_judged_as_its_lane_will_judge_it() -> None:
    wrapped = structured(order())
    (command,) = planned(Planner(PROFILE, routes()).plan(wrapped)).commands
    case = Case(journal=[ended("delivered", command.id, command.digest)])
    case.forecast.see(wrapped, PLAIN.read(wrapped, 1 << 20))
    assert case.fates == {("delivered", "journal"): 1}
