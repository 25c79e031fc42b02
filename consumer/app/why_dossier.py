"""What was asked about one thing, and all that was found of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consumer.core.backfill import Backfilled
from consumer.core.model import Record, TopicPartition
from consumer.core.redrive import Letter
from consumer.core.story import Chronicle
from consumer.core.story_routes import Explained
from consumer.core.story_subject import Kind, Subject
from schemas.envelope import Event


@dataclass(frozen=True, slots=True)
class Question:
    """`since` and `now` are seconds since 1970. `urls`: admin ports of processes that may be asked."""

    term: str
    since: float
    now: float
    lanes: tuple[str, ...]
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """A record in which the thing was seen. `original` is as it first stood; `lane` is set where it stands in that
    lane's backfill topic. `explained`: what each lane makes of it."""

    record: Record
    original: Record
    kind: Kind | None
    event: Event | None
    lane: str | None
    backfilled: Backfilled | None
    sending: bool
    explained: Mapping[str, Explained]


@dataclass(frozen=True, slots=True)
class Looked:
    """One topic that was looked at: how much of it."""

    topic: str
    partitions: int
    of: int
    records: int


@dataclass(slots=True)
class Dossier:
    """All that was found. `live`: by lane what its running owner says; `focus`: the one command that is asked for."""

    question: Question
    subject: Subject
    sights: list[Sight] = field(default_factory=list)
    chronicles: dict[str, Chronicle] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    committed: dict[str, Mapping[TopicPartition, int | None]] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    looked: list[Looked] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    left_out: int = 0
    focus: str | None = None

    @property
    def found(self) -> bool:
        """Whether anything at all is known."""
        lives = any(chronicle.lives for chronicle in self.chronicles.values())
        return bool(self.sights or lives or self.letters)

    @property
    def kinds(self) -> list[Kind]:
        """As what the term was found, each once."""
        kinds = [sight.kind for sight in self.sights if sight.kind is not None]
        return list(dict.fromkeys([Kind.COMMAND] if self.focus else kinds))

    def commands(self, lane: str) -> set[str]:
        """The ids of all commands that its records are planned into on a lane."""
        explained = (sight.explained[lane] for sight in self.sights if lane in sight.explained)
        return {command.id.hex() for each in explained for command in each.commands}
