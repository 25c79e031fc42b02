"""Everything observable that can happen, one value each.

The engine and the adapters say facts; `app` has a table from fact to metric and one from fact to log line. No fact
carries a recipient or a text in a field that becomes a label.
"""

from dataclasses import field

from consumer.core.model import Message, Outcome, TopicPartition
from consumer.core.value import value


@value
class LaneFact:
    lane: str


@value
class RecordsPlanned(LaneFact):
    """Records of one type were read and planned together. `result` is planned, ignored or rejected; `reason` says why
    they are not planned; `commands` is what came of all of them."""

    topic: str
    event_type: str
    result: str
    reason: str
    records: int
    commands: int


@value
class RecordRepeated(LaneFact):
    """A command that is known already: `joined` a live one, or one that had `ended`."""

    route: str
    state: str


@value
class CommandEnded(LaneFact):
    """Commands of one route got their one outcome."""

    route: str
    outcome: Outcome
    reason: str
    count: int


@value
class CommandsRestored(LaneFact):
    """Parked commands that a new owner took up from the journal; they count as planned there."""

    count: int


@value
class CommandsParked(LaneFact):
    """Commands that wait for a time of their own are durable in the journal, and their records settled."""

    reason: str
    count: int


@value
class CommandsReleased(LaneFact):
    """Commands let go to another owner: they are planned again there."""

    count: int


@value
class Pushed(LaneFact):
    """Accepted by the provider: when, of which route, at which level, how old. For the journal of the last pushes the
    message and the recipients are here; they are never labels."""

    provider: str
    attempt: str
    route: str
    level: int
    message: Message
    recipients: tuple[str, ...] = field(repr=False)
    ages_seconds: tuple[float, ...]
    in_time: int


@value
class RequestSent(LaneFact):
    """A request came back (or did not), with its verdict by name."""

    provider: str
    attempt: str
    verdict: str
    reason: str
    recipients: int
    duration_seconds: float


@value
class RequestWithdrawn(LaneFact):
    """An attempt was in the journal, and the last look forbade the request: superseded_owner, ended or expired."""

    attempt: str
    reason: str


@value
class GateOpened(LaneFact):
    """A request was granted after waiting so long."""

    waited_seconds: float
    cause: str


@value
class GateMoved(LaneFact):
    """The gap between requests was widened by a limit answer or narrowed by a quiet time."""

    gap_seconds: float


@value
class BreakerMoved(LaneFact):
    """The breaker opened, and why: from now on only probes go out; or it closed."""

    open: bool
    reason: str


@value
class LaneMoved(LaneFact):
    """The lane's state: standby, recovering, working, draining, stopped."""

    state: str
    epoch: int


@value
class LaneBlocked(LaneFact):
    """The lane cannot work, and why. `detail` is for people."""

    reason: str
    detail: str


@value
class LaneUnblocked(LaneFact):
    reason: str
    seconds: float


@value
class ClaimMade(LaneFact):
    """An epoch of the lane began; `ours` tells whether this process has it."""

    epoch: int
    ours: bool


@value
class JournalReadBack(LaneFact):
    """The journal was read back over the lane's memory. `unreadable`: records of it that are none of ours, or of a
    kind that a later version writes."""

    records: int
    seconds: float
    in_doubt: int
    unreadable: int = 0


@value
class DeadLettered(LaneFact):
    reason: str
    route: str
    detail: str


@value
class OffsetsCommitted(LaneFact):
    partitions: int
    seconds: float


@value
class CommitFailed(LaneFact):
    reason: str


@value
class PartitionsAssigned(LaneFact):
    partitions: tuple[TopicPartition, ...]


@value
class PartitionsRevoked(LaneFact):
    pass


@value
class StreamTroubled(LaneFact):
    """A stream gives nothing: `stream` is source, journal or dead_letters."""

    stream: str
    reason: str
    detail: str


@value
class StreamHealed(LaneFact):
    stream: str


@value
class StreamRebuilt(LaneFact):
    """A client was thrown away and made anew after an error that it does not survive."""

    stream: str
    reason: str


@value
class OffsetsSkipped(LaneFact):
    """Offsets that a partition no longer has, or never gave: retention, compaction, transaction markers."""

    topic: str
    partition: int
    count: int


@value
class TokenRefreshed(LaneFact):
    provider: str
    result: str


@value
class TokenKept(LaneFact):
    """A token pair is at hand. `obtained_at`: when it was issued; `expires_at`: when the access token ends;
    `refresh_expires_at`: when the refresh token does, after which a person must authorise anew. Seconds since 1970."""

    provider: str
    obtained_at: float
    expires_at: float
    refresh_expires_at: float


@value
class RequestsNarrowed(LaneFact):
    """From now on a request carries less than it could: the account does not take more, for that reason."""

    provider: str
    reason: str


@value
class LongTextsSent(LaneFact):
    """Messages went out with a `part` (title, text) that is longer than this provider's people will see."""

    provider: str
    part: str
    count: int


@value
class LaneCrashed(LaneFact):
    """A bug: the lane's task ended with an exception and is started again."""

    error: str


@value
class LaneStuck(LaneFact):
    """What should happen does not, though nothing outside is in the way, or a client of the broker cannot be mended:
    only a new process helps, and this one ends with exit code 70. `reason` is no_request, no_landing, no_commit,
    no_recovery, no_broker or client_broken."""

    reason: str
    detail: str


@value
class PartitionStuck(LaneFact):
    """A partition has records that were not read, and has given none for so long. `reason` is its stream's own, or
    silent."""

    topic: str
    partition: int
    reason: str
    records: int
    seconds: float


@value
class PartitionFreed(LaneFact):
    """A stuck partition gives records again, has no more, or is another's."""

    topic: str
    partition: int
    seconds: float


@value
class LaneGauges(LaneFact):
    """How the lane stands, said about once a second. `holds` is why it is not faster: quota, ceiling, breaker,
    in_flight, blocked, no_data or none. `drift` is the conservation sum, which must be zero. `head_seconds`: how long
    the same record has held back a committed offset, the longest of all partitions. `unreadable_rows`: of the list of
    suppressions and of the orders to lanes, passed over since the process began."""

    state: str
    waiting: int
    waiting_bytes: int
    groups: int
    in_flight: int
    in_doubt: int
    joined: int
    oldest_waiting_seconds: float
    seconds_to_clear: float
    quota_used: int
    quota_requests: int
    gap_seconds: float
    holds: str
    drift: int
    lag_records: int
    lag_seconds: float
    parked: int = 0
    head_seconds: float = 0.0
    stuck_partitions: int = 0
    unreadable_rows: int = 0


Fact = LaneFact
