"""What passes between rooms: records in, commands that wait, batches out, verdicts and outcomes back.

One time line runs through the whole lane: **broker time**, seconds since 1970 as the broker's clock told it when the
lane's claim was acked, counted on from there by the monotonic clock. Every `now`, `arrived` and `deadline` is on it.
"""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import NamedTuple

from consumer.core.value import value


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Position(NamedTuple):
    """Where a record stands in Kafka. The offset is the record's own, not the next one."""

    topic: str
    partition: int
    offset: int

    @property
    def topic_partition(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


@value
class Record:
    """One record as the broker gave it: undecoded bytes, and the broker's timestamp in seconds."""

    position: Position
    timestamp: float
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Priority(StrEnum):
    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"

    @property
    def weight(self) -> int:
        """How much one recipient of this priority counts against another: 16 / 4 / 1."""
        return _WEIGHTS[self]


_WEIGHTS = {Priority.URGENT: 16, Priority.NORMAL: 4, Priority.LOW: 1}
_BACKFILL_WEIGHT = 0.001


class OnUnsure(StrEnum):
    """What a route wants when nobody can say whether a push went out."""

    REPEAT = "repeat"
    STOP = "stop"


class Message(NamedTuple):
    """What a recipient sees. Commands with equal messages may share a request."""

    title: str
    text: str
    link: str | None = None
    image: str | None = None


@value
class Terms:
    """What all commands of one route have in common; one object a route, shared by its commands.

    `unique[i]` says that the wording at level i names something that is the recipient's alone, so that its group cannot
    grow. `ladder` is False where a route must not be coarsened. `marketing` counts for frequency caps. `backfill` is
    True of old records that were read again: whatever is live outweighs them.
    """

    route: str
    priority: Priority = Priority.NORMAL
    deliver_within_seconds: float = 1800.0
    on_unsure: OnUnsure = OnUnsure.REPEAT
    unique: tuple[bool, ...] = ()
    ladder: bool = True
    marketing: bool = False
    backfill: bool = False

    @property
    def weight(self) -> float:
        """How much one recipient counts against another. A thousand of a backfill weigh less than one live one."""
        return self.priority.weight * (_BACKFILL_WEIGHT if self.backfill else 1.0)


class Quiet(NamedTuple):
    """Hours in which somebody is not told, in minutes of the day at a place; the night's `end` may be the next day's.
    `drop`: what falls into them ends, instead of waiting for the morning. One object for all whom it concerns."""

    start: int
    end: int
    zone: str
    drop: bool = False


class Cap(NamedTuple):
    """At most so many marketing messages to one person in any so many seconds."""

    messages: int
    per_seconds: float


@value
class Command:
    """One notification to one recipient, planned and rendered.

    `id`      12 bytes: hash of (shop, source, event id, route id, recipient). Planning twice gives the same id.
    `digest`  4 bytes of the event's payload: the same id with another digest is an event id used twice.
    `thread`  64-bit hash of (lane, the route's thread expression, recipient), or None.
    `rank`    the event's `revision`, else its `occurred_at` in microseconds: the newer of a thread has the higher one.
    `wordings` the ladder, the most personal first; never empty.
    `arrived` min(occurred_at, record time); `deadline` is arrived + ttl. Both in broker time.
    `source`  the topic it came from, whose share of the backlog it takes; "" when it was restored from the journal.
    `quiet`   the recipient's quiet hours where the route obeys them.
    """

    id: bytes
    digest: bytes
    terms: Terms
    recipient: str
    wordings: tuple[Message, ...]
    thread: int | None
    rank: int
    arrived: float
    deadline: float
    source: str = ""
    quiet: Quiet | None = None


class Parcel(NamedTuple):
    """Commands that are told the same in one call: one message, at one level of the detail ladder."""

    message: Message
    level: int
    commands: tuple[Command, ...]


@value
class Batch:
    """What one request carries. `id` is `epoch.number`, unique in a lane's journal. All `commands` stand in the batch's
    order, parcel by parcel; `recipients` is everybody whom it tells, and `marketing` those of its routes that count for
    frequency caps."""

    id: str
    epoch: int
    parcels: tuple[Parcel, ...]
    commands: tuple[Command, ...] = field(init=False, compare=False, repr=False)
    recipients: frozenset[str] = field(init=False, compare=False, repr=False)
    marketing: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        commands = tuple([command for parcel in self.parcels for command in parcel.commands])
        marketing = [command.terms.route for command in commands if command.terms.marketing]
        # What everybody asks for is worked out at once; nobody changes it later.
        object.__setattr__(self, "commands", commands)
        object.__setattr__(self, "recipients", frozenset([command.recipient for command in commands]))
        object.__setattr__(self, "marketing", frozenset(marketing))

    @property
    def on_unsure(self) -> OnUnsure:
        """The one policy of the batch; `take` never mixes two."""
        return self.parcels[0].commands[0].terms.on_unsure


class Capacity(NamedTuple):
    """What one request of a provider may carry: different messages, and recipients of each. A message with one of the
    words of `alone` in it, in small letters, shares a request with no other message. `total` bounds the recipients of
    all messages together."""

    parcels: int = 1
    recipients: int = 1
    alone: tuple[str, ...] = ()
    total: int | None = None

    def goes_alone(self, message: Message) -> bool:
        """Whether the message must be the only one of its request."""
        if self.parcels == 1 or not self.alone:
            return False
        said = "\n".join(part for part in message if part).lower()
        return any(word in said for word in self.alone)


# --- verdicts: what came of a request ---------------------------------------------------------------------------------


@value
class Delivered:
    """Accepted by the provider."""


@value
class Deferred:
    """Did not happen, and may later.

    `after_seconds` is the provider's wish, or None. `limit`: it was the quota's answer, which costs no attempt.
    `left`: False when the request never left this machine, so that it gives its place in the quota back.
    `at_most`: how often one command may end this way before it counts as refused; None is no bound.
    `same_key`: it may have happened, and the provider knows the request by its key: the very same request goes out
    again, and nothing of the batch before it. Stands for the whole batch.
    """

    reason: str
    after_seconds: float | None = None
    limit: bool = False
    left: bool = True
    at_most: int | None = None
    same_key: bool = False


@value
class Unsure:
    """Sent, and the answer is lost or makes no sense: the route's `on_unsure` decides.

    `answered` is True when some answer came, so that nothing of the request can still be under way.
    """

    reason: str
    answered: bool = False


@value
class Refused:
    """This text or this recipient is wrong. `letter` is False where nobody needs to look (unsubscribed). `shared` is
    True where the provider said it once of several commands, so that halves must tell which of them it meant.
    """

    reason: str
    detail: str = ""
    letter: bool = True
    shared: bool = False


@value
class Blocked:
    """The lane is wrong: key, scope, plan, address. Nothing of the batch happened."""

    reason: str
    detail: str = ""


Verdict = Delivered | Deferred | Unsure | Refused | Blocked

# One verdict for all commands of a batch, or one for each in the batch's order.
Verdicts = tuple[Verdict, ...]


class Outcome(StrEnum):
    """The one end of a command."""

    DELIVERED = "delivered"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Ended(NamedTuple):
    """A command that ended without a request, and why in one word of a closed list."""

    command: Command
    outcome: Outcome
    reason: str = ""


# --- the plan of one record -------------------------------------------------------------------------------------------


@value
class Rejection:
    """A record, or one route's part of it, that needs a person. `reason` is from a closed list; `detail` has no values
    of the event in it. `id` names the dead letter, so that copies can be told apart from others."""

    id: str
    reason: str
    detail: str = ""
    route: str | None = None


@value
class Planned:
    """What the routes made of a record. All three may be filled at once: parts fail alone."""

    event_type: str
    commands: tuple[Command, ...] = ()
    ended: tuple[Ended, ...] = ()
    rejections: tuple[Rejection, ...] = ()


@value
class Ignored:
    """Nothing to do: unknown_type, no_route, unaddressable, tombstone, other_shop."""

    reason: str
    event_type: str = ""


@value
class Rejected:
    """The record could not be read as an event at all."""

    rejection: Rejection


Plan = Planned | Ignored | Rejected


# --- trouble of a stream, as a value ----------------------------------------------------------------------------------


@value
class Trouble:
    """Why a stream gives nothing just now. `reason` is from a closed list (see `ports.TROUBLES`)."""

    reason: str
    detail: str = ""
    partition: TopicPartition | None = None


@value
class Quota:
    """`requests` in any `per_seconds`, as a window; or a leaky bucket of that depth draining in that time."""

    requests: int
    per_seconds: float
    bucket: bool = False

    @property
    def gap_seconds(self) -> float:
        return self.per_seconds / self.requests


@value
class Bounds:
    """How much may wait: commands and bytes over all sources, each source's part, and the ledger's span in records."""

    commands: int = 100_000
    bytes: int = 128 * 1024 * 1024
    shares: Mapping[str, float] = field(default_factory=dict)
    span: int = 500_000
