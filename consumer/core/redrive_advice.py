"""What each reason of a dead letter means, what mends it, and how it goes out again: a table for commands and docs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from schemas.dead_letter import DeadReason


class Whole(StrEnum):
    """What a letter of the reason is about."""

    RECORD = "the record"
    ROUTE = "one route of the record"
    COMMAND = "one message to one recipient"


@dataclass(frozen=True, slots=True)
class Advice:
    """`by_name`: a redrive takes it only where its reason or its letter is named. `anew`: its commands have ended, or
    their id is taken, so that they go out under ids of their own."""

    means: str
    mend: str
    about: Whole = Whole.RECORD
    by_name: bool = False
    anew: bool = False


_PUBLISHER = "Mend the publisher, and let it publish the event anew: a redrive gives the same bytes and dies again"

ADVICE: Mapping[DeadReason, Advice] = MappingProxyType(
    {
        DeadReason.INVALID_JSON: Advice(
            "The value is not JSON, or not UTF-8.",
            f"{_PUBLISHER}. The detail has the place where reading ended.",
        ),
        DeadReason.SCHEMA: Advice(
            "It is JSON, and not an event as schemas/json/ has it.",
            "The detail names the fields. Where the publisher is wrong, mend it and publish anew; where a newer "
            "Vestnik takes such events, deploy it, then redrive.",
        ),
        DeadReason.UNKNOWN_VERSION: Advice(
            "The event says a version that this Vestnik does not know.",
            "Deploy the Vestnik that knows it, then redrive.",
        ),
        DeadReason.OVERSIZE: Advice(
            "The event is larger than the lane's event_limit, or than the topic of the letters takes; then the letter "
            "has its first 64 KiB, its size and its SHA-256.",
            "Let the publisher send less, or raise event_limit and deploy, then redrive: a letter that was cut is read "
            "from its source again, as long as the source has it.",
        ),
        DeadReason.DEPTH: Advice(
            "It is nested deeper than any event is.",
            f"{_PUBLISHER}.",
        ),
        DeadReason.NUMBER: Advice(
            "It has a number that two readers would read differently: NaN, or one of more than 64 bits.",
            f"{_PUBLISHER}. Large ids are texts.",
        ),
        DeadReason.DUPLICATE_KEY: Advice(
            "An object in it has a key twice, so that two readers would see two events.",
            f"{_PUBLISHER}.",
        ),
        DeadReason.FORMAT: Advice(
            "It is not in a format that its source takes: an envelope without what it must have, or another one.",
            "The detail says what is missing. Where the publisher is right, mend `sources` in the configuration, "
            "deploy it, then redrive.",
        ),
        DeadReason.UNKNOWN_SCHEMA: Advice(
            "The schema registry does not know the schema that the record names.",
            "Look whether the record comes from another registry's world. Where the registry has lost the schema, "
            "bring it back under its id, then redrive.",
        ),
        DeadReason.MAPPING: Advice(
            "Another system's event does not fit the mapping of its source.",
            "The detail names the field of the mapping. Mend the mapping (`vestnik check` runs its examples), deploy "
            "it, then redrive.",
        ),
        DeadReason.EVENT_ID_CONFLICT: Advice(
            "The same event id came before with another content, and that one was told.",
            "Let the publisher give each event an id of its own. If people must be told of this one too, redrive it by "
            "name: it goes out beside the first.",
            Whole.ROUTE,
            by_name=True,
            anew=True,
        ),
        DeadReason.CONDITION: Advice(
            "The `when` of a route failed on it.",
            "Mend the route (`vestnik preview ROUTE --event FILE` tries it), deploy it, then redrive.",
            Whole.ROUTE,
        ),
        DeadReason.RENDER: Advice(
            "A wording or the thread of a route failed on it.",
            "Mend the route (`vestnik preview ROUTE --event FILE` tries it), deploy it, then redrive.",
            Whole.ROUTE,
        ),
        DeadReason.RECIPIENT: Advice(
            "The recipient that the event names cannot be one of this lane.",
            "Where the event is wrong, mend the publisher and publish anew; where the route's `to` or the lane's "
            "`identities` are, mend and deploy them, then redrive.",
            Whole.ROUTE,
        ),
        DeadReason.REFUSED: Advice(
            "The provider refused this one message.",
            "The detail has the provider's reason. Mend the text of the route, or the recipient at the provider, then "
            "redrive: only this recipient is told.",
            Whole.COMMAND,
            anew=True,
        ),
        DeadReason.UNRESOLVED: Advice(
            "The provider refused the message to a whole group, again and again, and told others: the text may be "
            "wrong.",
            "Look at the text and at the provider's reason in the detail, mend the route, deploy it, then redrive.",
            Whole.COMMAND,
            anew=True,
        ),
        DeadReason.KILLS_THE_PROCESS: Advice(
            "Three processes have died in the attempt that it was in.",
            "Find out why they died (memory? a bug?) before anything else. Then redrive it by name, one letter first.",
            Whole.COMMAND,
            by_name=True,
            anew=True,
        ),
    }
)
