"""What can be seen from outside: the broker's logs, the commits and the facts, written down as they happen."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from consumer.core.facts import CommitFailed, Fact, LaneCrashed, LaneGauges, LaneStuck, OffsetsSkipped, RequestWithdrawn
from consumer.core.model import Position, Record, TopicPartition
from tests.world.adapters import JOURNAL, LETTERS
from tests.world.lives import Life
from tests.world.shop import Shop

TROUBLES_NOTED = 20


@dataclass(frozen=True)
class Violation:
    """One broken promise: which, and what was seen."""

    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


@dataclass(frozen=True)
class Leave:
    """A record that lets a request go out."""

    offset: int
    at: float
    epoch: int


@dataclass
class Attempt:
    """An attempt as the journal shows it: where each of its copies stands, by what records it went out again, and its
    first landing."""

    id: str
    epoch: int
    commands: list[str]
    threads: list[str | None]
    ranks: list[int]
    copies: list[tuple[int, float]]
    written_at: float
    void: bool
    landed_at: float | None = None
    landed_offset: int | None = None
    verdict: str = ""
    reason: str = ""
    landed_by: int = 0
    parts: set[int] = field(default_factory=set)
    repeats: list[Leave] = field(default_factory=list)
    stamp: float = 0.0

    def leaves(self, time: int) -> list[Leave]:
        """The records that let it go out for the first, second … time."""
        if time == 1:
            return [Leave(offset, at, self.epoch) for offset, at in self.copies]
        return self.repeats[time - 2 :]


@dataclass(frozen=True)
class Claim:
    """A valid claim."""

    offset: int
    epoch: int
    member: str
    at: float


@dataclass(frozen=True)
class End:
    """The first outcome of a command in the log."""

    outcome: str
    offset: int
    at: float
    stamp: float
    attempt: str | None
    reason: str = ""


class Witness:
    """Reads the journal with an eye of its own: nothing of the product but the names of fields."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.attempts: dict[str, Attempt] = {}
        self.ends: dict[str, End] = {}
        self.parked: dict[str, int] = {}
        self.claims: list[Claim] = []
        self.letters: dict[Position, int] = defaultdict(int)
        self.refusals: dict[str, float] = {}
        self.violations: list[Violation] = []
        self.journal_records = 0
        self.withdrawn: dict[str, str] = {}
        self.bound: dict[str, float] = {}
        self.gap_records = 0
        self.most_waiting = 0
        self.failed_commits = 0
        self.settled = False
        self.committed: dict[TopicPartition, int] = {}
        self.trimmed: set[Position] = set()
        self._epoch = 0
        self._hash = blake2b(digest_size=16)

    def blame(self, rule: str, detail: str) -> None:
        if len(self.violations) < TROUBLES_NOTED:
            self.violations.append(Violation(rule, f"{detail} (at {self._now():.3f})"))

    @property
    def trace(self) -> str:
        return self._hash.hexdigest()

    def binds(self, attempt_id: str) -> None:
        """A process has bound a batch, and is about to write its attempt."""
        self.bound.setdefault(attempt_id, self._now())

    def note(self, *parts: object) -> None:
        self._hash.update("|".join(map(str, parts)).encode())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # --- the broker's logs --------------------------------------------------------------------------------------------

    def on_record(self, record: Record) -> None:
        self.note(f"{self._now():.6f}", record.position, record.value)
        if record.position.topic == JOURNAL:
            self.journal_records += 1
            value: dict[str, Any] = json.loads(record.value or b"{}")
            reader: Callable[[dict[str, Any], Record], None] = getattr(self, f"_{value['kind']}")
            reader(value, record)
        elif record.position.topic == LETTERS:
            self._letter(record)

    def _claim(self, value: dict[str, Any], record: Record) -> None:
        if value["epoch"] > self._epoch:
            self._epoch = value["epoch"]
            self.claims.append(Claim(record.position.offset, self._epoch, value["member"], self._now()))

    def _attempt(self, value: dict[str, Any], record: Record) -> None:
        known = self.attempts.get(value["id"])
        if known is None:
            known = self.attempts[value["id"]] = Attempt(
                value["id"], value["epoch"], [], [], [], [], self._now(), void=True
            )
        if value["part"] not in known.parts:
            known.parts.add(value["part"])
            for parcel in value["parcels"]:
                known.commands += parcel["commands"]["ids"]
                known.threads += parcel["commands"]["threads"]
                known.ranks += parcel["commands"]["ranks"]
        if value["part"] == value["parts"]:
            if not known.copies:
                known.void = value["epoch"] < self._epoch
            known.copies.append((record.position.offset, self._now()))
            known.stamp = record.timestamp

    def _landing(self, value: dict[str, Any], record: Record) -> None:
        attempt = self.attempts.get(value["attempt"])
        if attempt is None:
            self.blame("landing", f"a landing of {value['attempt']}, which nobody attempted")
            return
        outcomes = value["outcomes"] or [value["outcome"]] * len(attempt.commands)
        repeated = value["epoch"] < max([each.epoch for each in attempt.repeats], default=0)
        if attempt.landed_at is not None or (repeated and None in outcomes):
            return
        attempt.landed_at, attempt.landed_offset = self._now(), record.position.offset
        attempt.verdict, attempt.reason, attempt.landed_by = value["verdict"], value["reason"], value["epoch"]
        if attempt.void:
            return
        if len(outcomes) != len(attempt.commands):
            self.blame("landing", f"{attempt.id} has {len(outcomes)} outcomes for {len(attempt.commands)} commands")
        for id_, outcome in zip(attempt.commands, outcomes, strict=False):
            if outcome is not None:
                self._end(id_, outcome, record, attempt)

    def _repeat(self, value: dict[str, Any], record: Record) -> None:
        attempt = self.attempts.get(value["attempt"])
        if attempt is None:
            self.blame("repeat", f"{value['attempt']} is repeated, which nobody attempted")
        elif value["sent"]:
            attempt.repeats.append(Leave(record.position.offset, self._now(), value["epoch"]))

    def _outcomes(self, value: dict[str, Any], record: Record) -> None:
        for id_ in value["ids"]:
            self._end(id_, value["outcome"], record, None, value["reason"])

    def _parked(self, value: dict[str, Any], record: Record) -> None:
        """That of a dead owner says nothing."""
        if value["epoch"] < self._epoch:
            return
        for id_ in value["commands"]["ids"]:
            self.parked[id_] = record.position.offset

    def _end(self, id_: str, outcome: str, record: Record, attempt: Attempt | None, reason: str = "") -> None:
        if id_ not in self.shop.expected:
            self.blame("I2 strangers", f"{id_} ended as {outcome}, and no event asks for it")
        if outcome == "refused" and id_ not in self.refusals:
            self.blame("letter first", f"{id_} ended as refused before its dead letter was written")
        if id_ not in self.ends:
            by, why = (None, reason) if attempt is None else (attempt.id, attempt.reason)
            self.ends[id_] = End(outcome, record.position.offset, self._now(), record.timestamp, by, why)

    def _letter(self, record: Record) -> None:
        headers = dict(record.headers)
        number, offset = int(headers["vestnik-partition"]), int(headers["vestnik-offset"])
        place = Position(headers["vestnik-topic"].decode(), number, offset)
        if "vestnik-command" in headers:
            self.refusals.setdefault(headers["vestnik-command"].decode(), self._now())
        else:
            self.letters[place] += 1

    # --- commits ------------------------------------------------------------------------------------------------------

    def on_commit(self, before: Mapping[TopicPartition, int], offsets: Mapping[TopicPartition, int]) -> None:
        """I1: nothing is committed that has not ended, is not parked and is not in the dead letters."""
        self.note("commit", sorted(offsets.items()))
        for partition, offset in offsets.items():
            if offset < before.get(partition, 0):
                self.blame("I1 rewind", f"{partition} went back from {before[partition]} to {offset}")
            for number in range(before.get(partition, 0), offset):
                self._committed(Position(*partition, number))
            self.committed[partition] = max(offset, self.committed.get(partition, 0))

    def _committed(self, place: Position) -> None:
        asked = self.shop.asked.get(place)
        if asked is None or place in self.trimmed:
            return
        missing = [c.id for c in asked.commands if c.id not in self.ends and c.id not in self.parked]
        if missing:
            self.blame("I1 commit", f"{place} is committed, and {missing[0]} has not ended")
        if self.letters[place] < asked.letters:
            self.blame("I1 letters", f"{place} is committed without its dead letter")

    # --- what the lanes say -------------------------------------------------------------------------------------------

    def fact(self, life: Life, fact: Fact) -> None:
        match fact:
            case LaneCrashed() | LaneStuck():
                # No fault of a world is a reason for a watchdog: whatever is in the way is outside, and said.
                self.blame("crash", f"{life.name}: {fact}")
            case LaneGauges():
                self.most_waiting = max(self.most_waiting, fact.waiting)
                if fact.drift != 0:
                    self.blame("I2 drift", f"{life.name}: {fact.drift}")
            case RequestWithdrawn():
                self.withdrawn[fact.attempt] = fact.reason
            case OffsetsSkipped():
                self.gap_records += fact.count
            case CommitFailed():
                self.failed_commits += 1
            case _:
                pass
