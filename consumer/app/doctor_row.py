"""What the doctor says of one thing that it looked at, and what its whole visit means to a script."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from consumer.sinks.examination import Finding

State = Literal["ok", "warning", "failed", "unknown"]

OK, FAILED, UNKNOWN = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at: whose it is, what it is, how it stands, and what to do about it."""

    part: str
    what: str
    state: State
    detail: str = ""
    mend: str = ""


def exit_code(rows: Iterable[Row]) -> int:
    """1: something failed. 3: nothing did, but something could not be looked at that somebody could let us look at.
    0: else; warnings, and what nobody can look at, stop no script."""
    seen = list(rows)
    if any(row.state == "failed" for row in seen):
        return FAILED
    return UNKNOWN if any(row.state == "unknown" and row.mend for row in seen) else OK


def row_of(part: str, finding: Finding) -> Row:
    """What was found out about an account."""
    return Row(part, finding.what, "ok" if finding.state == "fine" else finding.state, finding.detail)
