"""Whom not to tell, and when not: the list, pauses, nights, caps, consents, and keys of requests."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.world.evidence import EPOCH, Blames, Evidence, Sent, Word
from tests.world.routes import DROPPED_AT_NIGHT, HELD_AT_NIGHT, MARKETING, Expected
from tests.world.witness import End

QUIET_ROUTES = HELD_AT_NIGHT | DROPPED_AT_NIGHT
# A lane's clock is behind the broker's by the way of its claim's ack.
EDGE_SECONDS = 2.0


def listed(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Nobody is told who was listed when the batch was bound, once the list could be read."""
    words = [word for word in evidence.words if word.who]
    for each in sent:
        pod = evidence.town.of(each.request.life)
        bound = evidence.witness.bound.get(each.attempt.id, each.at)
        told = {command.recipient for command in each.request.batch.commands}
        for word in words:
            if word.who in told and word.since < bound < word.until and bound > evidence.knows(pod, word.since):
                yield "listed", f"{each.attempt.id} tells {word.who} at {each.at:.2f}, listed since {word.since:.2f}"


def paused(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Nothing goes out while people have paused the lane."""
    for word in (word for word in evidence.words if not word.who):
        for each in sent:
            if not word.since < each.at < word.until or each.residual:
                continue
            if each.at > evidence.knows(evidence.town.of(each.request.life), word.since):
                yield "paused", f"{each.attempt.id} left at {each.at:.2f}, paused since {word.since:.2f}"


def night_of(evidence: Evidence, at: float, edge: float) -> bool:
    """Whether it is quiet at that moment of the world, and for so long before and after."""
    quiet = evidence.plan.quiet
    if quiet is None:
        return False
    moments = (datetime.fromtimestamp(EPOCH + at + more, UTC) for more in (-edge, 0.0, edge))
    return all(quiet.start <= moment.hour * 60 + moment.minute < quiet.end for moment in moments)


def nights(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """In quiet hours nobody is told what can wait."""
    for each in sent:
        if each.residual or not night_of(evidence, each.at, EDGE_SECONDS + evidence.skew_seconds):
            continue
        for command in each.request.batch.commands:
            wanted = evidence.shop.expected.get(command.id.hex())
            if wanted is not None and wanted.route in QUIET_ROUTES:
                yield "quiet", f"{each.attempt.id} tells {wanted.id} ({wanted.route}) at night, at {each.at:.2f}"


def caps(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Whom the journal shows as told often enough is told no more marketing."""
    delivered: dict[str, list[End]] = defaultdict(list)
    for id_, end in evidence.witness.ends.items():
        wanted = evidence.shop.expected.get(id_)
        if end.outcome == "delivered" and wanted is not None and wanted.route in MARKETING:
            delivered[wanted.recipient].append(end)
    for each in sent:
        for command in each.request.batch.commands:
            wanted = evidence.shop.expected.get(command.id.hex())
            if wanted is not None and wanted.route in MARKETING:
                yield from _over(evidence, each, delivered[wanted.recipient])


def _over(evidence: Evidence, each: Sent, told: Sequence[End]) -> Blames:
    for cap in evidence.plan.caps:
        since = each.attempt.stamp - cap.per_seconds + EDGE_SECONDS + evidence.skew_seconds
        before = {end.attempt for end in told if end.offset < each.attempt.copies[0][0] and end.stamp > since}
        if len(before) >= cap.messages:
            yield "cap", f"{each.attempt.id} is one more than {cap.messages} in {cap.per_seconds:.0f} s"


def consents(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Who did not agree hears no marketing."""
    for each in sent:
        for command in each.request.batch.commands:
            wanted = evidence.shop.expected.get(command.id.hex())
            if wanted is not None and not wanted.agreed:
                yield "consent", f"{each.attempt.id} tells {wanted.recipient}, who did not agree"


def keys(evidence: Evidence, _sent: Sequence[Sent]) -> Blames:
    """A request that goes out again under its key is the same one."""
    for name in evidence.provider.changed:
        yield "keys", f"{name} went out again under its key with another content"


def suppressed(evidence: Evidence, wanted: Expected, end: End) -> bool:
    """Whether a command may end so for that reason."""
    match end.reason:
        case "no_consent":
            return not wanted.agreed
        case "listed":
            return any(_names(word, wanted) and word.since <= end.at for word in evidence.words)
        case "quiet_hours":
            return wanted.route in DROPPED_AT_NIGHT and _near_night(evidence, end)
        case "frequency_cap":
            return wanted.route in MARKETING and bool(evidence.plan.caps)
        case _:
            return False


def _names(word: Word, wanted: Expected) -> bool:
    return word.who == wanted.recipient


def _near_night(evidence: Evidence, end: End) -> bool:
    """An end is written within some time of being one; how long, the journal decides."""
    quiet = evidence.plan.quiet
    moment = datetime.fromtimestamp(EPOCH + end.at + EDGE_SECONDS + evidence.skew_seconds, UTC)
    return quiet is not None and moment.hour * 60 + moment.minute >= quiet.start
