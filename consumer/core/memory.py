"""What a lane remembers: its journal, followed in log order."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType

from consumer.core.attempts import ID_BYTES, decode_hex, decode_parcels, packed_ends, packed_rank, unpacked_rank
from consumer.core.attempts import OpenAttempt as OpenAttempt
from consumer.core.caps import Told
from consumer.core.model import Message, OnUnsure
from consumer.core.parking import Parking, sleepers_of
from consumer.core.ports import Entry, Unreadable
from consumer.core.quota import Past
from consumer.core.slices import ENTRIES, ENTRY_BYTES, Slices
from schemas.journal import Attempt, Claim, Landing, OutcomeName, Outcomes, Parked, Repeat

# Enough for the window of every scarce quota; a quota of more requests a period has a short period.
_PAST_REQUESTS = 512
# How many landed attempts are known by id, so that an append that was retried late is not taken for a new one.
_LANDED_ATTEMPTS = 1024
# After these somebody was told, or may have been.
_TELLING = ("delivered", "unsure", "mixed")


@dataclass(frozen=True, slots=True)
class Doubtful:
    """How often nobody could say whether a command went out, and what it said the last time."""

    count: int
    message: Message
    level: int


class Memory:
    """Feed it every entry of the journal in order. The same entries give the same memory in every member.

    What has ended, and the highest rank of each thread, is remembered for `memory_seconds` at least, in about eighteen
    bytes each; what is parked and has not ended is kept whole. Times are the journal's: broker seconds.
    """

    def __init__(self, memory_seconds: float, told: Told | None = None) -> None:
        self._memory_seconds = memory_seconds
        self._ended = Slices(memory_seconds)
        self._ranks = Slices(memory_seconds)
        self._open: dict[str, OpenAttempt] = {}
        self._parts: dict[str, dict[int, Attempt]] = {}
        self._landed: dict[str, None] = {}
        self._past: deque[Past] = deque(maxlen=_PAST_REQUESTS)
        self._doubts: dict[bytes, tuple[Doubtful, float]] = {}
        self._tries: dict[bytes, tuple[int, float]] = {}
        self.parked = Parking()
        self.told = Told((), b"") if told is None else told
        self.open_attempts: Mapping[str, OpenAttempt] = MappingProxyType(self._open)
        self.epoch = 0
        self.owner: str | None = None
        self.claim_offset: int | None = None
        self.claimed_at: float | None = None
        self.offset = 0
        self.last_timestamp = 0.0
        self.unreadable = 0

    def apply(self, entry: Entry) -> None:
        """Take in the next entry. One that was read before (a lower offset) is passed over; one that makes no sense is
        counted in `unreadable` and passed over."""
        if entry.offset < self.offset:
            return
        self.offset = entry.offset + 1
        self.last_timestamp = max(self.last_timestamp, entry.timestamp)
        try:
            self._apply(entry)
        except ValueError:
            self.unreadable += 1

    def forget(self, now: float) -> None:
        """Drop what is older than the memory. Call it about once a minute."""
        self._ended.forget(now)
        self._ranks.forget(now)
        self.told.forget(now)
        since = now - self._memory_seconds
        for attempt in [attempt for attempt in self._open.values() if attempt.timestamp < since]:
            del self._open[attempt.id]
        for id_ in [id_ for id_, (_, at) in self._doubts.items() if at < since]:
            del self._doubts[id_]
        for id_ in [id_ for id_, (_, at) in self._tries.items() if at < since]:
            del self._tries[id_]

    def ended(self, id_: bytes) -> bytes | None:
        """The 4-byte digest under which the command ended first, or None while it has not."""
        return self._ended.first(id_)

    def unended(self, ids: Iterable[bytes]) -> list[bytes]:
        """Those of the commands that have not ended."""
        return self._ended.missing(ids)

    def attempted(self, thread: int) -> int | None:
        """The highest rank that was ever attempted on the thread, whatever came of it."""
        ranks = self._ranks.values(thread.to_bytes(8))
        return unpacked_rank(max(ranks)) if ranks else None

    def mark_attempted(self, *ranks: tuple[int, int]) -> None:
        """The owner is about to attempt these ranks of threads; its own attempt will say the same again."""
        self._attempt(b"".join([packed_rank(thread, rank) for thread, rank in ranks]), self.last_timestamp)

    def doubtful(self, id_: bytes) -> Doubtful | None:
        """What is in doubt about a command that has not ended."""
        known = self._doubts.get(id_)
        return known[0] if known else None

    def tries(self, id_: bytes) -> int:
        """How many answers used up a try of a command that has not ended."""
        known = self._tries.get(id_)
        return known[0] if known else 0

    def past(self, since: float) -> list[Past]:
        """Requests that got no answer, or got it at or after `since`, for the gate: all without a landing, and of the
        others at most the last 512. Withdrawn ones are left out."""
        landed = [past for past in self._past if past.lost or (past.completed or since) >= since]
        flying = [attempt for attempt in self._open.values() if attempt.on_wire]
        return landed + [Past(one.timestamp, None, recipients=len(one.recipients)) for one in flying]

    def _apply(self, entry: Entry) -> None:
        record = entry.record
        if isinstance(record, Claim):
            self._claim(record, entry)
        elif isinstance(record, Unreadable):
            self.unreadable += 1
        else:
            self._learn_epoch(record.epoch)
            if isinstance(record, Attempt):
                self._take_part(record, entry)
            elif isinstance(record, Landing):
                self._land(record, entry.timestamp)
            elif isinstance(record, Repeat):
                self._repeat(record, entry.timestamp)
            elif isinstance(record, Parked):
                self._park(record)
            else:
                self._end_all(record, entry.timestamp)

    def _claim(self, claim: Claim, entry: Entry) -> None:
        if claim.epoch > self.epoch:
            self.epoch, self.owner = claim.epoch, claim.member
            self.claim_offset, self.claimed_at = entry.offset, entry.timestamp
            self._parts.clear()

    def _learn_epoch(self, epoch: int) -> None:
        """A record of an epoch that nobody claimed here: retention has taken the claim."""
        if epoch > self.epoch:
            self.epoch, self.owner = epoch, None
            self.claim_offset = self.claimed_at = None
            self._parts.clear()

    def _take_part(self, part: Attempt, entry: Entry) -> None:
        if part.epoch < self.epoch or part.id in self._open or part.id in self._landed:
            return
        if part.parts == 1:
            self._open_attempt([part], entry)
            return
        parts = self._parts.setdefault(part.id, {})
        parts.setdefault(part.part, part)
        if part.part == part.parts:
            del self._parts[part.id]
            self._open_attempt([parts[number] for number in sorted(parts)], entry)

    def _open_attempt(self, parts: Sequence[Attempt], entry: Entry) -> None:
        """The attempt counts from its last part on. One whose first parts retention has taken is unreadable."""
        last = parts[-1]
        if len(parts) != last.parts:
            raise ValueError(f"attempt {last.id} lacks parts")
        parcels = decode_parcels(parts)
        ranks = b"".join([parcel.commands.ranks for parcel in parcels])
        marketing = frozenset(chain.from_iterable([part.marketing for part in parts]))
        on_unsure = OnUnsure.STOP if last.on_unsure == "stop" else OnUnsure.REPEAT
        self._open[last.id] = OpenAttempt(
            last.id, last.epoch, entry.offset, entry.timestamp, on_unsure, parcels, marketing
        )
        self._attempt(ranks, entry.timestamp)

    def _attempt(self, ranks: bytes, at: float) -> None:
        self._ranks.extend(ranks, at)

    def _land(self, landing: Landing, at: float) -> None:
        """The first landing of a valid attempt counts; others, and those of void attempts, say nothing. Nor does an
        earlier owner that lets somebody wait again, once the attempt was repeated: the repeat may tell them."""
        attempt = self._open.get(landing.attempt)
        if attempt is None:
            return
        endings = attempt.endings
        count = len(endings) // ENTRY_BYTES
        ends = landing.outcomes if landing.outcomes is not None else [landing.outcome] * count
        if len(ends) != count:
            raise ValueError(f"landing of {attempt.id} has {len(ends)} outcomes for {count} commands")
        if landing.epoch < attempt.epoch and None in ends:
            return
        doubtful = frozenset(decode_hex(landing.doubtful, ID_BYTES)) if landing.doubtful else None
        self._close(attempt, landing, at)
        self._part(endings, ends, landing.tried, at)
        if doubtful:
            self._doubt(attempt, doubtful, at)
        if attempt.marketing and self.told.wanted:
            self._tell(attempt, ends, at)

    def _part(self, endings: bytes, ends: Sequence[OutcomeName | None], tried: bool, at: float) -> None:
        """Some have ended; the others wait again, and have used up a try where their request was answered."""
        if None not in ends:
            self._end(endings, at)
            return
        pairs = list(zip(ENTRIES.iter_unpack(endings), ends, strict=True))
        self._end(b"".join(ending for (ending,), end in pairs if end is not None), at)
        waiting = [ending[:ID_BYTES] for (ending,), end in pairs if end is None] if tried else []
        for id_ in waiting:
            if self.ended(id_) is None:
                self._tries[id_] = (self.tries(id_) + 1, at)

    def _tell(self, attempt: OpenAttempt, ends: Sequence[OutcomeName | None], at: float) -> None:
        outcomes = iter(ends)
        for number, parcel in enumerate(attempt.parcels):
            for command, end in zip(parcel.commands.rows(), outcomes, strict=False):
                if end == "delivered" and command.route in attempt.marketing:
                    self.told.note(command.recipient, f"{attempt.id}/{number}", at)

    def _park(self, record: Parked) -> None:
        """The last record of a command counts; one of a dead owner says nothing: the next one plans it again."""
        if record.epoch < self.epoch:
            return
        for sleeper in sleepers_of(record):
            if self.ended(sleeper.command.id) is None:
                self.parked.put(sleeper)

    def _close(self, attempt: OpenAttempt, landing: Landing, at: float) -> None:
        del self._open[attempt.id]
        self._landed[attempt.id] = None
        if len(self._landed) > _LANDED_ATTEMPTS:
            del self._landed[next(iter(self._landed))]
        if attempt.on_wire and landing.verdict != "withdrawn":
            told = len(attempt.recipients) if landing.verdict in _TELLING else 0
            self._past.append(Past(attempt.timestamp, at, landing.verdict == "unsure", told))

    def _repeat(self, repeat: Repeat, at: float) -> None:
        """The attempt stays open under its id. Whoever repeats what an earlier owner left on the wire has seen a
        process die in it."""
        attempt = self._open.get(repeat.attempt)
        if attempt is None or repeat.epoch < (self.epoch if repeat.sent else attempt.epoch):
            return
        if attempt.on_wire:
            self._past.append(Past(attempt.timestamp, at, lost=True, recipients=len(attempt.recipients)))
        died = repeat.sent and attempt.on_wire and repeat.epoch > attempt.epoch
        self._open[attempt.id] = replace(
            attempt, epoch=repeat.epoch, timestamp=at, on_wire=repeat.sent, deaths=attempt.deaths + died
        )

    def _doubt(self, attempt: OpenAttempt, doubtful: frozenset[bytes], at: float) -> None:
        for parcel in attempt.parcels:
            for id_ in doubtful.intersection(parcel.commands.ids):
                if self.ended(id_) is None:
                    before = self.doubtful(id_)
                    count = before.count + 1 if before else 1
                    self._doubts[id_] = (Doubtful(count, parcel.message, parcel.level), at)

    def _end_all(self, outcomes: Outcomes, at: float) -> None:
        self._end(packed_ends(outcomes.ids, outcomes.digests), at)

    def _end(self, endings: bytes, at: float) -> None:
        """Ids and digests in turn. A second end changes nothing: `ended` finds the first one first."""
        self._ended.extend(endings, at)
        if not (self.parked or self._doubts or self._tries):
            return
        for (ending,) in ENTRIES.iter_unpack(endings):
            id_ = ending[:ID_BYTES]
            self.parked.pop(id_)
            self._doubts.pop(id_, None)
            self._tries.pop(id_, None)
