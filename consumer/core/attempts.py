"""Attempts of the journal, decoded: what was in flight, and is in doubt until it lands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from consumer.core.model import Message, OnUnsure, Quiet
from schemas.journal import Attempt, AttemptParcel, Columns

ID_BYTES = 12
DIGEST_BYTES = 4
_THREAD_BYTES = 8


@dataclass(frozen=True, slots=True)
class AttemptCommands:
    """The commands of one parcel in columns, all of one length; `threads` are 64-bit hashes."""

    ids: tuple[bytes, ...]
    digests: tuple[bytes, ...]
    routes: tuple[str, ...]
    recipients: tuple[str, ...]
    threads: tuple[int | None, ...]
    ranks: tuple[int, ...]
    arrived: tuple[float, ...]
    deadlines: tuple[float, ...]
    positions: tuple[Sequence[tuple[str, int, int]], ...]
    quiets: tuple[Quiet | None, ...]

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Id and digest of each."""
        return zip(self.ids, self.digests, strict=True)

    def rows(self) -> Iterator["AttemptCommand"]:
        """The same, command by command."""
        head = (self.ids, self.digests, self.routes, self.recipients)
        times = (self.arrived, self.deadlines)
        return map(AttemptCommand, *head, self.threads, self.ranks, *times, self.positions, self.quiets)


@dataclass(frozen=True, slots=True)
class OpenParcel:
    message: Message
    level: int
    commands: AttemptCommands


class AttemptCommand(NamedTuple):
    """One command of an attempt, as its row of the columns."""

    id: bytes
    digest: bytes
    route: str
    recipient: str
    thread: int | None
    rank: int
    arrived: float
    deadline: float
    positions: Sequence[tuple[str, int, int]]
    quiet: Quiet | None = None


@dataclass(frozen=True)
class OpenAttempt:
    """A valid attempt without a landing: where it stands in the journal, and what it carried. `marketing`: those of its
    routes that count for frequency caps. `on_wire`: nobody has said since that the process lives; `deaths`: how many
    owners have died in it before, where it was repeated."""

    id: str
    epoch: int
    offset: int
    timestamp: float
    on_unsure: OnUnsure
    parcels: tuple[OpenParcel, ...]
    marketing: frozenset[str] = frozenset()
    on_wire: bool = True
    deaths: int = 0

    @cached_property
    def commands(self) -> tuple[AttemptCommand, ...]:
        """All commands in the attempt's order: parcel by parcel."""
        return tuple(row for parcel in self.parcels for row in parcel.commands.rows())

    @cached_property
    def recipients(self) -> frozenset[str]:
        """Everybody whom the request tells."""
        return frozenset(recipient for parcel in self.parcels for recipient in parcel.commands.recipients)

    @cached_property
    def ids(self) -> frozenset[bytes]:
        """The ids of all commands."""
        return frozenset(id_ for parcel in self.parcels for id_ in parcel.commands.ids)


def decode_parcels(parts: Sequence[Attempt]) -> tuple[OpenParcel, ...]:
    """The parcels of an attempt; one that was cut between two parts is whole again.

    Raises ValueError when columns differ in length or an id, digest or thread is not hexadecimal.
    """
    whole: list[list[AttemptParcel]] = []
    for parcel in (parcel for part in parts for parcel in part.parcels):
        if whole and whole[-1][-1].more:
            whole[-1].append(parcel)
        else:
            whole.append([parcel])
    return tuple(
        OpenParcel(Message(**pieces[0].message.model_dump()), pieces[0].wording, _commands(pieces)) for pieces in whole
    )


def decode_hex(texts: Sequence[str], size: int) -> tuple[bytes, ...]:
    """Hexadecimal texts as bytes, `size` each. Raises ValueError for anything else."""
    joined = bytes.fromhex("".join(texts))
    if len(joined) != size * len(texts) or any(len(text) != 2 * size for text in texts):
        raise ValueError(f"not {size} bytes in hexadecimal digits")
    return tuple(joined[start : start + size] for start in range(0, len(joined), size))


def _commands(pieces: Sequence[AttemptParcel]) -> AttemptCommands:
    columns = [piece.commands for piece in pieces]
    commands = AttemptCommands(
        ids=decode_hex([text for column in columns for text in column.ids], ID_BYTES),
        digests=decode_hex([text for column in columns for text in column.digests], DIGEST_BYTES),
        routes=tuple(route for column in columns for route in column.routes),
        recipients=tuple(recipient for column in columns for recipient in column.recipients),
        threads=decode_threads([thread for column in columns for thread in column.threads]),
        ranks=tuple(rank for column in columns for rank in column.ranks),
        arrived=tuple(arrived for column in columns for arrived in column.arrived),
        deadlines=tuple(deadline for column in columns for deadline in column.deadlines),
        positions=tuple(positions for column in columns for positions in column.positions),
        quiets=tuple(quiet for column in columns for quiet in _quiets(column)),
    )
    if len({len(getattr(commands, column)) for column in AttemptCommands.__slots__}) != 1:
        raise ValueError("the columns of an attempt differ in length")
    return commands


def _quiets(column: Columns) -> Iterator[Quiet | None]:
    """Those that were written before there were any, and those of whom nobody has any, have none."""
    written = column.quiets or [None] * len(column.ids)
    return (None if quiet is None else Quiet(*quiet) for quiet in written)


def decode_threads(texts: Sequence[str | None]) -> tuple[int | None, ...]:
    """Hashes of threads as numbers. Raises ValueError for what is none."""
    known = iter(decode_hex([text for text in texts if text is not None], _THREAD_BYTES))
    return tuple(None if text is None else int.from_bytes(next(known)) for text in texts)
