"""One word about the whole process, and why: what a person wants to read first when woken."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from consumer.app.page.words import Say, spelt

# So much later than promised is more than the last word of a policy that decides late.
BEHIND_SECONDS = 60.0

Level = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`word` in large letters, `why` below it."""

    level: Level
    word: str
    why: str


def verdict(report: Mapping[str, Any], say: Say, language: str) -> Verdict:
    """The worst that holds."""
    if report["draining"]:
        return Verdict("warning", say("stopping"), say("why_stopping"))
    found = [each for name, lane in report["lanes"].items() for each in _of_lane(name, lane, say, language)]
    worst = min(found, key=lambda each: ("bad", "warning").index(each.level), default=None)
    if worst is not None:
        return worst
    if not report["ready"]:
        return Verdict("warning", say("starting"), say("why_starting"))
    owns = any(lane["owner"] for lane in report["lanes"].values())
    key = "working" if owns or not report["lanes"] else "standby"
    return Verdict("good", say(key), say(f"why_{key}"))


def _of_lane(name: str, lane: Mapping[str, Any], say: Say, language: str) -> Iterator[Verdict]:
    for block in lane["blocked"]:
        why = f"{name}: {block['reason']} {block['detail']}".strip()
        if block["reason"] == "paused":
            yield Verdict("warning", say("paused"), why)
        else:
            yield Verdict("bad", say("blocked"), why)
    if lane["breaker"]:
        yield Verdict("warning", say("failing"), say("why_failing", lane=name, reason=lane["breaker"]["reason"]))
    late = -min((group["slack_seconds"] for group in lane["open_groups"]), default=0.0)
    if late > BEHIND_SECONDS:
        yield Verdict("warning", say("behind"), say("why_behind", lane=name, span=spelt(late, language)))
