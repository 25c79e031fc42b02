"""The page about log lines, out of the table that the process itself tells facts by, and of the few lines that are no
facts."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumer.app.log_limit import LINES_PER_SECOND
from consumer.app.logs import REPEAT_SECONDS, TABLE, Line
from consumer.app.masking import masked
from consumer.core import facts
from consumer.core.model import Message, Outcome, TopicPartition

MADE = "<!-- made by `python -m scripts.observability`; a test keeps it fresh -->"
_ONCE = f"once in {REPEAT_SECONDS:.0f} s"
HEAD = f"""# Which lines are in the log?

{MADE}

One line is one JSON object on standard error: `timestamp` (UTC), `level`, `event` (a constant name from the tables
below), `lane` where it is about one, and the fields of the event. `logs.format: console` writes the same for people,
coloured on a terminal; `logs.level` says from which level on. Success is told at debug: on a good day the log is quiet,
and counting is the metrics' business ([metrics.md](metrics.md)).

**Nobody is in it.** Of a recipient two digits are left (`{masked("79161234567")}`), texts are never there, what a
provider or a library said is clipped and scrubbed of phones, and tracebacks name places in the code (`frames`) without
any values.

**It does not flood.** Lines of one lane that are equal in the fields of the column *{_ONCE} for each* are written once
in that time, and `left_out` says how many were not. Of one event at most {LINES_PER_SECOND} lines a second are written;
`lines_suppressed` says of which event and how many more there were. What libraries say is `library_said`, from warning
on for Kafka's client and the event loop, from info on for HTTP, and the same message {_ONCE}.
"""


@dataclass(frozen=True, slots=True)
class Said:
    """A line that is no fact: where there is no lane yet, or no longer."""

    event: str
    level: str
    fields: tuple[str, ...]
    means: str


PROCESS = (
    Said("admin_port_refused", "error", ("detail",), "The admin port cannot be had; the process ends with 1."),
    Said("configuration_warning", "warning", ("detail",), "What `vestnik check` would have said too."),
    Said(
        "ended",
        "info, warning, error",
        ("exit_code", "why", "frames"),
        "The last line of every process. `why` where the code is not 0; `frames` where the event loop stood still.",
    ),
    Said("library_said", "as the library's", ("logger", "said"), "A library's own words, clipped."),
    Said("lines_suppressed", "warning", ("of", "count"), "So many more lines of an event were left out in a second."),
    Said("routes_loaded", "info", ("version", "routes"), "The route files have changed, and what they say holds now."),
    Said("routes_mistake", "error", ("detail",), "One of the mistakes for which they were refused."),
    Said(
        "routes_refused",
        "error",
        ("version", "refused", "mistakes"),
        "The route files have changed and are wrong: `version` stays in force, `refused` does not.",
    ),
    Said("routes_unchanged", "info", ("version", "routes"), "The route files hold what is in force again."),
    Said(
        "started",
        "info",
        ("version", "core", "admin_port", "lanes"),
        "The admin port listens and the lanes begin. `core`: `compiled` or `plain`.",
    ),
    Said("task_failed", "error", ("detail", "error", "frames"), "A bug in a task that nobody waits for."),
)

# What a fact's own words do not say to somebody who reads a log.
MEANS = {
    "records_planned": "Records were read. `result`: planned, ignored or rejected, and why.",
    "record_repeated": "A command that is known already: it joined a live one, or had ended.",
    "commands_ended": "Commands got their one outcome. Warning where that is expired, refused or unknown.",
    "commands_parked": "Commands that wait long are durable in the journal, and their records settled.",
    "commands_restored": "A new owner took parked commands up from the journal.",
    "commands_released": "Commands were let go to another owner, who plans them again.",
    "pushed": "The provider accepted a message. `to`: a few of the recipients, masked.",
    "request_sent": "A request came back, or did not. Warning unless it was delivered.",
    "request_withdrawn": "The last look before the wire forbade the request; nobody was asked.",
    "gate_opened": "The quota granted a request after so long; `cause` held it.",
    "gate_moved": "The gap between requests was widened by a limit answer, or narrowed by a quiet time.",
    "breaker_opened": "The provider fails: from now on only probes go out.",
    "breaker_closed": "The provider answers again.",
    "lane_moved": "The lane's state: standby, recovering, working, draining, stopped.",
    "lane_blocked": "The lane cannot work, and why. What to do: [operating.md](operating.md).",
    "lane_unblocked": "It can again, after so long.",
    "claim_made": "An epoch of the lane began; `ours`: this process has it.",
    "journal_read_back": "A new owner knows what the journal says. `in_doubt`: commands whose answer is lost.",
    "dead_lettered": "A record or a command needs a person: [dead-letters.md](dead-letters.md).",
    "offsets_committed": "The group's offsets were committed.",
    "commit_failed": "They were not; the next second brings a newer commit.",
    "partitions_assigned": "The group gave this process all partitions, or none: then it stands by.",
    "partitions_revoked": "The group takes the partitions back.",
    "stream_troubled": "A stream gives nothing: the source, the journal, the dead letters or a table.",
    "stream_healed": "It gives again.",
    "stream_rebuilt": "A client was thrown away and made anew.",
    "offsets_skipped": "Offsets that the partition no longer has, or never gave.",
    "token_refreshed": "An access token was made anew, or could not be. Info where it was.",
    "token_kept": "A token pair is at hand; when it was issued and when its parts end, in seconds since 1970.",
    "long_texts_sent": "Messages went out that are longer than this provider's people will see.",
    "requests_narrowed": "Requests carry less from now on: the account does not take more.",
    "lane_stuck": "What could happen does not; the process ends with 70.",
    "partition_stuck": "A partition has records and gives none.",
    "partition_freed": "It gives again, has no more, or is another's.",
    "lane_crashed": "A bug: the lane is started again. `error` says where.",
}

_LANE = "app-push"
# Facts whose line depends on what they say, one of each kind.
_VARIANTS: dict[type[facts.Fact], Sequence[facts.Fact]] = {
    facts.CommandEnded: [facts.CommandEnded(_LANE, "r", outcome, "", 1) for outcome in Outcome],
    facts.RequestSent: [facts.RequestSent(_LANE, "p", "1.1", each, "", 1, 0.1) for each in ("delivered", "unsure")],
    facts.BreakerMoved: [facts.BreakerMoved(_LANE, moved, "timeout") for moved in (True, False)],
    facts.TokenRefreshed: [facts.TokenRefreshed(_LANE, "p", result) for result in ("refreshed", "refused")],
    facts.Pushed: [facts.Pushed(_LANE, "p", "1.1", "r", 0, Message("", ""), (), (), 0)],
    facts.PartitionsAssigned: [facts.PartitionsAssigned(_LANE, (TopicPartition("t", 0),))],
}


@dataclass(slots=True)
class _Row:
    levels: list[str]
    fields: tuple[str, ...]
    key: tuple[str, ...]


def log_page() -> str:
    """The page's text."""
    return HEAD + "".join(_lanes()) + "".join(_process())


def events() -> dict[str, _Row]:
    """Each event of the table, with its levels and fields."""
    rows: dict[str, _Row] = {}
    for kind, entry in TABLE.items():
        for line, more in _lines(kind, entry):
            names = tuple("wording" if name == "level" else name for name in line.fields)
            row = rows.setdefault(line.event, _Row([], (*names, *more), line.key))
            level = logging.getLevelName(line.level).lower()
            row.levels += [] if level in row.levels else [level]
    return rows


def _lines(kind: type[facts.Fact], entry: object) -> Iterator[tuple[Line, tuple[str, ...]]]:
    if isinstance(entry, Line) and entry.more is None:
        yield entry, ()
        return
    for fact in _VARIANTS[kind]:
        line = entry if isinstance(entry, Line) else TABLE[kind](fact)  # type: ignore[operator]
        yield line, tuple(line.more(fact)) if line.more is not None else ()


def _lanes() -> Iterator[str]:
    yield f"\n## Of a lane\n\n| event | level | fields | {_ONCE} for each | what it says |\n|---|---|---|---|---|\n"
    for event, row in sorted(events().items()):
        yield f"| `{event}` | {', '.join(row.levels)} | {_names(row.fields)} | {_names(row.key)} | {MEANS[event]} |\n"


def _process() -> Iterator[str]:
    yield "\n## Of the process\n\n| event | level | fields | what it says |\n|---|---|---|---|\n"
    for said in PROCESS:
        yield f"| `{said.event}` | {said.level} | {_names(said.fields)} | {said.means} |\n"


def _names(fields: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in fields)
