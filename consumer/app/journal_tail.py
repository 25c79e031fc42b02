"""`vestnik journal tail`: what a lane remembers, record by record, for people and for machines."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from consumer.app import wiring
from consumer.app.masking import clipped, masked
from consumer.app.moments import read_ago
from consumer.app.setup import Setup
from consumer.app.tables import trouble_words
from consumer.core.model import Trouble
from consumer.core.ports import Entry, Journal, Unreadable
from consumer.core.templates import nearest
from schemas.journal import JOURNAL_RECORD, AnyRecord, Attempt, Claim, Columns, Landing, Outcomes, Parked, Repeat

KINDS = ("claim", "attempt", "landing", "repeat", "outcomes", "parked", "unreadable")
READ_SECONDS = 1.0
# A file gives what it has at once.
FILE_SECONDS = 0.02
# A journal that gave nothing for so many reads is over, wherever its end may be.
FRUITLESS_READS = 3
SHOWN = 3
HEX = frozenset("0123456789abcdef")


@dataclass(slots=True)
class Wanted:
    """Which records to show. `command`: the beginning of a command's id, in hex; then the landings and repeats of its
    attempts are shown with it."""

    kinds: frozenset[str] = frozenset(KINDS)
    command: str = ""
    attempts: set[str] = field(default_factory=set)

    def takes(self, entry: Entry) -> bool:
        """Whether to show a record; call it for every record in order."""
        record = entry.record
        named = not self.command or self._names(record)
        return named and kind_of(entry) in self.kinds

    def _names(self, record: object) -> bool:
        if isinstance(record, Landing | Repeat):
            return record.attempt in self.attempts
        if not any(id_.startswith(self.command) for id_ in _ids(record)):
            return False
        if isinstance(record, Attempt):
            self.attempts.add(record.id)
        return True


def kind_of(entry: Entry) -> str:
    """The record's kind; `unreadable` where it is none of ours."""
    return "unreadable" if isinstance(entry.record, Unreadable) else entry.record.kind


def _ids(record: object) -> Iterable[str]:
    match record:
        case Attempt():
            return (id_ for parcel in record.parcels for id_ in parcel.commands.ids)
        case Outcomes():
            return record.ids
        case Parked():
            return record.commands.ids
        case _:
            return ()


# --- reading ----------------------------------------------------------------------------------------------------------


async def entries(journal: Journal, since: float, end: int | None, *, follow: bool) -> AsyncIterator[Entry | Trouble]:
    """Records from a moment on, up to the offset `end` where it is known; for ever, as they come, with `follow`.
    Trouble is the last of them when the journal cannot be read."""
    span = await journal.rewind(since)
    if isinstance(span, Trouble):
        yield span
        return
    fruitless, at = 0, span.offset
    while follow or ((end is None or at < end) and fruitless < FRUITLESS_READS):
        found = await journal.read(READ_SECONDS if follow or end is not None else FILE_SECONDS)
        if not found and journal.trouble is not None and not follow:
            yield journal.trouble
            return
        fruitless = 0 if found else fruitless + 1
        for entry in found:
            at = entry.offset + 1
            yield entry


async def _end(setup: Setup, lane: str) -> int | Trouble | None:
    """The offset of the journal's next record; None where it is a file, which says by itself that it is over."""
    if setup.config.source is not None:
        return None
    from consumer.streams.marks import end_of  # noqa: PLC0415 - the Kafka client, which files do without

    return await end_of(wiring.kafka_settings(setup), wiring.journal_place(lane))


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for on the command line, as they wrote it."""

    lane: str
    since: str
    kinds: tuple[str, ...]
    command: str
    follow: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A journal that is to be read: from when, what of it, and whether for ever."""

    setup: Setup
    lane: str
    wanted: Wanted
    since: float
    follow: bool

    async def run(self, show: Callable[[Entry], None]) -> str | None:
        """Show what is wanted; in words, why that could not be done."""
        end = None if self.follow else await _end(self.setup, self.lane)
        if isinstance(end, Trouble):
            return trouble_words(end)
        journal = wiring.usual_streams(self.setup, lambda _fact: None)(self.lane).journal
        await journal.start()
        try:
            async for entry in entries(journal, self.since, end, follow=self.follow):
                if isinstance(entry, Trouble):
                    return trouble_words(entry)
                if self.wanted.takes(entry):
                    show(entry)
        finally:
            await journal.stop()
        return None


def readings(setup: Setup, asked: Asked, now: datetime) -> list[Reading] | str:
    """What was asked for, of a shared lane once for each share; or what is wrong with it."""
    if not setup.config.named(asked.lane):
        return f'unknown lane "{asked.lane}"; {nearest(asked.lane, list(setup.config.lanes))}'
    unknown = [kind for kind in asked.kinds if kind not in KINDS]
    if unknown:
        return f'unknown kind "{unknown[0]}"; {nearest(unknown[0], list(KINDS))}'
    if not set(asked.command) <= HEX:
        return f'"{asked.command}" is no id of a command: 24 letters of 0-9 and a-f, or their beginning'
    since = read_ago(asked.since, now)
    if isinstance(since, str):
        return since
    kinds = frozenset(asked.kinds or KINDS)
    return [
        Reading(setup, name, Wanted(kinds, asked.command), since.timestamp(), asked.follow)
        for name in setup.config.named(asked.lane)
    ]


async def read_all(found: Sequence[Reading], show: Callable[[str, Entry], None]) -> str | None:
    """Show what is wanted of each journal, one after the other, or side by side where they are followed; in words, why
    that could not be done. `show` is told whose record it is."""
    runs = [each.run(partial(show, each.lane)) for each in found]
    if any(each.follow for each in found):
        return next((words for words in await asyncio.gather(*runs) if words), None)
    troubles = [await run for run in runs]
    return next((words for words in troubles if words), None)


# --- telling ----------------------------------------------------------------------------------------------------------


def moment(timestamp: float) -> str:
    """A broker's timestamp in UTC, to the millisecond."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(entry: Entry, *, reveal: bool) -> dict[str, Any]:
    """A record for machines; recipients are masked unless they are to be revealed."""
    head = {"offset": entry.offset, "at": moment(entry.timestamp)}
    if isinstance(entry.record, Unreadable):
        return {**head, "kind": "unreadable", "reason": entry.record.reason}
    told = JOURNAL_RECORD.dump_python(entry.record, mode="json")
    return {**head, **(told if reveal else _hidden(told))}


def _hidden(node: Any, key: str = "") -> Any:
    """The record with its recipients masked, and without phones in its texts."""
    if isinstance(node, Mapping):
        return {name: _hidden(value, name) for name, value in node.items()}
    if isinstance(node, list):
        return [_hidden(value, key) for value in node]
    if not isinstance(node, str):
        return node
    if key == "recipients":
        return masked(node)
    return clipped(node) if key in ("title", "text", "link", "image") else node


def line(entry: Entry, *, reveal: bool) -> str:
    """A record on one line."""
    return f"{moment(entry.timestamp)}  {entry.offset:>8}  {kind_of(entry):<10}  {_words(entry.record, reveal=reveal)}"


def _attempt(record: Attempt, *, reveal: bool) -> str:
    part = f" (part {record.part} of {record.parts})" if record.parts > 1 else ""
    return f"{record.id}{part}: " + "; ".join(
        f'"{clipped(parcel.message.title)}" wording {parcel.wording} of {_routes(parcel.commands.routes)} '
        f"to {_people(parcel.commands, reveal=reveal)}"
        for parcel in record.parcels
    )


def _parked(record: Parked, *, reveal: bool) -> str:
    first = moment(min(record.until)) if record.until else "never"
    people = _people(record.commands, reveal=reveal)
    return f"{record.reason}, the first until {first}: {_routes(record.commands.routes)} to {people}"


def _words(record: AnyRecord | Unreadable, *, reveal: bool) -> str:
    match record:
        case Attempt():
            words = _attempt(record, reveal=reveal)
        case Parked():
            words = _parked(record, reveal=reveal)
        case Claim():
            words = f"epoch {record.epoch} by {record.member}"
        case Landing():
            words = f"{record.attempt}: {_reasoned(record.verdict, record.reason)}{_outcomes(record)}"
        case Repeat():
            words = f"{record.attempt}: " + ("goes out once more" if record.sent else f"no answer, {record.reason}")
        case Outcomes():
            words = f"{len(record.ids)} {_reasoned(record.outcome, record.reason)} of {_routes(record.routes)}"
        case Unreadable(reason):
            words = reason
    return words


def _reasoned(what: str, reason: str) -> str:
    return f"{what} ({reason})" if reason else what


def _outcomes(landing: Landing) -> str:
    if landing.outcomes is not None:
        counts = Counter(outcome or "waits again" for outcome in landing.outcomes)
        return ": " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    end = landing.outcome or ("" if landing.verdict == "delivered" else "waits again")
    doubtful = f", {len(landing.doubtful)} doubtful" if landing.doubtful else ""
    return (f": {end}" if end and end != landing.verdict else "") + doubtful


def _routes(routes: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(routes))


def _people(columns: Columns, *, reveal: bool) -> str:
    """How many, and who the first of them are."""
    shown = [each if reveal else masked(each) for each in columns.recipients]
    few = shown if reveal else shown[:SHOWN]
    return f"{len(shown)} ({' '.join(few)}{' …' if len(few) < len(shown) else ''})"
