"""From the verdicts of a request to its landing: who ended how, who waits again, who needs a letter."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, assert_never

from consumer.core.bisection import Refusal, refused_whole
from consumer.core.case import units
from consumer.core.columns import columns_of
from consumer.core.memory import Memory, OpenAttempt
from consumer.core.model import (
    Batch,
    Blocked,
    Command,
    Deferred,
    Delivered,
    Message,
    OnUnsure,
    Outcome,
    Parcel,
    Position,
    Refused,
    Unsure,
    Verdict,
    Verdicts,
)
from schemas.journal import Attempt, AttemptParcel, Landing, OutcomeName, SentMessage, VerdictName

# A record of 1000 commands is about 250 KB; brokers take 1 MiB unless told otherwise.
COMMANDS_PER_PART = 2500

# A second doubt about one command ends it: nobody is told three times.
DOUBTS_PER_COMMAND = 1


class Landed(NamedTuple):
    """What came of one attempt. `outcomes` in the batch's order, None for those that wait again; `letters` are the
    commands that a person must look at, written before the record; `refused` are those that the provider refused at
    once, and that go out again in smaller parts."""

    record: Landing
    outcomes: tuple[Outcome | None, ...]
    letters: tuple[tuple[Command, Refused], ...] = ()
    refused: Refusal | None = None


def attempt_records(batch: Batch, positions: Mapping[bytes, Sequence[Position]]) -> list[Attempt]:
    """The attempt's record, in parts when it carries more than `COMMANDS_PER_PART` commands."""
    groups = _groups(batch, positions)
    marketing = sorted(batch.marketing)
    return [
        Attempt(
            id=batch.id,
            epoch=batch.epoch,
            parcels=group,
            on_unsure=batch.on_unsure.value,
            marketing=marketing,
            part=number,
            parts=len(groups),
        )
        for number, group in enumerate(groups, 1)
    ]


def _groups(batch: Batch, positions: Mapping[bytes, Sequence[Position]]) -> list[list[AttemptParcel]]:
    """The parcels of each part."""
    if len(batch.commands) <= COMMANDS_PER_PART:
        return [[_piece(parcel, parcel.commands, positions) for parcel in batch.parcels]]
    groups: list[list[AttemptParcel]] = [[]]
    room = COMMANDS_PER_PART
    for piece in (piece for parcel in batch.parcels for piece in _pieces(parcel, positions)):
        count = len(piece.commands.ids)
        if count > room:
            groups.append([])
            room = COMMANDS_PER_PART
        groups[-1].append(piece)
        room -= count
    return groups


def _pieces(parcel: Parcel, positions: Mapping[bytes, Sequence[Position]]) -> Iterator[AttemptParcel]:
    """The parcel as a part can carry it; each piece but the last fills a part of its own."""
    last = len(parcel.commands) - COMMANDS_PER_PART
    for start in range(0, len(parcel.commands), COMMANDS_PER_PART):
        yield _piece(parcel, parcel.commands[start : start + COMMANDS_PER_PART], positions, more=start < last)


def _piece(
    parcel: Parcel, commands: Sequence[Command], positions: Mapping[bytes, Sequence[Position]], *, more: bool = False
) -> AttemptParcel:
    places = [positions.get(command.id, ()) for command in commands]
    columns = columns_of(commands, places, quiets=True)
    return AttemptParcel(message=_sent(parcel.message), wording=parcel.level, more=more, commands=columns)


def _sent(message: Message) -> SentMessage:
    return SentMessage(title=message.title, text=message.text, link=message.link, image=message.image)


def withdrawn(batch: Batch, reason: str) -> Landed:
    """The request was never made: everybody waits again."""
    record = Landing(attempt=batch.id, epoch=batch.epoch, verdict="withdrawn", reason=reason)
    return Landed(record, (None,) * len(batch.commands))


def land(batch: Batch, verdicts: Verdicts, memory: Memory, suspect: bool = False) -> Landed:
    """The landing of a request that was made (or could not be: Deferred with `left` False).

    `verdicts` is one for all commands or one for each in the batch's order; anything else is a bug of the sink.
    `suspect`: a refusal says too little to bury even a single recipient.
    """
    commands = batch.commands
    if len(verdicts) == 1 and isinstance(verdicts[0], Delivered):
        return _delivered(batch)
    each = verdicts * len(commands) if len(verdicts) == 1 else verdicts
    if len(each) != len(commands):
        raise ValueError(f"{len(verdicts)} verdicts for {len(commands)} commands")
    refusal = refused_whole(verdicts)
    if refusal is not None and len(verdicts) == 1 and (suspect or len(units(batch.parcels)) > 1):
        return _halved(batch, refusal)
    together = _together(batch, each)
    shared = {command.id for parcel in together.parcels for command in parcel.commands} if together else set()
    ends = [
        _End(None) if command.id in shared else _end(command, verdict, batch.on_unsure, memory)
        for command, verdict in zip(commands, each, strict=True)
    ]
    outcomes = tuple(end.outcome for end in ends)
    alike = len(set(outcomes)) == 1
    record = Landing(
        attempt=batch.id,
        epoch=batch.epoch,
        verdict=_verdict_name(each),
        reason=_reason(each),
        outcome=_name(outcomes[0]) if alike else None,
        outcomes=None if alike else [_name(outcome) for outcome in outcomes],
        doubtful=[c.id.hex() for c, end in zip(commands, ends, strict=True) if end.doubtful],
        tried=any(isinstance(verdict, Deferred) and verdict.at_most is not None for verdict in each),
    )
    letters = tuple((c, end.letter) for c, end in zip(commands, ends, strict=True) if end.letter is not None)
    return Landed(record, outcomes, letters, together)


def _delivered(batch: Batch) -> Landed:
    """What nearly every request comes to: everybody was told."""
    record = Landing(attempt=batch.id, epoch=batch.epoch, verdict="delivered", outcome="delivered")
    return Landed(record, (Outcome.DELIVERED,) * len(batch.commands))


def _together(batch: Batch, each: Verdicts) -> Refusal | None:
    """What was refused together with others, parcel by parcel."""
    verdicts = iter(each)
    parcels = []
    for parcel in batch.parcels:
        told = zip(parcel.commands, verdicts, strict=False)
        refused = tuple(command for command, verdict in told if isinstance(verdict, Refused) and verdict.shared)
        if refused:
            parcels.append(parcel._replace(commands=refused))
    said = next((verdict for verdict in each if isinstance(verdict, Refused) and verdict.shared), None)
    return None if said is None else Refusal(tuple(parcels), said)


def _halved(batch: Batch, verdict: Refused) -> Landed:
    record = Landing(attempt=batch.id, epoch=batch.epoch, verdict="refused", reason=verdict.reason)
    return Landed(record, (None,) * len(batch.commands), refused=Refusal(batch.parcels, verdict))


class _End(NamedTuple):
    outcome: Outcome | None
    letter: Refused | None = None
    doubtful: bool = False


def _end(command: Command, verdict: Verdict, on_unsure: OnUnsure, memory: Memory) -> _End:
    match verdict:
        case Delivered():
            return _End(Outcome.DELIVERED)
        case Refused():
            return _End(Outcome.REFUSED, verdict if verdict.letter else None)
        case Unsure():
            return _doubt(command, on_unsure, memory)
        case Deferred(at_most=int(at_most), reason=reason) if memory.tries(command.id) + 1 >= at_most:
            return _End(Outcome.REFUSED, Refused(reason, f"answered so {at_most} times"))
        case Deferred() | Blocked():
            return _End(None)
    assert_never(verdict)


def _doubt(command: Command, on_unsure: OnUnsure, memory: Memory) -> _End:
    if on_unsure is OnUnsure.STOP or _doubts(command.id, memory) >= DOUBTS_PER_COMMAND:
        return _End(Outcome.UNKNOWN)
    return _End(None, doubtful=True)


def _doubts(command_id: bytes, memory: Memory) -> int:
    doubtful = memory.doubtful(command_id)
    return 0 if doubtful is None else doubtful.count


def lost(attempt: OpenAttempt, epoch: int, memory: Memory) -> Landing:
    """The landing that a new owner writes for an attempt of a dead one, when no late landing came."""
    ids = [command.id for command in attempt.commands if memory.ended(command.id) is None]
    repeat = {
        command_id
        for command_id in ids
        if attempt.on_unsure is OnUnsure.REPEAT and _doubts(command_id, memory) < DOUBTS_PER_COMMAND
    }
    outcomes: list[OutcomeName | None] = [None if command.id in repeat else "unknown" for command in attempt.commands]
    return Landing(
        attempt=attempt.id,
        epoch=epoch,
        verdict="unsure",
        reason="owner_lost",
        outcome="unknown" if not repeat else None,
        outcomes=outcomes if repeat else None,
        doubtful=[command_id.hex() for command_id in ids if command_id in repeat],
    )


def unknown_routes(attempt: OpenAttempt, record: Landing) -> Counter[str]:
    """How many commands of each route a `lost` landing ends as unknown."""
    outcomes: Iterable[OutcomeName | None] = record.outcomes or [record.outcome] * len(attempt.commands)
    pairs = zip(attempt.commands, outcomes, strict=True)
    return Counter(command.route for command, outcome in pairs if outcome is not None)


def _name(outcome: Outcome | None) -> OutcomeName | None:
    return None if outcome is None else outcome.value


_NAMES: dict[type[Verdict], VerdictName] = {
    Delivered: "delivered",
    Deferred: "deferred",
    Unsure: "unsure",
    Refused: "refused",
    Blocked: "blocked",
}


def _verdict_name(verdicts: Verdicts) -> VerdictName:
    names = {_NAMES[type(verdict)] for verdict in verdicts}
    return names.pop() if len(names) == 1 else "mixed"


def _reason(verdicts: Verdicts) -> str:
    """The most frequent reason among those that have one."""
    reasons = Counter(verdict.reason for verdict in verdicts if not isinstance(verdict, Delivered))
    return reasons.most_common(1)[0][0] if reasons else ""
