"""Journal records for tests: short to write, and as the engine would write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from consumer.core.ports import Entry, Unreadable
from schemas.journal import AnyRecord, Attempt, AttemptParcel, Columns, Outcomes, SentMessage


def command_id(number: int) -> bytes:
    """Ids that share their first eight bytes three at a time, so that equal keys happen."""
    return (number // 3).to_bytes(8) + (number % 3).to_bytes(4)


def digest(number: int) -> bytes:
    return (number + 1000).to_bytes(4)


@dataclass
class Log:
    """Gives records their offsets and timestamps, a second apart."""

    offset: int = 0
    timestamp: float = 1000.0

    def entry(self, record: AnyRecord | Unreadable) -> Entry:
        self.offset += 1
        self.timestamp += 1.0
        return Entry(self.offset - 1, self.timestamp, record)


def columns(numbers: Sequence[int], thread: int | None = None, rank: int = 0) -> Columns:
    return Columns(
        ids=[command_id(number).hex() for number in numbers],
        digests=[digest(number).hex() for number in numbers],
        routes=["order-ready"] * len(numbers),
        recipients=[f"customer-{number}" for number in numbers],
        threads=[None if thread is None else f"{thread:016x}"] * len(numbers),
        ranks=[rank] * len(numbers),
        arrived=[900.0 + number for number in numbers],
        deadlines=[9000.0 + number for number in numbers],
        positions=[[("shop.orders", 0, number)] for number in numbers],
    )


def alike(*ids: str, **same: Any) -> Columns:
    """Commands of these ids that are alike in all else; `same` says in what, by the name of the column."""
    usual: dict[str, Any] = {
        "digests": "0" * 8, "routes": "order-paid", "recipients": "c-1", "threads": None, "ranks": 0, "arrived": 0.0,
        "deadlines": 0.0, "positions": [],
    }  # fmt: skip
    return Columns(ids=list(ids), **{name: [value] * len(ids) for name, value in (usual | same).items()})


def parcel(commands: Columns, title: str = "Ready", level: int = 0, *, more: bool = False) -> AttemptParcel:
    return AttemptParcel(message=SentMessage(title=title, text="Come"), wording=level, commands=commands, more=more)


def attempt(name: str, *parcels: AttemptParcel, part: int = 1, parts: int = 1) -> Attempt:
    epoch = int(name.partition(".")[0])
    policy: Literal["repeat", "stop"] = "repeat"
    return Attempt(id=name, epoch=epoch, parcels=list(parcels), on_unsure=policy, part=part, parts=parts)


def outcomes(epoch: int, numbers: Sequence[int]) -> Outcomes:
    return Outcomes(
        epoch=epoch,
        outcome="expired",
        ids=[command_id(number).hex() for number in numbers],
        digests=[digest(number).hex() for number in numbers],
        routes=["order-ready"] * len(numbers),
    )
