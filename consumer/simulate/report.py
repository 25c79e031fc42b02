"""Results as a table for people or as JSON for machines."""

from collections.abc import Iterable, Mapping
from math import isnan
from typing import Any

from rich.table import Table

from consumer.core.model import Outcome, Priority
from consumer.simulate.figures import Figures, Tally
from consumer.simulate.scenarios import Result

_HEADINGS = (
    "policy",
    "requests",
    "recipients\na request",
    "wait\np50 / p95 / p99",
    "expired",
    "in time, %\nurgent/normal/low",
    "coarser, %\nurgent/normal/low",
    "coarser",
    "s",
)


def as_table(results: Iterable[Result], title: str) -> Table:
    """A row for each result."""
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for result in results:
        table.add_row(*_row(result))
    return table


def _row(result: Result) -> tuple[str, ...]:
    figures = result.figures
    whole = figures.whole
    classes = [figures.classes[priority] for priority in Priority]
    return (
        result.run.label or result.run.policy,
        f"{figures.requests:,}",
        _number(figures.recipients_per_request, 1),
        " / ".join(duration(seconds) for seconds in whole.quantiles().values()),
        _percent(whole.expired_ratio, 2),
        "/".join(_percent(tally.in_time_ratio, 1, "") for tally in classes),
        "/".join(_percent(tally.coarser_ratio, 0, "") for tally in classes),
        _percent(whole.coarser_ratio, 1),
        f"{result.cpu_seconds:.0f}",
    )


def duration(seconds: float) -> str:
    """As people say it: 90 s, 12 min, 3.5 h."""
    if isnan(seconds):
        return "–"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _percent(ratio: float, digits: int, sign: str = " %") -> str:
    return "–" if isnan(ratio) else f"{100 * ratio:.{digits}f}{sign}"


def _number(value: float, digits: int) -> str:
    return "–" if isnan(value) else f"{value:.{digits}f}"


def as_data(result: Result) -> dict[str, Any]:
    """One result for a machine. Ratios are from 0 to 1, None where there is nothing to divide by; times in seconds."""
    figures = result.figures
    whole = figures.whole
    return {
        **_tally(whole),
        "in_time": {priority.value: _known(figures.classes[priority].in_time_ratio) for priority in Priority},
        "requests": figures.requests,
        "failed_requests": figures.failed,
        "recipients_per_request": _known(figures.recipients_per_request),
        "classes": {priority.value: _class(figures, priority) for priority in Priority},
        "cpu_seconds": result.cpu_seconds,
    }


def _class(figures: Figures, priority: Priority) -> dict[str, Any]:
    tally = figures.classes[priority]
    return {**_tally(tally), "in_time_ratio": _known(tally.in_time_ratio)}


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "published": tally.published,
        "delivered": tally.delivered,
        "expired": tally.expired,
        "superseded": tally.ended[Outcome.SUPERSEDED],
        "unknown": tally.ended[Outcome.UNKNOWN],
        "waiting": tally.waiting,
        "expired_ratio": _known(tally.expired_ratio),
        "coarser_ratio": _known(tally.coarser_ratio),
        "wait_seconds": {name: _known(seconds) for name, seconds in tally.quantiles().items()},
    }


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def as_document(results: Iterable[Result], told: Mapping[str, Any]) -> dict[str, Any]:
    """All results, by policy, and what was simulated."""
    return {"simulated": dict(told), "policies": {result.run.policy: as_data(result) for result in results}}
