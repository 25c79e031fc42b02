"""Which dead letters go out again, and what would come of it: chosen, counted, and kept from going in circles."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from consumer.core.backfill import next_life
from consumer.core.model import Ignored, Plan, Planned, Position, Record, Rejected
from consumer.core.redrive_advice import ADVICE, Whole
from consumer.core.shares import lane_of
from schemas.dead_letter import HEADER_PREFIX, DeadLetterHeaders, DeadReason

MAX_REDRIVES = 2
_ID_DIGITS = 24
# A command that was revived so often is nobody's any more.
_LIVES = 32


class LetterKey(NamedTuple):
    """One life of one letter: copies have the same key, and a letter that died again has another."""

    lane: str
    id: str
    redrives: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it stands in its topic. `copies`: how often it stands there."""

    head: DeadLetterHeaders
    record: Record
    copies: int = 1

    @property
    def key(self) -> LetterKey:
        return LetterKey(self.head.lane, self.head.id, self.head.redrives)

    @property
    def died_at(self) -> float:
        """When the letter was written, seconds since 1970."""
        return self.record.timestamp

    @property
    def reason(self) -> DeadReason:
        return self.head.reason

    @property
    def origin(self) -> Position:
        """Where the original stands in its source."""
        return Position(self.head.topic, self.head.partition, self.head.offset)

    @property
    def is_partial(self) -> bool:
        """The topic took only a part of the value, or nobody could read the original when the letter was written."""
        return self.head.sha256 is not None or self.record.value is None

    @property
    def original(self) -> Record:
        """The record as the shop published it; of a partial letter, what there is of it."""
        headers = tuple(pair for pair in self.record.headers if not pair[0].startswith(HEADER_PREFIX))
        return Record(self.origin, self.head.timestamp, self.record.key, self.record.value, headers)

    @property
    def command(self) -> str | None:
        """The one command that it is about, in 24 hex digits; None where it is about a whole record or route."""
        if self.head.command is None and self.reason is DeadReason.EVENT_ID_CONFLICT:
            return self.head.id[:_ID_DIGITS]
        return self.head.command

    @property
    def routes(self) -> frozenset[str]:
        """The one route that it is about; empty where all of its lane's are meant."""
        whole = ADVICE[self.reason].about is Whole.RECORD
        return frozenset() if whole or self.head.route is None else frozenset({self.head.route})

    @property
    def revived(self) -> bytes | None:
        """The command that has ended, and must have another life to go out again; None where none has ended."""
        if not ADVICE[self.reason].anew or self.command is None:
            return None
        try:
            return bytes.fromhex(self.command)
        except ValueError:
            return None

    def is_whole(self, value: bytes | None) -> bool:
        """Whether this value, read again from the source, is the one that the letter is about."""
        if value is None:
            return False
        return self.head.sha256 is None or sha256(value).hexdigest() == self.head.sha256


def collapsed(letters: Iterable[Letter]) -> list[Letter]:
    """Each letter once, with the number of its copies, in the order in which they were first written."""
    found: dict[LetterKey, Letter] = {}
    for letter in letters:
        known = found.get(letter.key)
        found[letter.key] = letter if known is None else replace(known, copies=known.copies + letter.copies)
    return list(found.values())


# --- choosing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters somebody asks for; what is empty asks for all. Times are of the letter's death."""

    reasons: frozenset[str] = frozenset()
    lanes: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    since: float = -math.inf
    until: float = math.inf

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is among them."""
        head = letter.head
        asked: tuple[tuple[Collection[str], str], ...] = (
            (self.reasons, head.reason),
            (self.lanes, head.lane if head.lane in self.lanes else lane_of(head.lane)),
            (self.routes, head.route or ""),
            (self.topics, head.topic),
            (self.ids, head.id),
        )
        return self.since <= letter.died_at < self.until and all(not some or value in some for some, value in asked)

    def names(self, letter: Letter) -> bool:
        """Whether its reason or the letter itself was asked for by name."""
        return letter.head.reason in self.reasons or letter.head.id in self.ids


def found(letters: Sequence[Letter], name: str) -> list[Letter]:
    """The letters of an id, or of all ids that begin so where none is that id."""
    exactly = [letter for letter in letters if letter.head.id == name]
    return exactly or [letter for letter in letters if letter.head.id.startswith(name)]


# --- what would come of it --------------------------------------------------------------------------------------------


class Fate(StrEnum):
    """What becomes of a letter in a redrive; only the first one is published."""

    GOES = "goes"
    DONE = "done"
    DIED_LATER = "died_later"
    TOO_OFTEN = "too_often"
    BY_NAME = "by_name"
    NO_LANE = "no_lane"
    GONE = "gone"
    DIES_AGAIN = "dies_again"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    IGNORED = "ignored"


FATES: dict[Fate, str] = {
    Fate.GOES: "goes out again",
    Fate.DONE: "was redriven already; --again does it once more",
    Fate.DIED_LATER: "was redriven and died again: the newer letter stands for it",
    Fate.TOO_OFTEN: "was redriven as often as --max-redrives allows",
    Fate.BY_NAME: "is redriven only by name: say its --reason, or the letter's id",
    Fate.NO_LANE: "its lane does not take it",
    Fate.GONE: "has only a part of the original, and the source has it no more",
    Fate.DIES_AGAIN: "would die again with the routes and the configuration at hand",
    Fate.EXPIRED: "is too old to be told: it would end as expired",
    Fate.SUPPRESSED: "would end as suppressed",
    Fate.IGNORED: "no route wants it any more",
}


class Foreseen(NamedTuple):
    """What comes of a letter, how many messages it would become, and more about it in words without values."""

    fate: Fate
    messages: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """What keeps letters from going out twice or in circles. `done`: how often each stands in a backfill topic.
    `latest`: of each letter the highest number of redrives with which it stands among the dead."""

    done: Mapping[LetterKey, int]
    latest: Mapping[tuple[str, str], int]
    max_redrives: int = MAX_REDRIVES
    again: bool = False

    def stops(self, letter: Letter, wanted: Wanted) -> Fate | None:
        """Why this letter does not go out, before anybody has looked into it."""
        lane, id_, redrives = letter.key
        if redrives < self.latest.get((lane, id_), redrives):
            return Fate.DIED_LATER
        if redrives >= self.max_redrives:
            return Fate.TOO_OFTEN
        if letter.key in self.done and not self.again:
            return Fate.DONE
        if ADVICE[letter.reason].by_name and not wanted.names(letter):
            return Fate.BY_NAME
        return None


def latest_lives(letters: Iterable[Letter]) -> dict[tuple[str, str], int]:
    """Of each letter by lane and id the highest number of redrives after which it died."""
    lives: dict[tuple[str, str], int] = {}
    for letter in letters:
        lane, id_, redrives = letter.key
        lives[lane, id_] = max(redrives, lives.get((lane, id_), 0))
    return lives


def past_lives(ended: bytes, planned: Iterable[bytes], more: int = 0) -> tuple[bytes, frozenset[bytes]] | None:
    """Of the commands that a record is planned into, the one whose life has ended as `ended`, and all of its lives up
    to that one and so many `more`, which are over. None where the record is planned into no such command any more."""
    for first in planned:
        lives = [first]
        while lives[-1] != ended and len(lives) < _LIVES:
            lives.append(next_life(lives[-1]))
        if lives[-1] == ended:
            for _ in range(more):
                lives.append(next_life(lives[-1]))
            return first, frozenset(lives)
    return None


def only(plan: Plan, id_: bytes) -> Plan:
    """The plan without all other commands."""
    if not isinstance(plan, Planned):
        return plan
    commands = tuple(command for command in plan.commands if command.id == id_)
    ended = tuple(end for end in plan.ended if end.command.id == id_)
    return Planned(plan.event_type, commands, ended, plan.rejections)


def foreseen(plan: Plan, now: float) -> Foreseen:
    """What the lane would make of the record, in broker seconds."""
    if isinstance(plan, Rejected):
        return Foreseen(Fate.DIES_AGAIN, 0, f"{plan.rejection.reason}: {plan.rejection.detail}")
    if isinstance(plan, Ignored):
        return Foreseen(Fate.IGNORED, 0, plan.reason)
    live = sum(command.deadline > now for command in plan.commands)
    return Foreseen(Fate.GOES, live) if live else _nobody_told(plan)


def _nobody_told(plan: Planned) -> Foreseen:
    """Why a record that is read as an event tells nobody, the gravest reason first."""
    if plan.rejections:
        return Foreseen(Fate.DIES_AGAIN, 0, f"{plan.rejections[0].reason}: {plan.rejections[0].detail}")
    if plan.commands:
        return Foreseen(Fate.EXPIRED)
    if plan.ended:
        return Foreseen(Fate.SUPPRESSED, 0, plan.ended[0].reason)
    return Foreseen(Fate.IGNORED, 0, "other_recipients")


# --- counting ---------------------------------------------------------------------------------------------------------


class Tally(NamedTuple):
    """How many letters of one reason, lane and route there are, and when the first and the last died."""

    reason: str
    lane: str
    route: str
    letters: int
    first: float
    last: float


def tallied(letters: Iterable[Letter]) -> list[Tally]:
    """By reason, lane and route; the most letters first."""
    tallies: dict[tuple[str, str, str], Tally] = {}
    for letter in letters:
        key = (str(letter.reason), letter.head.lane, letter.head.route or "")
        at = letter.died_at
        known = tallies.get(key, Tally(*key, 0, at, at))
        tallies[key] = Tally(*key, known.letters + 1, min(known.first, at), max(known.last, at))
    return sorted(tallies.values(), key=lambda each: (-each.letters, each[:3]))
