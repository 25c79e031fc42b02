"""`vestnik replay`, put together: what was asked, the plan, the question, and the publishing."""

import asyncio
import getpass
import logging
import secrets
import socket
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from consumer.app import replay_told, told
from consumer.app.confirming import confirmed
from consumer.app.masking import masked
from consumer.app.moments import read_ago
from consumer.app.profiles import lane_profile
from consumer.app.replay_sending import AHEAD_RECORDS, Dispatch, Published, Recorded, Sent, published_of, send, wish_of
from consumer.app.replaying import (
    Foreseen,
    Range,
    RangeError,
    Reading,
    Wish,
    foresee,
    frozen,
    read_learned,
    settings_of,
)
from consumer.app.setup import Setup
from consumer.core.model import Plan, Planned
from consumer.core.plan import Planner
from consumer.core.profile import Mode
from consumer.core.replay import Asked
from consumer.core.replay_selection import Selection
from consumer.core.shares import lane_of
from consumer.core.templates import nearest
from consumer.core.units import parse_seconds
from consumer.streams.ranges import Bound, Offset

FINE, FAILED, USAGE, PARTLY = 0, 1, 2, 3
REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Words:
    """What was asked for, as it was written."""

    since: str | None = None
    until: str | None = None
    topics: Sequence[str] = ()
    partitions: Sequence[int] = ()
    types: Sequence[str] = ()
    customers: Sequence[str] = ()
    orders: Sequence[str] = ()
    routes: Sequence[str] = ()
    lanes: Sequence[str] = ()
    lines: str | None = None
    extend_ttl: str | None = None
    again: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """What is to be done with the plan, and how it is told."""

    send: bool = False
    yes: bool = False
    console: bool = False
    reveal: bool = False
    json: bool = False
    ahead_records: int = AHEAD_RECORDS


class WordsError(Exception):
    """What is wrong with what was asked for, in words."""


@dataclass(slots=True)
class Standing:
    """How far a call is, for those who interrupt it."""

    foreseen: Foreseen | None = None
    sent: dict[str, Sent] = field(default_factory=dict)


def wrong(words: Words, manner: Manner, resume: str | None) -> str:
    """What is wrong with the options as such; empty when nothing is."""
    named = any((words.since, words.until, words.lines, words.again, words.extend_ttl, *_names(words)))
    checks = {
        "--resume goes on with what was asked for then: say nothing else, but --send": resume is not None and named,
        "say --from: a time, how long ago (6h), or an offset": resume is None and not words.since and not words.lines,
        "--lines has no --from, --to, --topic or --partition: it is read as a whole": bool(
            words.lines and (words.since or words.until or words.topics or words.partitions)
        ),
        "--console prints and sends nothing: leave out --send": manner.console and manner.send,
        '--send wants a --reason, e.g. --reason "the portal was down"': bool(
            manner.send and not (words.reason or "").strip() and resume is None
        ),
        f"the reason has more than {REASON_CHARACTERS} characters": len(words.reason or "") > REASON_CHARACTERS,
    }
    return next((trouble for trouble, holds in checks.items() if holds), "")


def _names(words: Words) -> Iterable[Sequence[object]]:
    return (words.topics, words.partitions, words.types, words.customers, words.orders, words.routes, words.lanes)


# --- what was asked ---------------------------------------------------------------------------------------------------


def wish_from(setup: Setup, words: Words) -> Wish:
    """Raises WordsError."""
    config = setup.config
    named = {name for lane in words.lanes for name in config.named(lane)}
    lanes = tuple(dict.fromkeys(map(lane_of, words.lanes))) or tuple(config.lanes)
    routes = {loaded.route.id: loaded.route.lane for loaded in setup.routes.routes}
    _known("lane", [lane for lane in words.lanes if not config.named(lane)], config.lanes)
    _known("route", words.routes, routes)
    _known("type", words.types, setup.sources.types.models)
    if words.routes and not words.lanes:
        lanes = tuple(dict.fromkeys(routes[name] for name in words.routes))
    strangers = [name for name in words.routes if routes[name] not in lanes]
    if strangers:
        raise WordsError(f"the route {strangers[0]} is on the lane {routes[strangers[0]]}, which was not asked for")
    range_ = Range(
        tuple(words.topics) or tuple(config.topics.sources),
        frozenset(words.partitions),
        _bound("--from", words.since, words),
        _bound("--to", words.until, words),
        words.lines,
    )
    if words.lines is None and config.kafka is None:
        raise WordsError("the configuration has no kafka: say --lines, the file of records")
    selection = Selection(frozenset(words.types), frozenset(words.customers), frozenset(words.orders))
    replay = f"r{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    asked = Asked(replay, frozenset(words.routes), words.again, _extension(words.extend_ttl))
    shares = [name for lane in lanes for name in config.named(lane) if name in named or not named]
    return Wish(range_, tuple(shares), selection, asked)


def _known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    there = list(known)
    for name in names:
        if name not in there:
            raise WordsError(f'unknown {kind} "{name}"; {nearest(name, there)}')


def _bound(option: str, text: str | None, words: Words) -> Bound:
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        if not (words.topics and words.partitions):
            raise WordsError(
                f"{option} {text} is an offset, and offsets are a partition's own: say --topic and --partition"
            )
        return Offset(int(text))
    moment = read_ago(text, datetime.now(UTC))
    if isinstance(moment, str):
        raise WordsError(f"{option}: {moment}")
    return moment.timestamp()


def _extension(text: str | None) -> float:
    try:
        return 0.0 if text is None else parse_seconds(text)
    except ValueError as error:
        raise WordsError(f"--extend-ttl: {error}") from None


def unfit(setup: Setup, lanes: Iterable[str]) -> str:
    """Why nothing can be published for these lanes; empty when it can."""
    if setup.config.kafka is None:
        return "the configuration has no kafka, so that no lane can be reached"
    for lane in lanes:
        config = setup.config.lane(lane)
        if not config.backfill:
            mend = "say `backfill: true` there and deploy it, or name others by --lane"
            return f"the lane {lane} does not read its backfill topic: {mend}"
        if Mode(config.mode) is Mode.SHADOW:
            return f"the lane {lane} is in mode shadow and tells nobody; name others by --lane"
    return ""


# --- the call ---------------------------------------------------------------------------------------------------------


def run(setup: Setup, words: Words, manner: Manner, resume: str | None) -> int:
    """The exit code: 0 fine, 1 failed, 2 wrong usage, 3 partly done (it can be resumed)."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    standing = Standing()
    try:
        return asyncio.run(_run(setup, words, manner, resume, standing))
    except WordsError as error:
        told.complain(str(error))
        return USAGE
    except RangeError as error:
        told.complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        return _interrupted(standing)


def _interrupted(standing: Standing) -> int:
    told.complain("interrupted")
    if standing.foreseen is None or not standing.sent:
        return FAILED
    replay_told.tell_sent(standing.foreseen, standing.sent, ())
    return PARTLY


async def _run(setup: Setup, words: Words, manner: Manner, resume: str | None, standing: Standing) -> int:
    published: Mapping[str, Published] = {}
    if resume is None:
        wish = wish_from(setup, words)
        stretches = await frozen(settings_of(setup), wish.range)
        recorded = Recorded(f"{getpass.getuser()}@{socket.gethostname()}", (words.reason or "").strip(), time.time())
    else:
        published = await _resumed(setup, resume)
        plan = next(each.plan for each in published.values() if each.plan is not None)
        wish, stretches, recorded = wish_of(resume, plan)
    if manner.send and (trouble := unfit(setup, wish.lanes)):
        raise WordsError(trouble)
    progress = replay_told.Progress(silent=manner.json)
    foreseen = standing.foreseen = await foresee(setup, wish, stretches, progress.reading)
    progress.over()
    if manner.console:
        await _print_texts(setup, foreseen, reveal=manner.reveal)
    if not manner.json:
        replay_told.tell_plan(foreseen)
    if not manner.send or not _agreed(foreseen, manner):
        return _told_plan(foreseen, recorded, manner)
    standing.sent.update({lane: Sent(lane) for lane in wish.lanes})
    look = lambda _sent: progress.publishing(foreseen, standing.sent)  # noqa: E731 - one line of progress for all lanes
    troubles = await send(Dispatch(setup, foreseen, recorded, standing.sent, published, look, manner.ahead_records))
    progress.over()
    return _told_sent(foreseen, recorded, manner, standing.sent, troubles)


async def _resumed(setup: Setup, replay: str) -> dict[str, Published]:
    """What the backfill topics have of the replay, by lane. Raises WordsError where that is nothing, or all of it."""
    lanes = [name for name in setup.config.names if setup.config.lane(name).backfill]
    if setup.config.kafka is None or not lanes:
        raise WordsError(
            "no lane of the configuration reads a backfill topic, so that there is no replay to go on with"
        )
    found = {lane: await published_of(setup, lane, replay) for lane in lanes}
    begun = {lane: each for lane, each in found.items() if each.plan is not None}
    if not begun:
        raise WordsError(f'no backfill topic of {", ".join(lanes)} has a replay "{replay}"')
    if all(each.ended for each in begun.values()):
        raise WordsError(f"the replay {replay} has come to its end already")
    return begun


def _agreed(foreseen: Foreseen, manner: Manner) -> bool:
    """Whether anybody would be told, and may be."""
    people = sum(forecast.people for forecast in foreseen.forecasts.values())
    if not any(forecast.told for forecast in foreseen.forecasts.values()):
        return False
    also = ", ALSO WHO WAS TOLD BEFORE" if foreseen.wish.asked.again else ""
    answer = confirmed(people, f"{people:,} people would be told{also}. Send it?", yes=manner.yes)
    if isinstance(answer, str):
        raise WordsError(answer)
    return answer


def _told_plan(foreseen: Foreseen, recorded: Recorded, manner: Manner) -> int:
    if manner.json:
        told.as_json(replay_told.report(foreseen, recorded, {}, ()))
    elif manner.send:
        told.say("Nothing was published.")
    elif not manner.console:
        told.say("A dry run: nothing was published. --send with a --reason does it.")
    return FINE


def _told_sent(
    foreseen: Foreseen, recorded: Recorded, manner: Manner, sent: Mapping[str, Sent], troubles: Sequence[str]
) -> int:
    if manner.json:
        told.as_json(replay_told.report(foreseen, recorded, sent, troubles))
    else:
        replay_told.tell_sent(foreseen, sent, troubles)
        if not sys.stderr.isatty():
            for each in sent.values():
                told.complain(replay_told.log_line(foreseen, recorded, each))
    if not troubles:
        return FINE
    return PARTLY if any(each.records or each.done for each in sent.values()) else FAILED


async def _print_texts(setup: Setup, foreseen: Foreseen, *, reveal: bool) -> None:
    """What people would read, in the most personal wording."""
    wish, reading = foreseen.wish, Reading(setup, foreseen.wish)
    formats = setup.sources.formats
    planners = {lane: Planner(lane_profile(setup.config, lane, formats), setup.routes) for lane in wish.lanes}
    async for records in read_learned(setup, wish.range, foreseen.stretches):
        for record in records:
            for lane, found in reading.found(record):
                wanted = foreseen.forecasts[lane].wanted(record, found, foreseen.now)
                if wanted is not None:
                    _print(lane, planners[lane].plan(record), wanted[0].routes, reveal=reveal)


def _print(lane: str, plan: Plan, routes: Collection[str], *, reveal: bool) -> None:
    for command in plan.commands if isinstance(plan, Planned) else ():
        if command.terms.route in routes:
            name = command.recipient if reveal else masked(command.recipient)
            message = command.wordings[0]
            told.say(f"{lane}  {command.terms.route}  {name}  {message.title} | {message.text}")
