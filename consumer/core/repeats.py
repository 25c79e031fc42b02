"""Attempts of a provider that knows its requests by keys: what was on the wire goes out again as it was.

Such a provider executes a request once, however often it comes; so a lost answer is asked for again, and nothing of the
attempt may change before that: neither its commands nor their order, from which its key is made.
"""

from collections.abc import Mapping
from typing import TypeGuard

from consumer.core.attempts import AttemptCommand, OpenAttempt, OpenParcel
from consumer.core.model import Batch, Command, Deferred, Message, Parcel, Terms, Unsure, Verdict
from schemas.journal import Landing

DEATHS_PER_ATTEMPT = 3
KILLS = "kills_the_process"


def is_lost(verdict: Verdict) -> TypeGuard[Unsure | Deferred]:
    """Whether the request may have been executed and its answer is not known."""
    return isinstance(verdict, Unsure) or (isinstance(verdict, Deferred) and verdict.same_key)


def rebuilt(attempt: OpenAttempt, epoch: int) -> Batch:
    """The attempt's batch, as its first owner sent it. Commands have what the attempt said of them; what waits for
    their outcome knows the rest."""
    terms = {command.route: _terms(command.route, attempt) for command in attempt.commands}
    return Batch(attempt.id, epoch, tuple(_parcel(parcel, terms) for parcel in attempt.parcels))


def is_fatal(attempt: OpenAttempt) -> bool:
    """Whether so many owners have died in the attempt that the next one would too. The last of them has not been
    counted yet: it left the attempt on the wire."""
    return attempt.deaths + attempt.on_wire >= DEATHS_PER_ATTEMPT


def buried(attempt: OpenAttempt, epoch: int) -> Landing:
    """The landing of an attempt that kills whoever makes it."""
    return Landing(attempt=attempt.id, epoch=epoch, verdict="refused", reason=KILLS, outcome="refused")


def _terms(route: str, attempt: OpenAttempt) -> Terms:
    return Terms(route, on_unsure=attempt.on_unsure, marketing=route in attempt.marketing)


def _parcel(parcel: OpenParcel, terms: Mapping[str, Terms]) -> Parcel:
    commands = tuple(_command(row, parcel.message, terms[row.route]) for row in parcel.commands.rows())
    return Parcel(parcel.message, parcel.level, commands)


def _command(row: AttemptCommand, message: Message, terms: Terms) -> Command:
    return Command(
        id=row.id,
        digest=row.digest,
        terms=terms,
        recipient=row.recipient,
        wordings=(message,),
        thread=row.thread,
        rank=row.rank,
        arrived=row.arrived,
        deadline=row.deadline,
        quiet=row.quiet,
    )
