"""Records of a lane's journal: what a lane must remember is in them and nowhere else.

Anyone may read the journal topic to know what was sent. Commands stand in columns, one list a property, so that a
record costs a request and not a command. A reader must skip a kind that it does not know.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def _written(cls: type[T]) -> type[T]:
    """Read strictly, and without infinite numbers, for nobody can keep a time that never comes; fields that a newer
    version added are passed over, so that a rolling upgrade can be read. What we write ourselves the type checker has
    looked at: it is made in a fifth of the time that a validated model takes."""
    cls.__pydantic_config__ = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)  # type: ignore[attr-defined]
    return dataclass(slots=True, kw_only=True)(cls)


@_written
class Claim:
    """A member takes the lane. The first claim of an epoch in the log wins; a lower or equal epoch later is void."""

    kind: Literal["claim"] = "claim"
    epoch: Annotated[int, Field(ge=1)]
    member: Annotated[str, Field(description="one process's life: host, process id and a random part")]


@_written
class SentMessage:
    """The message as the provider got it."""

    title: str
    text: str
    link: str | None = None
    image: str | None = None


@_written
class Columns:
    """The commands of one parcel, one list a property, all of one length."""

    ids: Annotated[list[str], Field(description="24 hex digits each")]
    digests: Annotated[list[str], Field(description="8 hex digits of the event's payload each")]
    routes: list[str]
    recipients: list[str]
    threads: Annotated[list[str | None], Field(description="16 hex digits: hash of lane, thread and recipient")]
    ranks: list[int]
    arrived: Annotated[list[float], Field(description="seconds since 1970, broker time")]
    deadlines: list[float]
    positions: Annotated[
        list[list[tuple[str, int, int]]], Field(description="topic, partition and offset of each source record")
    ]
    quiets: Annotated[
        list[tuple[int, int, str, bool] | None],
        Field(
            description="quiet hours: first and last minute of the day, time zone, whether they end what falls into "
            "them; empty when nobody has any"
        ),
    ] = field(default_factory=list)


@_written
class AttemptParcel:
    message: SentMessage
    wording: Annotated[int, Field(ge=0, description="level of the detail ladder, 0 is the most personal")]
    commands: Columns
    more: Annotated[bool, Field(description="it was too large, and goes on with the first parcel of the next part")] = (
        False
    )


@_written
class Attempt:
    """Before a request. Written in `parts` when it is large, and counts with its last part."""

    kind: Literal["attempt"] = "attempt"
    id: Annotated[str, Field(description="epoch.number")]
    epoch: int
    parcels: list[AttemptParcel]
    on_unsure: Annotated[Literal["repeat", "stop"], Field(description="what happens to it when no landing follows")] = (
        "stop"
    )
    marketing: Annotated[list[str], Field(description="those of its routes that count for frequency caps")] = field(
        default_factory=list
    )
    part: int = 1
    parts: int = 1


OutcomeName = Literal["delivered", "expired", "superseded", "suppressed", "refused", "unknown"]
VerdictName = Literal["delivered", "deferred", "unsure", "refused", "blocked", "withdrawn", "mixed"]


@_written
class Landing:
    """After a request, whatever came of it; exactly one an attempt. Withdrawn: the request was never made.

    `outcome` holds for all commands of the attempt; where they differ, `outcomes` has one for each in the attempt's
    order. A command without an outcome waits again.
    """

    kind: Literal["landing"] = "landing"
    attempt: str
    epoch: int
    verdict: VerdictName
    reason: str = ""
    outcome: OutcomeName | None = None
    outcomes: list[OutcomeName | None] | None = None
    doubtful: Annotated[list[str], Field(description="ids whose route repeats after this unsure answer")] = field(
        default_factory=list
    )
    tried: Annotated[bool, Field(description="the answer used up one of the tries of its commands")] = False


@_written
class Repeat:
    """An attempt without an answer, at a provider that knows requests by their keys: the very same one goes out again.

    `sent`: written before it does, by whoever owns the lane then. Else: written after its answer was lost once more,
    which tells that the process lives.
    """

    kind: Literal["repeat"] = "repeat"
    attempt: str
    epoch: int
    sent: bool
    reason: str = ""


@_written
class Outcomes:
    """Ends that needed no request: expired, superseded, suppressed, or unknown after a takeover."""

    kind: Literal["outcomes"] = "outcomes"
    epoch: int
    outcome: OutcomeName
    reason: str = ""
    ids: list[str]
    digests: list[str]
    routes: list[str]


@_written
class ParkedTerms:
    """What the commands of one route have in common, as far as it matters after the wait."""

    route: str
    priority: Literal["urgent", "normal", "low"]
    deliver_within_seconds: float
    on_unsure: Literal["repeat", "stop"]
    unique: Annotated[list[bool], Field(description="of each wording: it names what is one person's own")] = field(
        default_factory=list
    )
    ladder: bool = True
    marketing: bool = False


@_written
class ParkedQuiet:
    """Hours in which somebody is not told. `start` and `end` are minutes of the day there."""

    start: Annotated[int, Field(ge=0, lt=1440)]
    end: Annotated[int, Field(ge=0, lt=1440)]
    zone: str
    drop: bool = False


@_written
class Parked:
    """Commands that wait for a time of their own, whole: their source records count as settled. The last such record
    of a command counts, until its outcome.

    `terms`, `ladders` and `quiets` are tables; `term`, `rung` and `quiet` have each command's place in them.
    """

    kind: Literal["parked"] = "parked"
    epoch: int
    reason: str
    terms: list[ParkedTerms]
    ladders: list[list[SentMessage]]
    quiets: list[ParkedQuiet]
    commands: Columns
    until: Annotated[list[float], Field(description="when each waits no longer; seconds since 1970, broker time")]
    term: list[int]
    rung: list[int]
    quiet: list[int | None]


AnyRecord = Claim | Attempt | Landing | Repeat | Outcomes | Parked
JournalRecord = Annotated[AnyRecord, Field(discriminator="kind")]
# Most strings are hashes: the parser's cache of short strings finds none of them, and takes half of its time.
JOURNAL_RECORD: TypeAdapter[AnyRecord] = TypeAdapter(JournalRecord, config=ConfigDict(cache_strings="none"))
