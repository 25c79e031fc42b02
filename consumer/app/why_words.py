"""Sentences of a story: what an outcome, a verdict or a wait means, for people at night."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from consumer.app.masking import clipped, masked
from consumer.app.page.words import spelt
from consumer.core.model import Command
from consumer.core.story import Life, Try
from consumer.core.story_routes import Answer, RouteAnswer

_ENDS = {
    ("expired", "quiet_hours"): "expired: its recipient's quiet hours last beyond its deadline, so nobody was told",
    ("expired", ""): "expired: its deadline passed while it waited, so nobody was told",
    ("superseded", ""): "superseded: a newer message of its thread stands in its place, so this one was not told",
    ("suppressed", "listed"): "suppressed: the recipient is on the list of suppressions",
    ("suppressed", "frequency_cap"): "suppressed: the recipient was told as much marketing as the lane's caps allow",
    ("suppressed", "quiet_hours"): "suppressed: it fell into quiet hours, and its policy there is drop",
    ("suppressed", "shadow"): "suppressed: the lane is in mode shadow and tells nobody",
    ("suppressed", "not_listed"): "suppressed: the lane is in mode allow_list, and the recipient is not on it",
    ("suppressed", "no_consent"): "suppressed: the customer has not agreed to marketing",
    ("suppressed", ""): "suppressed",
    ("refused", ""): "refused by the provider: nobody was told",
    ("unknown", "owner_lost"): "unknown: the process died with the request on the wire, so nobody can say whether it "
    "was told; its route says not to repeat it",
    (
        "unknown",
        "",
    ): "unknown: the answer was lost, so nobody can say whether it was told; its route says not to repeat "
    "it, or it was lost twice",
}

_VERDICTS = {
    "delivered": "the provider accepted it",
    "deferred": "not now, says the provider: it waits again",
    "unsure": "no answer that says anything: it may have been told",
    "refused": "the provider refused it",
    "blocked": "the provider refuses the whole lane: it waits again",
    "withdrawn": "never sent: the last look before the wire forbade it, and it waits again",
    "mixed": "the provider answered differently for each recipient",
}

_HOLDS = {
    "quota": "the quota",
    "ceiling": "the lane's ceiling of people told in a window",
    "breaker": "the breaker: the provider fails, and only probes go out",
    "in_flight": "the requests on the wire: every slot waits for an answer",
    "blocked": "the lane is blocked",
    "no_data": "nothing: it is about to go out",
}

_IGNORED = {
    "tombstone": "the record has no value",
    "unknown_type": "its type is none that Vestnik knows",
    "no_route": "no route of the lane wants it",
    "unaddressable": "it names nobody whom the lane could tell",
    "other_shop": "its shop is not one of this lane's",
}


def moment(seconds: float, now: float) -> str:
    """A time in UTC; with its day where that is another one."""
    at, today = datetime.fromtimestamp(seconds, UTC), datetime.fromtimestamp(now, UTC).date()
    text = at.strftime("%H:%M:%S")
    return text if at.date() == today else f"{at:%Y-%m-%d} {text}"


def short(seconds: float) -> str:
    """A span: "0.4 s", "3 min 20 s"."""
    return f"{seconds:.1f} s" if 0 <= seconds < 10 else spelt(seconds)


def person(recipient: str, *, reveal: bool) -> str:
    """Somebody's address, masked."""
    return recipient if reveal else masked(recipient)


def ignored(reason: str) -> str:
    """Why a lane makes nothing of a record."""
    return _IGNORED.get(reason, reason)


def unplanned(answer: RouteAnswer) -> str:
    """Why a route made nothing of a record."""
    name = f"not by route {answer.route}: "
    match answer.answer:
        case Answer.UNWANTED:
            return f"{name}its condition is false: {clipped(answer.detail)}"
        case Answer.NOT_YET:
            return f"{name}it begins with records from {answer.detail} on"
        case Answer.OVER:
            return f"{name}it ended with records of {answer.detail}"
        case Answer.NOBODY:
            return f"{name}the event names nobody at {answer.detail}"
        case Answer.LEFT_OUT:
            return f"{name}{answer.detail} asked for other routes"
        case _:
            return f"{name}{clipped(answer.detail)}"


def planned(command: Command, now: float, *, reveal: bool) -> str:
    """Which route made which command for whom."""
    steps = f"{len(command.wordings)} wordings" if len(command.wordings) > 1 else "1 wording"
    return (
        f"by route {command.terms.route} for {person(command.recipient, reveal=reveal)}: command {command.id.hex()}, "
        f"{steps}, priority {command.terms.priority}, worth telling until {moment(command.deadline, now)}"
    )


def ended(outcome: str, reason: str) -> str:
    """An outcome and its reason."""
    told = _ENDS.get((outcome, reason)) or _ENDS.get((outcome, ""), outcome)
    known = (outcome, reason) in _ENDS or reason in ("", "ttl", "newer")
    return told if known else f"{told} ({clipped(reason)})"


def delivered(life: Life, at: float, command: Command | None) -> str:
    """A delivery with its age."""
    since = command.arrived if command is not None else life.arrived
    age = max(0.0, at - since)
    if command is None:
        return f"delivered {short(age)} after it came"
    within = command.terms.deliver_within_seconds
    late = "in time" if age <= within else "late"
    return f"delivered {short(age)} after it came, {late}: it should be there within {short(within)}"


def requested(made: Try) -> str:
    """What the request carried."""
    level = "in full" if made.level == 0 else f"in the coarser wording {made.level}"
    others = f" with {made.texts} texts" if made.texts > 1 else ""
    member = f" by {made.member}" if made.member else ""
    people = "1 person" if made.people == 1 else f"{made.people} people"
    return f"{made.attempt}{member} to {people}{others}, {level}: “{clipped(made.message.title or made.message.text)}”"


def answered(made: Try) -> str:
    """What came of the request."""
    words = _VERDICTS.get(made.verdict, made.verdict)
    reason = f" ({clipped(made.reason)})" if made.reason else ""
    return f"{made.verdict} after {short((made.landed_at or made.at) - made.at)}: {words}{reason}"


_WHERE = {
    "held": "waits: an older message of its thread is in flight or in doubt, and goes first",
    "in_flight": "is in a request on the wire at this moment",
    "in_doubt": "waits: an earlier owner died with it on the wire, and its answer may still come",
    "in_parts": "waits: its request was refused whole and is being taken apart, to find who is at fault",
}


def waits(lane: Mapping[str, Any], where: Mapping[str, Any], now: float) -> str:
    """Where a live command is, and what holds it."""
    name = str(where["where"])
    if name == "open":
        return _open(lane, where, now)
    if name in ("asleep", "parked"):
        return f"sleeps until {moment(where['until'] or now, now)}: quiet hours"
    return _WHERE.get(name, f"waits: {name}")


def _open(lane: Mapping[str, Any], where: Mapping[str, Any], now: float) -> str:
    holds = str(lane.get("holds", ""))
    held = _HOLDS.get(holds, holds)
    if holds == "quota" and lane.get("quota_requests"):
        held += f", one request every {lane.get('gap_seconds', 0):g} s"
    if holds == "blocked":
        blocked = "; ".join(clipped(f"{each['reason']} {each['detail']}".strip()) for each in lane.get("blocked", ()))
        held += f": {blocked}" if blocked else ""
    people = where.get("people", 1)
    shared = "nobody else waits for the same text" if people == 1 else f"{people} people wait for the same text"
    goes_in = where.get("goes_in_seconds")
    turn = "with the next request" if goes_in == 0 else f"about {short(goes_in or 0.0)} after the next request"
    then = "" if goes_in is None else f"; as things stand its turn comes {turn}"
    return f"waits since {moment(where['arrived'], now)}, held by {held}; {shared}{then}"
