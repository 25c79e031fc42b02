"""What a run left behind, as values: what was published, what people saw, and what stands in the topics.

Nothing here was counted by the consumer. The publisher says what it published and where it landed; the fake providers
say what they were asked and what people saw; journal, dead letters and committed offsets are read from the broker after
the consumer has stopped; and what each record should have become is planned again, apart from the run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.core.model import Plan, Planned, Position, Quota, TopicPartition
from schemas.journal import AnyRecord, Attempt, Landing, Outcomes


class Sent(NamedTuple):
    """A record that the broker took from the publisher, where it landed, and when (seconds of the run's clock)."""

    position: Position
    at: float
    poison: str = ""


class Telling(NamedTuple):
    """One text that a fake provider showed for one request: when, to whom, and the words they saw. A provider that
    shows no title has only the text in it."""

    at: float
    recipients: tuple[str, ...]
    words: str


class Letter(NamedTuple):
    """A dead letter: its id, its lane, its original record, and the one command that it is about, if it is."""

    id: str
    lane: str
    position: Position
    route: str | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class LaneEvidence:
    """One lane: its quota, what its topics hold, and what its provider saw.

    `plans` has the plan of each published record by its position. `requests` counts every request, also one that was
    turned away. `worst_window` is the largest number of requests that arrived within the quota's time.
    """

    quota: Quota
    plans: Mapping[Position, Plan]
    committed: Mapping[TopicPartition, int | None]
    journal: Sequence[AnyRecord]
    tellings: Sequence[Telling]
    requests: int
    worst_window: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The whole run. `started` is when the consumer was started, on the publisher's and the fakes' clock."""

    started: float
    sent: Sequence[Sent]
    lanes: Mapping[str, LaneEvidence]
    letters: Sequence[Letter]


@dataclass(slots=True)
class ParcelSeen:
    """What one request was to tell with one text: pairs of recipient and command id."""

    attempt: "AttemptSeen"
    text: str
    commands: list[tuple[str, str]] = field(default_factory=list)

    @property
    def recipients(self) -> frozenset[str]:
        return frozenset(recipient for recipient, _ in self.commands)


@dataclass(slots=True)
class AttemptSeen:
    """An attempt with all its parts, and the verdict of its landing; "" when none followed. `commands` has the ids in
    the attempt's order."""

    id: str
    commands: list[str] = field(default_factory=list)
    parcels: dict[str, ParcelSeen] = field(default_factory=dict)
    verdict: str = ""

    def add(self, part: Attempt) -> None:
        """A parcel that is cut into parts is one parcel again."""
        for parcel in part.parcels:
            self.commands.extend(parcel.commands.ids)
            seen = self.parcels.setdefault(parcel.message.text, ParcelSeen(self, parcel.message.text))
            seen.commands.extend(zip(parcel.commands.recipients, parcel.commands.ids, strict=True))


def attempts_of(journal: Iterable[AnyRecord]) -> dict[str, AttemptSeen]:
    """The attempts in the order of the journal. A part that was written twice counts once."""
    attempts: dict[str, AttemptSeen] = {}
    parts: set[tuple[str, int]] = set()
    for entry in journal:
        if isinstance(entry, Attempt) and (entry.id, entry.part) not in parts:
            parts.add((entry.id, entry.part))
            attempts.setdefault(entry.id, AttemptSeen(entry.id)).add(entry)
        elif isinstance(entry, Landing) and entry.attempt in attempts and not attempts[entry.attempt].verdict:
            attempts[entry.attempt].verdict = entry.verdict
    return attempts


def outcomes_of(journal: Iterable[AnyRecord]) -> dict[str, str]:
    """The outcome of each command that has one, by its id in hex: the first one in the log wins."""
    entries = list(journal)
    attempts = attempts_of(entries)
    outcomes: dict[str, str] = {}
    for entry in entries:
        for command, outcome in _ends(entry, attempts):
            outcomes.setdefault(command, outcome)
    return outcomes


def _ends(entry: AnyRecord, attempts: Mapping[str, AttemptSeen]) -> Iterable[tuple[str, str]]:
    if isinstance(entry, Outcomes):
        return [(command, entry.outcome) for command in entry.ids]
    if not isinstance(entry, Landing) or entry.attempt not in attempts:
        return []
    commands = attempts[entry.attempt].commands
    each = entry.outcomes if entry.outcomes is not None else [entry.outcome] * len(commands)
    return [(command, outcome) for command, outcome in zip(commands, each, strict=False) if outcome is not None]


def commands_of(plan: Plan | None) -> tuple[str, ...]:
    """The ids in hex of all commands that a record was planned into, also of those that ended at once."""
    if not isinstance(plan, Planned):
        return ()
    return tuple(command.id.hex() for command in plan.commands) + tuple(end.command.id.hex() for end in plan.ended)
