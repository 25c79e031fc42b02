"""What `vestnik replay` prints: the plan, how far it is, and what came of it."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TextIO

from consumer.app import told
from consumer.app.replay_sending import Recorded, Sent
from consumer.app.replaying import Foreseen
from consumer.core.replay import Fate, Forecast, Tally
from consumer.core.replay_quota import Pace
from consumer.core.units import spell_seconds

WORDS: Mapping[Fate, str] = {
    Fate.TOLD: "would be told",
    Fate.DELIVERED: "delivered already",
    Fate.EXPIRED: "expired",
    Fate.SUPERSEDED: "superseded by newer news",
    Fate.SUPPRESSED: "not to be told",
    Fate.REFUSED: "refused before; see vestnik dead",
    Fate.UNKNOWN: "may have been delivered",
    Fate.WAITING: "still with the lane",
    Fate.REPEATED: "copies of the same event",
    Fate.CONFLICT: "same event id, other payload",
}
WHY: Mapping[str, str] = {
    "": "",
    "journal": "the journal says so",
    "deadline": "its deadline has passed",
    "newer": "its thread has gone on",
    "in_doubt": "a request without an answer",
    "parked": "it waits for a time of its own",
    "lane": "not committed yet",
    "no_consent": "no consent",
    "not_listed": "the lane is in mode allow_list",
    "shadow": "the lane is in mode shadow",
    "listed": "on the list of suppressions",
    "payload": "it would be a dead letter",
}
REFRESH_SECONDS = 0.5
LINE_SECONDS = 10.0


# --- the plan ---------------------------------------------------------------------------------------------------------


def report(foreseen: Foreseen, recorded: Recorded, sent: Mapping[str, Sent], troubles: Sequence[str]) -> dict[str, Any]:
    """Everything, for machines. `sent` is empty in a dry run."""
    wish = foreseen.wish
    return {
        "replay": wish.asked.replay,
        "dry_run": not sent,
        "reason": recorded.reason,
        "who": recorded.who,
        "at": _moment(recorded.at),
        "planned_at": _moment(foreseen.now),
        "range": [
            {"topic": each.partition.topic, "partition": each.partition.partition, "begin": each.begin, "end": each.end}
            for each in foreseen.stretches
        ],
        "lines": wish.range.lines,
        "again": wish.asked.again,
        "extend_ttl_seconds": wish.asked.extend_ttl_seconds,
        "records": foreseen.records,
        "passed_over": foreseen.passed_over,
        "seconds": round(foreseen.seconds, 3),
        "lanes": {lane: _lane(foreseen, lane, sent.get(lane)) for lane in wish.lanes},
        "warnings": list(foreseen.warnings),
        "troubles": list(troubles),
    }


def _lane(foreseen: Foreseen, lane: str, sent: Sent | None) -> dict[str, Any]:
    forecast, pace = foreseen.forecasts[lane], foreseen.paces[lane]
    found: dict[str, Any] = {
        "told": forecast.told,
        "people": forecast.people,
        "fates": [tally._asdict() for tally in forecast.tallies()],
        "ignored": dict(forecast.ignored),
        "rejected": [
            {"route": route, "reason": reason, "records": count}
            for (route, reason), count in sorted(forecast.rejected.items())
        ],
        "quota": asdict(forecast.estimate(pace)),
    }
    if sent is not None:
        found["sent"] = {
            "records": sent.records,
            "commands": sent.commands,
            "published_before": sent.before,
            "late": forecast.late,
            "done": sent.done,
        }
    return found


def tell_plan(foreseen: Foreseen) -> None:
    """For people: of each lane who would be told and who would not, by route, and how long that takes."""
    told.say(f"{_range(foreseen)}: {foreseen.records:,} records{_passed_over(foreseen)}")
    for warning in foreseen.warnings:
        told.say(f"warning: {warning}")
    for lane, forecast in foreseen.forecasts.items():
        told.say("")
        rows = [("route", "commands", "", "why"), *map(_row, forecast.tallies())]
        rows += [(route or "-", f"{count:,}", "dead letter", reason) for route, reason, count in _rejected(forecast)]
        if len(rows) > 1:
            told.tell_columns(rows)
        told.say(f"{lane}: {_sum(forecast)}.{_quota(forecast, foreseen.paces[lane])}")


def _range(foreseen: Foreseen) -> str:
    if foreseen.wish.range.lines is not None:
        return foreseen.wish.range.lines
    topics = dict.fromkeys(stretch.partition.topic for stretch in foreseen.stretches)
    return ", ".join(topics) + f" as at {_moment(foreseen.now)}"


def _passed_over(foreseen: Foreseen) -> str:
    return f", {foreseen.passed_over:,} of them not asked for" if foreseen.passed_over else ""


def _row(tally: Tally) -> tuple[str, str, str, str]:
    return tally.route, f"{tally.commands:,}", WORDS[tally.fate], WHY.get(tally.why, tally.why)


def _rejected(forecast: Forecast) -> Iterator[tuple[str, str, int]]:
    for (route, reason), count in sorted(forecast.rejected.items()):
        yield route, reason, count


def _sum(forecast: Forecast) -> str:
    fates: Counter[Fate] = Counter()
    for tally in forecast.tallies():
        fates[tally.fate] += tally.commands
    rest = [f"{fates[fate]:,} {WORDS[fate]}" for fate in Fate if fate is not Fate.TOLD and fates[fate]]
    ignored = sum(forecast.ignored.values())
    rest += [f"{ignored:,} records that no route wants"] if ignored else []
    head = f"{forecast.people:,} people would be told {forecast.told:,} messages"
    return head + (f"; {', '.join(rest)}" if rest else "")


def _quota(forecast: Forecast, pace: Pace) -> str:
    if not forecast.told:
        return ""
    found = forecast.estimate(pace)
    about = "" if found.looked_at >= forecast.told else f", by the texts of the first {found.looked_at:,}"
    if pace.quota is None:
        return f" {found.texts:,} texts{about}; the lane has no quota."
    span = f"{_span(found.seconds_coarse)} to " if found.requests_coarse < found.requests else ""
    return (
        f" {found.texts:,} texts, {found.requests:,} requests ({found.requests_coarse:,} in the coarsest wordings)"
        f"{about}: {span}{_span(found.seconds)} of the lane's whole quota; live news goes first."
    )


def _span(seconds: float) -> str:
    """To two places that matter: "3h20m", "40s"."""
    if seconds < 120:
        return spell_seconds(float(round(seconds)))
    return spell_seconds(float(round(seconds / 60) * 60))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


# --- how far it is ----------------------------------------------------------------------------------------------------


class Progress:
    """A line on standard error: rewritten where somebody sits in front of it, else a new one every ten seconds."""

    def __init__(self, stream: TextIO | None = None, *, silent: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._own = self._stream.isatty()
        self._silent = silent
        self._next = time.monotonic() + (0.0 if self._own else LINE_SECONDS)
        self._began = time.monotonic()
        self._width = 0

    def reading(self, read: int, records: int) -> None:
        """The first reading."""
        if not self._due():
            return
        rate = read / max(time.monotonic() - self._began, 0.001)
        of = f" of {records:,}" if records else ""
        left = f", {_span((records - read) / rate)} left" if records > read and rate else ""
        self._say(f"{read:,}{of} records looked at, {rate:,.0f} a second{left}")

    def publishing(self, foreseen: Foreseen, sent: Mapping[str, Sent]) -> None:
        """The second one, of all lanes. What is left counts by the quota, for that is what it waits for."""
        if self._due():
            self._say("; ".join(_progress(foreseen, each, time.monotonic() - self._began) for each in sent.values()))

    def over(self) -> None:
        """Leave the line."""
        if self._own and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
        self._began = time.monotonic()
        self._width = 0

    def _due(self) -> bool:
        return not self._silent and time.monotonic() >= self._next

    def _say(self, text: str) -> None:
        self._next = time.monotonic() + (REFRESH_SECONDS if self._own else LINE_SECONDS)
        if self._own:
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def _progress(foreseen: Foreseen, sent: Sent, seconds: float) -> str:
    forecast = foreseen.forecasts[sent.lane]
    estimate = forecast.estimate(foreseen.paces[sent.lane])
    left = max(forecast.told - sent.commands, 0) / max(forecast.told, 1)
    waits = f", the lane has {sent.behind:,} records before it: waiting" if sent.waits else ""
    quota = f", {_span(left * estimate.seconds)} left by the quota" if estimate.seconds and not sent.done else ""
    rate = sent.commands / max(seconds, 0.001)
    return f"{sent.lane}: {sent.commands:,} of {forecast.told:,} published, {rate:,.0f} a second{waits}{quota}"


def tell_sent(foreseen: Foreseen, sent: Mapping[str, Sent], troubles: Sequence[str]) -> None:
    """What came of it."""
    replay = foreseen.wish.asked.replay
    for each in sent.values():
        before = f" ({each.before:,} records by an earlier run)" if each.before else ""
        late = foreseen.forecasts[each.lane].late
        expired = f", {late:,} expired meanwhile" if late else ""
        told.say(f"{each.lane}: {each.commands:,} messages in {each.records:,} records published{before}{expired}.")
    for trouble in troubles:
        told.complain(f"not finished: {trouble}")
    if all(each.done for each in sent.values()):
        told.say(f"Replay {replay} is with its lanes; they tell it as their quotas let them.")
    else:
        told.complain(f"To go on: vestnik replay --resume {replay} --send")


def log_line(foreseen: Foreseen, recorded: Recorded, sent: Sent) -> str:
    """One lane's part of a replay as a line of a log, for whoever collects what commands write to standard error."""
    return json.dumps(
        {
            "event": "replay_published" if sent.done else "replay_unfinished",
            "level": "info",
            "timestamp": _moment(time.time()),
            "lane": sent.lane,
            "replay": foreseen.wish.asked.replay,
            "who": recorded.who,
            "reason": recorded.reason,
            "again": foreseen.wish.asked.again,
            "records": sent.records,
            "commands": sent.commands,
            "published_before": sent.before,
        },
        ensure_ascii=False,
    )
