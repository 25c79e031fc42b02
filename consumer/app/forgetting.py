"""`vestnik forget`: nobody of that name is told any more, and what is left of them where, and until when."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumer.app import wiring
from consumer.app.dead import letters_since
from consumer.app.journal_tail import moment
from consumer.app.masking import masked
from consumer.app.setup import Setup
from consumer.app.suppressing import suppress
from consumer.app.tables import trouble_words
from consumer.core.model import Record, Trouble
from consumer.core.suppressions import Suppression
from consumer.core.text import written_recipient
from consumer.core.units import spell_seconds
from consumer.streams.inspection import inspecting
from consumer.streams.ranges import range_reader

REASON = "forgotten at their own request"
OURS, SHOPS = "vestnik", "the shop"


@dataclass(frozen=True, slots=True)
class Remains:
    """A place that may still say something of them. `kept_seconds`: how long after it was written; None where that is
    not known or never ends, which `goes` tells in words."""

    place: str
    whose: str
    what: str
    goes: str
    kept_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NamingLetter:
    """A dead letter that names them. `until`: when the topic's retention takes it; "" where that is not known."""

    position: str
    lane: str
    reason: str
    written_at: str
    until: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done, what remains, and the letters that were found, if they were looked for. `troubles`: what could not
    be looked at."""

    recipients: tuple[str, ...]
    remains: tuple[Remains, ...]
    letters: tuple[NamingLetter, ...] | None
    troubles: tuple[str, ...]


async def forget(setup: Setup, names: Sequence[str], reason: str, *, letters: bool) -> Forgotten | str:
    """Put them on the list, everywhere and for good; in words, why that could not be done. The lanes do the rest: what
    waits or is parked for them ends as suppressed, within a second where a process runs, else when it starts."""
    failed = await suppress(setup, names, Suppression(reason=reason or REASON))
    if failed is not None:
        return failed
    kept = await _retentions(setup)
    found = await _naming(setup, names, kept) if letters else None
    troubles = [each for each in (kept, found) if isinstance(each, str)]
    seconds = {} if isinstance(kept, str) else kept
    return Forgotten(
        tuple(masked(name) for name in names),
        tuple(remains(setup, seconds)),
        None if found is None or isinstance(found, str) else tuple(found),
        tuple(troubles),
    )


# --- what remains -----------------------------------------------------------------------------------------------------


async def _retentions(setup: Setup) -> dict[str, float] | str:
    """How long each topic keeps a record, in seconds, as the brokers say; infinite where they keep all."""
    if setup.config.kafka is None:
        return {}
    async with inspecting(wiring.kafka_settings(setup)) as inspector:
        found = inspector if isinstance(inspector, Trouble) else await inspector.cluster(_topics(setup))
    if isinstance(found, Trouble):
        return f"how long topics keep their records is not known: {trouble_words(found)}"
    told = {name: topic.configs.get("retention.ms") for name, topic in found.topics.items()}
    return {name: float("inf") if value == "-1" else int(value) / 1000 for name, value in told.items() if value}


def _topics(setup: Setup) -> list[str]:
    lanes = setup.config.names
    sources = (topic for lane in lanes for topic in wiring.lane_sources(setup, lane))
    return list(dict.fromkeys([*map(wiring.journal_topic, lanes), setup.config.topics.dead_letters, *sources]))


def remains(setup: Setup, kept: Mapping[str, float]) -> Iterator[Remains]:
    """Every place where a person leaves a trace, and how it goes from there."""
    for lane, config in setup.config.lanes.items():
        what = "who was sent which text and when; what waits for the morning"
        yield _topic(wiring.journal_topic(lane), what, kept)
        for name in setup.config.named(lane) if config.backfill else ():
            yield _topic(wiring.backfill_topic(name), "copies of records for replays, redrives and vestnik send", kept)
    yield _topic(setup.config.topics.dead_letters, "whole records that failed, byte for byte", kept)
    for source in setup.config.topics.sources:
        yield _topic(source, "the events themselves", kept, SHOPS)
    yield Remains(
        wiring.SUPPRESSIONS, OURS, "a keyed hash of the name, so that nobody tells them", "vestnik suppress remove"
    )
    memory = max(lane.memory for lane in setup.config.lanes.values())
    goes = f"with the process, or {spell_seconds(memory)} after the last push"
    yield Remains("memory of the processes", OURS, "frequency caps, under a hash that no other process knows", goes)
    yield Remains("logs and metrics", OURS, "no names: at most two digits", "they need not go")
    for lane, account in setup.accounts.items():
        what = "what was sent to it"
        yield Remains(f"{account.type} ({lane})", account.type, what, "ask the provider: Vestnik cannot take it back")


def _topic(name: str, what: str, kept: Mapping[str, float], whose: str = OURS) -> Remains:
    seconds = kept.get(name)
    if seconds is None:
        return Remains(name, whose, what, "by the topic's retention; it was not looked up")
    if seconds == float("inf"):
        return Remains(name, whose, what, "never: the topic keeps everything; give it a retention")
    return Remains(name, whose, what, f"{spell_seconds(seconds)} after it was written", seconds)


# --- letters that name them -------------------------------------------------------------------------------------------


async def _naming(setup: Setup, names: Sequence[str], kept: dict[str, float] | str) -> list[NamingLetter] | str:
    """All letters whose original names one of them. None can be taken out of its topic: its retention does that."""
    if setup.config.kafka is None:
        return "dead letters in files are not looked through; delete the lines that name them"
    topic = setup.config.topics.dead_letters
    seconds = kept.get(topic) if isinstance(kept, dict) else None
    wanted = {written_recipient(name) for name in names}
    found: list[NamingLetter] = []
    async with range_reader(wiring.kafka_settings(setup)) as reader:
        if isinstance(reader, Trouble):
            return f"the dead letters cannot be read: {trouble_words(reader)}"
        async for letter in letters_since(reader, topic, 0.0):
            if isinstance(letter, Trouble):
                return f"the dead letters cannot be read: {trouble_words(letter)}"
            if names_one(letter.record, wanted):
                found.append(_letter(letter.record, letter.head.lane, letter.head.reason.value, seconds))
    return found


def _letter(record: Record, lane: str, reason: str, kept_seconds: float | None) -> NamingLetter:
    ends = kept_seconds is not None and kept_seconds != float("inf")
    until = moment(record.timestamp + (kept_seconds or 0.0)) if ends else ""
    position = record.position
    place = f"{position.topic}/{position.partition}/{position.offset}"
    return NamingLetter(place, lane, reason, moment(record.timestamp), until)


def names_one(record: Record, wanted: Collection[str]) -> bool:
    """Whether a record's key or anything in its customer is one of these names. Where no customer can be made out, any
    value counts, and where it is no JSON, any place in its bytes."""
    key, value = (part.decode(errors="replace") if part else "" for part in (record.key, record.value))
    if key in wanted:
        return True
    try:
        event = json.loads(value)
        customer = event.get("customer", event) if isinstance(event, dict) else event
        return any(written_recipient(leaf) in wanted for leaf in _leaves(customer))
    except (ValueError, RecursionError):
        return any(name in value for name in wanted)


def _leaves(node: Any) -> Iterator[str]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, str | int):
            yield str(each)
