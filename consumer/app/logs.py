"""The table from facts to log lines, and the one place that configures logging.

A line is JSON (or, for people, coloured text): UTC time, a constant event name, and fields. Success is told at debug.
What repeats is told once in ten seconds, with the number of lines left out; of one event ten lines a second at most.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from consumer.app.log_limit import LineLimit
from consumer.app.masking import clipped, masked
from consumer.core import facts
from consumer.core.model import Outcome

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
REPEAT_SECONDS = 10.0
FRAMES_LIMIT = 20
_KEYS_LIMIT = 1000

# Below these the libraries print payloads, or a line for each heartbeat.
FLOORS = {
    "aiokafka": logging.WARNING,
    "aiohttp": logging.INFO,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
}


def configure(form: str, level: str, stream: TextIO, monotonic: Callable[[], float]) -> None:
    """Set up logging of the whole process. `form` is json or console."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _plain_traceback,
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form, stream)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[*shared, _foreign], processors=last))
    handler.addFilter(_ForeignRepeats(monotonic))
    handler.addFilter(LineLimit(monotonic, _tell_suppressed))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for name, floor in FLOORS.items():
        logging.getLogger(name).setLevel(max(floor, LEVELS[level]))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _tell_suppressed(event: str, count: int) -> None:
    structlog.stdlib.get_logger("vestnik").warning("lines_suppressed", of=event, count=count)


def _renderer(form: str, stream: TextIO) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _plain_traceback(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Where it broke and what it said, without source lines and without local variables: they may hold anything."""
    info = event.pop("exc_info", None)
    info = sys.exc_info() if info is True else info
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = clipped(f"{type(error).__name__}: {error}")
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES_LIMIT:]
        event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _foreign(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A library's line under a constant event name of ours."""
    record: logging.LogRecord | None = event.get("_record")
    event["logger"] = record.name if record is not None else ""
    event["said"] = clipped(str(event["event"]))
    event["event"] = "library_said"
    return event


class _Repeats:
    """Lets a key through once in ten seconds, and counts what it left out."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[object, tuple[float, int]] = {}

    def admit(self, key: object) -> int | None:
        """How many lines were left out since the last one; None when this one is to be left out too."""
        now = self._monotonic()
        since, left_out = self._seen.get(key, (now - REPEAT_SECONDS, 0))
        if now - since < REPEAT_SECONDS:
            self._seen[key] = (since, left_out + 1)
            return None
        if len(self._seen) >= _KEYS_LIMIT:
            self._seen.clear()
        self._seen[key] = (now, 0)
        return left_out


class _ForeignRepeats(logging.Filter):
    """The same, for libraries: one key is a logger with its unformatted message."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._repeats = _Repeats(monotonic)

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, Mapping):
            return True
        return self._repeats.admit((record.name, str(record.msg)[:200])) is not None


# --- the table --------------------------------------------------------------------------------------------------------

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """How a fact is told. `key` names the fields that tell repeats apart."""

    level: int
    event: str
    fields: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    more: Callable[[Any], Fields] | None = None


_DEBUG, _INFO, _WARNING, _ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
_QUIET_ENDS = (Outcome.DELIVERED, Outcome.SUPERSEDED, Outcome.SUPPRESSED)


def _pushed(fact: facts.Pushed) -> Fields:
    """Recipients masked, and a few of them: a request may have a thousand."""
    return {"recipients": len(fact.recipients), "to": [masked(recipient) for recipient in fact.recipients[:5]]}


def _assigned(fact: facts.PartitionsAssigned) -> Fields:
    return {"partitions": [f"{each.topic}/{each.partition}" for each in fact.partitions]}


# Made once: most of these are told at a level that is off.
_END = Line(_WARNING, "commands_ended", ("route", "outcome", "reason", "count"), ("route", "outcome", "reason"))
_QUIET_END = replace(_END, level=_DEBUG)
_TROUBLED_REQUEST = Line(
    _WARNING,
    "request_sent",
    ("provider", "attempt", "verdict", "reason", "recipients", "duration_seconds"),
    ("verdict", "reason"),
)
_REQUEST = replace(_TROUBLED_REQUEST, level=_DEBUG)


def _ended(fact: facts.CommandEnded) -> Line:
    return _QUIET_END if fact.outcome in _QUIET_ENDS else _END


def _requested(fact: facts.RequestSent) -> Line:
    return _REQUEST if fact.verdict == "delivered" else _TROUBLED_REQUEST


def _breaker(fact: facts.BreakerMoved) -> Line:
    return Line(_WARNING, "breaker_opened", ("reason",), ("reason",)) if fact.open else Line(_INFO, "breaker_closed")


def _committing(fact: facts.TokenRefreshed) -> Line:
    level = _INFO if fact.result == "refreshed" else _WARNING
    return Line(level, "token_refreshed", ("provider", "result"), ("provider", "result"))


TABLE: dict[type[facts.Fact], Line | Callable[[Any], Line]] = {
    facts.RecordsPlanned: Line(
        _DEBUG, "records_planned", ("topic", "event_type", "result", "reason", "records", "commands")
    ),
    facts.RecordRepeated: Line(_DEBUG, "record_repeated", ("route", "state")),
    facts.CommandEnded: _ended,
    facts.CommandsParked: Line(_INFO, "commands_parked", ("reason", "count"), ("reason",)),
    facts.CommandsRestored: Line(_INFO, "commands_restored", ("count",)),
    facts.CommandsReleased: Line(_INFO, "commands_released", ("count",)),
    facts.Pushed: Line(_DEBUG, "pushed", ("provider", "attempt", "route", "level", "in_time"), (), _pushed),
    facts.RequestSent: _requested,
    facts.RequestWithdrawn: Line(_INFO, "request_withdrawn", ("attempt", "reason"), ("reason",)),
    facts.GateOpened: Line(_DEBUG, "gate_opened", ("waited_seconds", "cause")),
    facts.GateMoved: Line(_INFO, "gate_moved", ("gap_seconds",), ("gap_seconds",)),
    facts.BreakerMoved: _breaker,
    facts.LaneMoved: Line(_INFO, "lane_moved", ("state", "epoch")),
    facts.LaneBlocked: Line(_WARNING, "lane_blocked", ("reason", "detail"), ("reason",)),
    facts.LaneUnblocked: Line(_INFO, "lane_unblocked", ("reason", "seconds"), ("reason",)),
    facts.ClaimMade: Line(_INFO, "claim_made", ("epoch", "ours")),
    facts.JournalReadBack: Line(_INFO, "journal_read_back", ("records", "seconds", "in_doubt", "unreadable")),
    facts.DeadLettered: Line(_WARNING, "dead_lettered", ("reason", "route", "detail"), ("reason", "route")),
    facts.OffsetsCommitted: Line(_DEBUG, "offsets_committed", ("partitions", "seconds")),
    facts.CommitFailed: Line(_WARNING, "commit_failed", ("reason",), ("reason",)),
    facts.PartitionsAssigned: Line(_INFO, "partitions_assigned", (), (), _assigned),
    facts.PartitionsRevoked: Line(_INFO, "partitions_revoked"),
    facts.StreamTroubled: Line(_WARNING, "stream_troubled", ("stream", "reason", "detail"), ("stream", "reason")),
    facts.StreamHealed: Line(_INFO, "stream_healed", ("stream",), ("stream",)),
    facts.StreamRebuilt: Line(_WARNING, "stream_rebuilt", ("stream", "reason"), ("stream", "reason")),
    facts.OffsetsSkipped: Line(_INFO, "offsets_skipped", ("topic", "partition", "count"), ("topic", "partition")),
    facts.TokenRefreshed: _committing,
    facts.TokenKept: Line(_DEBUG, "token_kept", ("provider", "obtained_at", "expires_at", "refresh_expires_at")),
    facts.LongTextsSent: Line(_INFO, "long_texts_sent", ("provider", "part", "count"), ("provider", "part")),
    facts.RequestsNarrowed: Line(_WARNING, "requests_narrowed", ("provider", "reason"), ("provider", "reason")),
    facts.LaneStuck: Line(_ERROR, "lane_stuck", ("reason", "detail"), ("reason",)),
    facts.PartitionStuck: Line(
        _WARNING, "partition_stuck", ("topic", "partition", "reason", "records", "seconds"), ("topic", "partition")
    ),
    facts.PartitionFreed: Line(_INFO, "partition_freed", ("topic", "partition", "seconds"), ("topic", "partition")),
    facts.LaneCrashed: Line(_ERROR, "lane_crashed", ("error",), ("error",)),
}

_FREE_TEXTS = ("detail", "error")


class Logs:
    """Tells facts to a logger. `LaneGauges` has no line: it is said each second, and metrics have it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._log = structlog.stdlib.get_logger("vestnik")
        self._level = logging.getLogger("vestnik")
        self._repeats = _Repeats(monotonic)

    def see(self, fact: facts.Fact) -> None:
        """Tell a fact, unless its level is off or it repeats."""
        if ear := self.ear(type(fact)):
            ear(fact)

    def ear(self, kind: type[facts.Fact]) -> Callable[[Any], None] | None:
        """Who tells facts of a kind, by the level that is on now; None where they have no line, or none that is on."""
        entry, least = TABLE.get(kind), self._level.getEffectiveLevel()
        if isinstance(entry, Line):
            return partial(self._tell, entry) if entry.level >= least else None
        return entry and partial(self._choose, entry, least)

    def _choose(self, line_of: Callable[[Any], Line], least: int, fact: facts.Fact) -> None:
        line = line_of(fact)
        if line.level >= least:
            self._tell(line, fact)

    def _tell(self, line: Line, fact: facts.Fact) -> None:
        left_out = 0
        if line.key:
            admitted = self._repeats.admit((line.event, fact.lane, *(getattr(fact, name) for name in line.key)))
            if admitted is None:
                return
            left_out = admitted
        self._log.log(line.level, line.event, **_fields(fact, line, left_out))


def _fields(fact: facts.Fact, line: Line, left_out: int) -> MutableMapping[str, Any]:
    fields: Fields = {"lane": fact.lane}
    for name in line.fields:
        value = getattr(fact, name)
        fields[name] = clipped(value) if name in _FREE_TEXTS else value
    if "level" in fields:
        fields["wording"] = fields.pop("level")
    if line.more is not None:
        fields |= line.more(fact)
    if left_out:
        fields["left_out"] = left_out
    return fields
