"""The report of a run for people."""

from collections.abc import Iterable

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from consumer.core.model import Quota
from consumer.demo.report import Findings, Report


def print_summary(console: Console, findings: Findings, quotas: dict[str, Quota], fast: float) -> None:
    """The figures, a table of the lanes, and what is wrong or that nothing is."""
    report = findings.report
    lines = [Text(f"{label:<18}{value}") for label, value in _figures(report)]
    verdict = [Text(f"FAULT: {fault}", style="bold red") for fault in findings.faults]
    if not verdict:
        verdict = [Text("Nothing lost, nothing twice, every quota kept, every poisoned record found.", style="green")]
    note = [Text(fast_note(fast), style="yellow")] if fast != 1 else []
    console.print(Group(Text(), *lines, _lanes(report, quotas), *note, *verdict))


def fast_note(fast: float) -> str:
    """Said wherever figures of a shrunken clock are shown."""
    return f"--fast {fast:g}: quotas and providers run on a clock {fast:g} times as fast."


def _figures(report: Report) -> Iterable[tuple[str, str]]:
    delays = report.delivery_seconds
    ends = ", ".join(f"{count} {name}" for name, count in report.outcomes.items()) or "none"
    yield "published", f"{report.published} records, {report.poisoned} of them poisoned on purpose"
    yield "planned", f"{report.planned} pushes to single recipients"
    yield "ended", ends
    yield "still waiting", f"{report.waiting}, at offsets that are not committed"
    yield "dead letters", str(report.dead_letters)
    yield "lost", str(report.lost)
    yield "duplicates", str(report.duplicates)
    yield "first push", _seconds(report.seconds_to_first_push)
    yield "delivery", f"p50 {_seconds(delays.p50)}, p95 {_seconds(delays.p95)}, p99 {_seconds(delays.p99)}"


def _lanes(report: Report, quotas: dict[str, Quota]) -> Table:
    table = Table("lane", "requests", "people told", "worst window", "allowed")
    for lane, quota in quotas.items():
        counts = (report.requests[lane], report.recipients[lane], report.worst_window[lane])
        allowed = f"{report.quota[lane]} in {quota.per_seconds:g} s"
        table.add_row(lane, *(str(count) for count in counts), allowed)
    return table


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f} s"
