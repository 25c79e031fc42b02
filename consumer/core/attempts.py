"""Attempts of the journal: what was in flight, and is in doubt until it lands.

Nearly every attempt lands, and nobody asks for more of it than ids, digests and the ranks of threads. So the columns
stay as the journal wrote them, and rows are made of them when somebody asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from operator import add
from struct import Struct
from typing import Any, NamedTuple

from consumer.core.model import Message, OnUnsure, Quiet
from consumer.core.slices import ENTRY_BYTES
from schemas.journal import Attempt, AttemptParcel, Columns, SentMessage

ID_BYTES = 12
DIGEST_BYTES = 4
_THREAD_BYTES = 8
# A rank may be negative in theory; what is stored may not, so that of two the higher one is the greater bytes.
_LEAST_RANK = -(1 << 63)
_HIGHEST_RANK = (1 << 63) - 1
_RANK = Struct(">QQ")


class AttemptCommands:
    """The commands of one parcel. `endings`: id and digest of each, sixteen bytes, one after another."""

    __slots__ = ("_columns", "endings")

    def __init__(self, columns: Columns) -> None:
        """Raises ValueError when columns differ in length or an id or digest is not hexadecimal."""
        if not is_even(columns):
            raise ValueError("the columns of an attempt differ in length")
        self._columns = columns
        self.endings = packed_ends(columns.ids, columns.digests)

    @property
    def ids(self) -> tuple[bytes, ...]:
        return decode_hex(self._columns.ids, ID_BYTES)

    @property
    def recipients(self) -> Sequence[str]:
        return self._columns.recipients

    @property
    def ranks(self) -> bytes:
        """Of each that has a thread, as `packed_ranks` does it. Raises ValueError for a thread that is none."""
        return packed_ranks(self._columns.threads, self._columns.ranks)

    def rows(self) -> Iterator["AttemptCommand"]:
        """The same, command by command. Raises ValueError for a thread that is not hexadecimal."""
        columns = self._columns
        head = (self.ids, decode_hex(columns.digests, DIGEST_BYTES), columns.routes, columns.recipients)
        thread = (decode_threads(columns.threads), columns.ranks)
        return map(
            AttemptCommand, *head, *thread, columns.arrived, columns.deadlines, columns.positions, _quiets(columns)
        )


class OpenParcel(NamedTuple):
    message: Message
    level: int
    commands: AttemptCommands


class AttemptCommand(NamedTuple):
    """One command of an attempt, as its row of the columns. `thread` is a 64-bit hash."""

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


@dataclass(eq=False)
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

    @property
    def recipients(self) -> set[str]:
        """Everybody whom the request tells."""
        return set(chain.from_iterable([parcel.commands.recipients for parcel in self.parcels]))

    @property
    def endings(self) -> bytes:
        """Id and digest of each command, sixteen bytes, one after another."""
        return b"".join([parcel.commands.endings for parcel in self.parcels])

    @cached_property
    def ids(self) -> frozenset[bytes]:
        """The ids of all commands."""
        return frozenset(chain.from_iterable(parcel.commands.ids for parcel in self.parcels))


def decode_parcels(parts: Sequence[Attempt]) -> tuple[OpenParcel, ...]:
    """The parcels of an attempt; one that was cut between two parts is whole again.

    Raises ValueError when columns differ in length or an id or digest is not hexadecimal.
    """
    whole: list[list[AttemptParcel]] = []
    more = False
    for part in parts:
        for parcel in part.parcels:
            if more:
                whole[-1].append(parcel)
            else:
                whole.append([parcel])
            more = parcel.more
    return tuple(map(_open_parcel, whole))


def _open_parcel(pieces: Sequence[AttemptParcel]) -> OpenParcel:
    first = pieces[0]
    columns = first.commands if len(pieces) == 1 else _joined([piece.commands for piece in pieces])
    return OpenParcel(message_of(first.message), first.wording, AttemptCommands(columns))


def message_of(sent: SentMessage) -> Message:
    """What somebody was told, as it was written."""
    return Message(sent.title, sent.text, sent.link, sent.image)


def _joined(pieces: Sequence[Columns]) -> Columns:
    names = [each.name for each in fields(Columns)]
    merged: dict[str, Any] = {
        name: list(chain.from_iterable(column))
        for name, column in zip(names, zip(*map(_columns, pieces), strict=True), strict=True)
    }
    return Columns(**merged)


def is_even(columns: Columns) -> bool:
    """Whether they are all of one length, as a record's of ours are."""
    return len(set(map(len, _columns(columns)))) == 1


def _columns(columns: Columns) -> tuple[Sequence[object], ...]:
    return (
        columns.ids,
        columns.digests,
        columns.routes,
        columns.recipients,
        columns.threads,
        columns.ranks,
        columns.arrived,
        columns.deadlines,
        columns.positions,
        # Those that were written before there were any, and those of whom nobody has any, have none.
        columns.quiets or [None] * len(columns.ids),
    )


def _quiets(columns: Columns) -> Iterator[Quiet | None]:
    return (None if quiet is None else Quiet(*quiet) for quiet in columns.quiets or [None] * len(columns.ids))


# --- hexadecimal texts ------------------------------------------------------------------------------------------------


def packed_ends(ids: Sequence[str], digests: Sequence[str]) -> bytes:
    """Ids and digests in turn, sixteen bytes a command. Raises ValueError for what is not hexadecimal, or where there
    are not as many of the ones as of the others."""
    if len(ids) != len(digests):
        raise ValueError(f"{len(ids)} ids and {len(digests)} digests")
    _check_length(ids, ID_BYTES)
    return _packed(list(map(add, ids, digests)), ENTRY_BYTES)


def packed_ranks(threads: Sequence[str | None], ranks: Sequence[int]) -> bytes:
    """As `packed_rank`, for each that has a thread. Raises ValueError for a thread that is not hexadecimal."""
    if ranks and (min(ranks) < _LEAST_RANK or max(ranks) > _HIGHEST_RANK):
        ranks = list(map(_within, ranks))
    pairs = zip(threads, ranks, strict=True)
    texts = [
        thread + (rank - _LEAST_RANK).to_bytes(_THREAD_BYTES).hex() for thread, rank in pairs if thread is not None
    ]
    return _packed(texts, ENTRY_BYTES)


def packed_rank(thread: int, rank: int) -> bytes:
    """Sixteen bytes: the thread, and the rank so that of two of them the higher one is the greater bytes."""
    return _RANK.pack(thread, _within(rank) - _LEAST_RANK)


def unpacked_rank(packed: bytes) -> int:
    """The second half of what `packed_rank` made."""
    return int.from_bytes(packed) + _LEAST_RANK


def _within(rank: int) -> int:
    return rank if _LEAST_RANK <= rank <= _HIGHEST_RANK else min(max(rank, _LEAST_RANK), _HIGHEST_RANK)


def decode_hex(texts: Sequence[str], size: int) -> tuple[bytes, ...]:
    """Hexadecimal texts as bytes, `size` each. Raises ValueError for anything else."""
    joined = _packed(texts, size)
    return tuple(joined[start : start + size] for start in range(0, len(joined), size))


def decode_threads(texts: Sequence[str | None]) -> tuple[int | None, ...]:
    """Hashes of threads as numbers. Raises ValueError for what is none."""
    known = iter(decode_hex([text for text in texts if text is not None], _THREAD_BYTES))
    return tuple(None if text is None else int.from_bytes(next(known)) for text in texts)


def _packed(texts: Sequence[str], size: int) -> bytes:
    _check_length(texts, size)
    joined = bytes.fromhex("".join(texts))
    # Blanks between digits are passed over.
    if len(joined) != size * len(texts):
        raise ValueError(f"not {size} bytes in hexadecimal digits")
    return joined


def _check_length(texts: Sequence[str], size: int) -> None:
    if set(map(len, texts)) - {2 * size}:
        raise ValueError(f"not {size} bytes in hexadecimal digits")
