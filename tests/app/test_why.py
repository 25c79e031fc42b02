"""A story from what was found: each line says what happened, and nobody's address stands in it."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from consumer.app import why_lines, why_told, why_words
from consumer.app.told import Output
from consumer.app.why_dossier import Dossier, Looked, Question, Sight
from consumer.app.why_lines import Line, Story
from consumer.core.backfill import Backfilled
from consumer.core.model import Position, Record, TopicPartition
from consumer.core.plan import LaneProfile
from consumer.core.ports import Entry
from consumer.core.redrive import Letter
from consumer.core.story import Asked, Chronicle
from consumer.core.story_routes import Answer, Explainer, RouteAnswer
from consumer.core.story_subject import Kind, Subject
from schemas.dead_letter import DeadLetterHeaders
from schemas.journal import (
    AnyRecord,
    Attempt,
    AttemptParcel,
    Columns,
    Landing,
    Outcomes,
    Parked,
    ParkedTerms,
    Repeat,
    SentMessage,
)
from tests.core.journal import alike
from tests.core.planning import AT, READY, SHOPS, order, record, routes

PHONE = "79991234567"
BACKFILL = "vestnik.backfill.app"
PROFILE = LaneProfile("app", SHOPS, backfill=BACKFILL)
EXPLAINER = Explainer(PROFILE, routes(READY))
PLACE = record(order()).position
(COMMAND,) = EXPLAINER.explain(record(order())).commands
ID = COMMAND.id.hex()
TITLE = SentMessage(title=f"Call {PHONE}", text="x")


def sight(seen: Record, kind: Kind | None = Kind.ORDER, **more: Any) -> Sight:
    from consumer.core.decode import decode  # noqa: PLC0415
    from schemas.envelope import Event  # noqa: PLC0415

    old = more.get("backfilled")
    original = old.record if old is not None else seen
    event = decode(original.value, 100_000)
    given = {"lane": None, "backfilled": None, "sending": False, **more}
    known = event if isinstance(event, Event) else None
    return Sight(seen, original, kind, known, explained={"app": EXPLAINER.explain(seen)}, **given)


def columns(id_: str = ID, place: Position = PLACE) -> Columns:
    told = {"ranks": 1, "arrived": AT, "deadlines": AT + 100, "positions": [tuple(place)]}
    return alike(id_, routes="order-ready", recipients=PHONE, **told)


ATTEMPT = Attempt(id="1.1", epoch=1, parcels=[AttemptParcel(message=TITLE, wording=1, commands=columns())])
PARKED = Parked(
    epoch=1, reason="quiet_hours", quiets=[], commands=columns(), until=[AT + 500], term=[0], rung=[0], quiet=[None],
    terms=[ParkedTerms(route="order-ready", priority="low", deliver_within_seconds=60.0, on_unsure="stop")],
    ladders=[[TITLE]],
)  # fmt: skip


def dossier(*sights: Sight, journal: Iterable[AnyRecord] = (), **more: Any) -> Dossier:
    """A record arrives at AT; each entry of the journal is a second later than the one before; it is AT + 60 now."""
    made = Dossier(Question("05671863", AT - 3600, AT + 60, ("app",)), Subject.of("05671863"))
    made.sights = list(sights)
    for name, value in more.items():
        setattr(made, name, value)
    ids = {made.focus} if made.focus else made.commands("app")
    chronicle = Chronicle(Asked(ids, recipients=frozenset({PHONE})))
    for number, entry in enumerate(journal, 1):
        chronicle.apply(Entry(number, AT + number, entry))
    made.chronicles = {"app": chronicle}
    return made


def told(made: Dossier) -> Story:
    return why_lines.tell(made, reveal=False)


def lines(made: Dossier, what: str) -> list[Line]:
    return [line for chapter in told(made).chapters for line in chapter.lines if line.what == what]


def letter(reason: str = "refused", **head: Any) -> Letter:
    given = {"id": "l-1", "lane": "app", "reason": reason, "route": "order-ready", "timestamp": AT, "detail": PHONE}
    place = dict(zip(("topic", "partition", "offset"), PLACE, strict=True))
    headers = DeadLetterHeaders.model_validate({**given, **place, **head}, strict=False)
    return Letter(headers, Record(Position("vestnik.dead-letters", 0, 1), AT + 3))


def test_a_delivery_is_told_in_the_order_of_time_with_its_age() -> None:
    made = dossier(
        sight(record(order())),
        journal=[ATTEMPT, Landing(attempt="1.1", epoch=1, verdict="delivered", outcome="delivered")],
        committed={"app": {TopicPartition("shop.orders", 2): 8}},
    )
    story = told(made)
    assert [line.what for line in story.chapters[0].lines] == [
        "seen", "planned", "request", "answer", "outcome", "committed",
    ]  # fmt: skip
    assert story.states == {"delivered": 1}
    assert story.chapters[0].lines[2].words == "1.1 to 1 person, in the coarser wording 1: “Call **67”"
    assert "7.0 s after it came, in time" in story.chapters[0].lines[4].words
    assert PHONE not in str(story)


@pytest.mark.parametrize(
    ("where", "lane", "expected"),
    [
        ({"where": "held"}, {}, "an older message of its thread"),
        ({"where": "in_flight"}, {}, "on the wire"),
        ({"where": "in_doubt"}, {}, "an earlier owner died"),
        ({"where": "in_parts"}, {}, "taken apart"),
        ({"where": "asleep", "until": AT + 90}, {}, "sleeps until"),
        ({"where": "something new"}, {}, "waits: something new"),
        (
            {"where": "open", "arrived": AT, "people": 3, "goes_in_seconds": 12.0},
            {"holds": "quota", "quota_requests": 10, "gap_seconds": 6.0},
            "one request every 6 s; 3 people wait for the same text; as things stand its turn comes about 12 s after",
        ),
        (
            {"where": "open", "arrived": AT, "people": 1, "goes_in_seconds": 0.0},
            {"holds": "blocked", "blocked": [{"reason": "key_refused", "detail": PHONE}]},
            "the lane is blocked: key_refused **67; nobody else waits for the same text; as things stand its turn",
        ),
        ({"where": "open", "arrived": AT}, {"holds": "breaker"}, "the breaker"),
    ],
)
def test_what_waits_says_for_what(where: dict[str, Any], lane: dict[str, Any], expected: str) -> None:
    live = {"app": {**lane, "commands": {ID: where}}}
    (line,) = lines(dossier(sight(record(order())), live=live), "waits")
    assert expected in line.words


def test_without_anybody_to_ask_the_journal_still_tells_what_it_can() -> None:
    seen = sight(record(order()))
    assert "say --url" in lines(dossier(seen), "waits")[0].words
    assert "has it read the record yet" in lines(dossier(seen, live={"app": {"holds": "quota"}}), "waits")[0].words
    parked = dossier(seen, journal=[PARKED])
    assert lines(parked, "parked")[0].words.endswith("quiet hours")
    assert "sleeps until" in lines(parked, "waits")[0].words
    flying = dossier(seen, journal=[ATTEMPT])
    assert "no answer to its last request" in lines(flying, "waits")[0].words
    buried = dossier(seen, letters=[letter(command=ID)])
    assert "its dead letter is written first" in lines(buried, "waits")[0].words


def test_a_request_that_went_out_again_says_so() -> None:
    lost: list[AnyRecord] = [
        ATTEMPT,
        Repeat(attempt="1.1", epoch=1, sent=False, reason="reset"),
        Repeat(attempt="1.1", epoch=1, sent=True),
    ]
    assert [line.words for line in lines(dossier(sight(record(order())), journal=lost), "again")] == [
        "the answer was lost once more",
        "the very same request goes out again",
    ]


@pytest.mark.parametrize(
    ("outcome", "reason", "expected"),
    [
        ("expired", "ttl", "its deadline passed"),
        ("expired", "quiet_hours", "quiet hours last beyond"),
        ("suppressed", "listed", "on the list of suppressions"),
        ("suppressed", "frequency_cap", "caps"),
        ("suppressed", "no_consent", "has not agreed"),
        ("suppressed", "new reason", "suppressed (new reason)"),
        ("unknown", "owner_lost", "the process died"),
        ("unknown", "reset", "the answer was lost"),
        ("refused", "no_such_user", "(no_such_user)"),
        ("superseded", "newer", "a newer message of its thread"),
    ],
)
def test_every_outcome_has_its_sentence(outcome: Any, reason: str, expected: str) -> None:
    ends = Outcomes(epoch=1, outcome=outcome, reason=reason, ids=[ID], digests=["0" * 8], routes=["order-ready"])
    made = dossier(sight(record(order())), journal=[ends])
    assert expected in lines(made, "outcome")[0].words
    assert told(made).states == {outcome: 1}


def test_the_message_that_took_its_place_is_named() -> None:
    newer = sight(record(order(event_id="e-2", order__revision=5), AT + 1, offset=8))
    (other,) = newer.explained["app"].commands
    ends = Outcomes(epoch=1, outcome="superseded", reason="newer", ids=[ID], digests=["0" * 8], routes=["order-ready"])
    assert other.id.hex() in lines(dossier(sight(record(order())), newer, journal=[ends]), "outcome")[0].words


def test_a_copy_is_a_duplicate_of_the_first() -> None:
    made = dossier(sight(record(order())), sight(record(order(), AT + 1, offset=8)))
    assert "shop.orders:2:7" in lines(made, "duplicate")[0].words
    assert told(made).states["duplicate"] == 1


def test_a_redriven_record_and_a_message_by_hand_say_how_they_came() -> None:
    old = Backfilled(record(order()), "redrive-1", redrives=1, letter="l-1")
    again = Record(Position(BACKFILL, 0, 1), AT + 5, b"123", record(order()).value, old.to_headers())
    came = lines(dossier(sight(again, lane="app", backfilled=old)), "seen")
    assert came[0].words.startswith("redriven from the dead letter l-1; first at shop.orders:2:7")
    by_replay = Backfilled(record(order()), "r-7")
    assert "brought again by r-7" in lines(dossier(sight(again, lane="app", backfilled=by_replay)), "seen")[0].words
    text = b'{"id": "12345678", "recipient": "%s", "text": "x"}' % PHONE.encode()
    hand = Record(Position(BACKFILL, 0, 2), AT, PHONE.encode(), text, (("vestnik-send", b"1"),))
    made = dossier(sight(hand, Kind.CUSTOMER, lane="app", sending=True))
    assert told(made).chapters[0].title == "a message by hand"
    assert "vestnik send" in lines(made, "seen")[0].words
    assert PHONE not in str(told(made))


def test_what_is_no_event_is_unreadable_and_what_nobody_wants_is_ignored() -> None:
    broken = dossier(sight(record(b"no json"), None), letters=[letter("invalid_json", route=None)])
    assert "invalid_json" in lines(broken, "unreadable")[0].words
    assert told(broken).states == {"dead": 1}
    assert PHONE not in str(told(broken))
    unwanted = dossier(sight(record(order(type="order.refunded"))))
    assert told(unwanted).states == {"ignored": 1}
    assert lines(unwanted, "ignored")[0].words == "no route of the lane wants it"


@pytest.mark.parametrize(
    ("answer", "detail", "expected"),
    [
        (Answer.UNWANTED, "event.x", "its condition is false: event.x"),
        (Answer.NOT_YET, "2026", "it begins with records from 2026 on"),
        (Answer.OVER, "2026", "it ended with records of 2026"),
        (Answer.NOBODY, "event.customer", "the event names nobody at event.customer"),
        (Answer.LEFT_OUT, "r-1", "r-1 asked for other routes"),
        (Answer.DEAD, "render: text", "render: text"),
    ],
)
def test_every_answer_of_a_route_has_its_sentence(answer: Answer, detail: str, expected: str) -> None:
    assert why_words.unplanned(RouteAnswer("a", answer, detail)) == f"not by route a: {expected}"


def test_what_no_record_tells_is_told_from_the_journal_and_the_letters() -> None:
    other = Attempt(id="1.1", epoch=1, parcels=[AttemptParcel(message=TITLE, wording=0, commands=columns("a" * 24))])
    landing = Landing(attempt="1.1", epoch=1, verdict="delivered", outcome="delivered")
    made = dossier(journal=[other, landing], letters=[letter(id="l-2")])
    assert [chapter.title for chapter in told(made).chapters] == [f"command {'a' * 24}", "dead letter l-2"]
    assert "the routes at hand make no such message" in lines(made, "planned")[0].words
    assert PHONE not in str(told(made))
    assert told(dossier(journal=[other])).states == {"not ended": 1}


def test_one_command_is_told_without_the_rest_of_its_record() -> None:
    made = dossier(sight(record(order())), focus="f" * 24)
    assert [line.what for line in told(made).chapters[0].lines] == ["seen"]
    assert [line.what for line in told(dossier(sight(record(order())), focus=ID)).chapters[0].lines] == [
        "seen", "planned", "waits",
    ]  # fmt: skip


def test_the_table_and_the_json_tell_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    made = dossier(
        sight(record(order())),
        committed={"app": {TopicPartition("shop.orders", 2): None}},
        looked=[Looked("shop.orders", 1, 3, 12)],
        troubles=["nobody answers", "nobody answers"],
        left_out=2,
    )
    why_told.tell_story(made, told(made), Output.TABLE)
    text = capsys.readouterr().out
    assert "05671863: an order, in 1 record: 1 not ended." in text
    assert text.count("nobody answers") == 1
    assert "2 more records left out" in text
    why_told.tell_story(made, told(made), Output.JSON)
    document = json.loads(capsys.readouterr().out)
    assert [line["what"] for line in document["chapters"][0]["lines"]] == ["seen", "planned", "waits", "committed"]
    assert document["looked"] == [{"topic": "shop.orders", "partitions": 1, "of": 3, "records": 12}]


def test_nothing_found_says_where_it_looked_and_what_would_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    made = dossier(looked=[Looked("shop.orders", 1, 3, 12)], troubles=["nobody answers"])
    assert not made.found
    why_told.tell_nothing(made, Output.TABLE)
    text = capsys.readouterr().err
    assert "shop.orders: 12 records, 1 of 3 partitions" in text
    assert "--since 7d" in text
    why_told.tell_nothing(made, Output.JSON)
    assert json.loads(capsys.readouterr().out)["chapters"] == []
