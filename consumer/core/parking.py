"""Commands that wait for a time of their own: kept whole, in memory and in the journal."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from consumer.core.attempts import DIGEST_BYTES, ID_BYTES, decode_hex, decode_threads, message_of
from consumer.core.columns import columns_of
from consumer.core.model import Command, Message, OnUnsure, Position, Priority, Quiet, Terms
from schemas.journal import Parked, ParkedQuiet, ParkedTerms, SentMessage

# A record is read back in about ten milliseconds, and stays well under the 900 KB that a journal takes.
BYTES_PER_RECORD = 150_000
_COMMAND_BYTES = 350
# What is parked is kept whole.
_WHOLE_BYTES = 1300
_CHARACTER_BYTES = 2

T = TypeVar("T")


class Sleeper(NamedTuple):
    """A command that waits until a moment, in broker seconds. `positions`: the records that asked for it."""

    command: Command
    until: float
    positions: tuple[Position, ...] = ()


class Parking:
    """Sleepers by id and by thread."""

    def __init__(self) -> None:
        self.sleepers: dict[bytes, Sleeper] = {}
        self._threads: dict[int, tuple[bytes, ...]] = {}
        self.bytes = 0

    def put(self, sleeper: Sleeper) -> None:
        """Keep a command; the one with its id before is replaced."""
        command = sleeper.command
        self.pop(command.id)
        self.bytes += _weight(command)
        if command.thread is not None:
            self._threads[command.thread] = (*self._threads.get(command.thread, ()), command.id)
        self.sleepers[command.id] = sleeper

    def pop(self, id_: bytes) -> Sleeper | None:
        """Let go of a command; None when it is not here."""
        sleeper = self.sleepers.pop(id_, None)
        if sleeper is None:
            return None
        self.bytes -= _weight(sleeper.command)
        thread = sleeper.command.thread
        if thread is not None:
            rest = tuple(other for other in self._threads[thread] if other != id_)
            if rest:
                self._threads[thread] = rest
            else:
                del self._threads[thread]
        return sleeper

    def get(self, id_: bytes) -> Sleeper | None:
        return self.sleepers.get(id_)

    def of_thread(self, thread: int) -> tuple[Sleeper, ...]:
        """Those that wait on one thread."""
        return tuple(self.sleepers[id_] for id_ in self._threads.get(thread, ()))

    def clear(self) -> None:
        self.sleepers.clear()
        self._threads.clear()
        self.bytes = 0

    def __iter__(self) -> Iterator[Sleeper]:
        return iter(self.sleepers.values())

    def __len__(self) -> int:
        return len(self.sleepers)

    def __contains__(self, id_: bytes) -> bool:
        return id_ in self.sleepers


def _weight(command: Command) -> int:
    """About what it takes in memory; texts count for each, although those of one record are shared."""
    characters = sum(len(part) for message in command.wordings for part in message if part)
    return _WHOLE_BYTES + _CHARACTER_BYTES * (len(command.recipient) + characters)


# --- to the journal and back ------------------------------------------------------------------------------------------


def parked_records(sleepers: Iterable[Sleeper], epoch: int, reason: str) -> Iterator[tuple[Parked, list[Sleeper]]]:
    """The sleepers in records of at most `BYTES_PER_RECORD`, each with those that are in it."""
    group: list[Sleeper] = []
    ladders: set[tuple[Message, ...]] = set()
    size = 0
    for sleeper in sleepers:
        more = _COMMAND_BYTES + _CHARACTER_BYTES * len(sleeper.command.recipient)
        if sleeper.command.wordings not in ladders:
            more += _ladder_bytes(sleeper.command.wordings)
        if group and size + more > BYTES_PER_RECORD:
            yield _record(group, epoch, reason), group
            group, size = [], 0
            ladders.clear()
        group.append(sleeper)
        ladders.add(sleeper.command.wordings)
        size += more
    if group:
        yield _record(group, epoch, reason), group


def _ladder_bytes(wordings: Sequence[Message]) -> int:
    return sum(len(json.dumps(message, ensure_ascii=False).encode()) + 40 for message in wordings)


def _record(sleepers: Sequence[Sleeper], epoch: int, reason: str) -> Parked:
    commands = [sleeper.command for sleeper in sleepers]
    terms = {command.terms: None for command in commands}
    ladders = {command.wordings: None for command in commands}
    quiets = {command.quiet: None for command in commands if command.quiet is not None}
    places: tuple[Mapping[object, int], ...] = tuple(
        {each: number for number, each in enumerate(table)} for table in (terms, ladders, quiets)
    )
    return Parked(
        epoch=epoch,
        reason=reason,
        terms=[_written_terms(each) for each in terms],
        ladders=[[SentMessage(**message._asdict()) for message in each] for each in ladders],
        quiets=[ParkedQuiet(**each._asdict()) for each in quiets],
        commands=columns_of(commands, (sleeper.positions for sleeper in sleepers)),
        until=[sleeper.until for sleeper in sleepers],
        term=[places[0][command.terms] for command in commands],
        rung=[places[1][command.wordings] for command in commands],
        quiet=[None if command.quiet is None else places[2][command.quiet] for command in commands],
    )


def _written_terms(terms: Terms) -> ParkedTerms:
    return ParkedTerms(
        route=terms.route,
        priority=terms.priority.value,
        deliver_within_seconds=terms.deliver_within_seconds,
        on_unsure=terms.on_unsure.value,
        unique=list(terms.unique),
        ladder=terms.ladder,
        marketing=terms.marketing,
    )


def sleepers_of(record: Parked) -> list[Sleeper]:
    """The commands of a record, whole. Raises ValueError where its columns do not fit together."""
    columns = record.commands
    terms = [_terms(each) for each in record.terms]
    ladders = [tuple(map(message_of, ladder)) for ladder in record.ladders]
    quiets = [Quiet(each.start, each.end, each.zone, each.drop) for each in record.quiets]
    rows = zip(
        decode_hex(columns.ids, ID_BYTES),
        decode_hex(columns.digests, DIGEST_BYTES),
        _looked_up(terms, record.term),
        columns.recipients,
        _looked_up(ladders, record.rung),
        decode_threads(columns.threads),
        columns.ranks,
        columns.arrived,
        columns.deadlines,
        _looked_up([*quiets, None], [len(quiets) if place is None else place for place in record.quiet]),
        record.until,
        columns.positions,
        strict=True,
    )
    return [
        Sleeper(
            Command(id_, digest, term, recipient, ladder, thread, rank, arrived, deadline, quiet=quiet),
            until,
            tuple(Position(*place) for place in places[:1]),
        )
        for id_, digest, term, recipient, ladder, thread, rank, arrived, deadline, quiet, until, places in rows
    ]


def _terms(written: ParkedTerms) -> Terms:
    return Terms(
        written.route,
        Priority(written.priority),
        written.deliver_within_seconds,
        OnUnsure(written.on_unsure),
        tuple(written.unique),
        written.ladder,
        written.marketing,
    )


def _looked_up(table: Sequence[T], places: Sequence[int]) -> list[T]:
    if any(not 0 <= place < len(table) for place in places):
        raise ValueError("a parked record names what is not in its tables")
    return [table[place] for place in places]
