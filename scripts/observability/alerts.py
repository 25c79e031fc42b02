"""Every alert: what it watches, how long it waits, and what it says to the person whom it wakes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts.observability.rules import late

RUNBOOKS = "docs/alerts"

# Of a hundred messages one may come late or not at all: quotas make people wait on the busiest days of the year.
OBJECTIVE = 0.99

# How much faster than sustainable the budget burns, over which two windows, and how loud that is.
# Source: Google, The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
BURNS = (
    (14.4, "1h", "5m", "2m", "critical"),
    (6.0, "6h", "30m", "15m", "critical"),
    (3.0, "1d", "2h", "1h", "warning"),
    (1.0, "3d", "6h", "3h", "warning"),
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `severity`: critical wakes somebody, warning waits for the morning."""

    name: str
    expr: str
    wait: str
    severity: str
    summary: str
    description: str
    extra: tuple[tuple[str, str], ...] = ()

    def rule(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            "labels": {"severity": self.severity, **dict(self.extra)},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook": f"{RUNBOOKS}/{self.name}.md",
            },
        }


def alert_rules() -> dict[str, Any]:
    """The group of alerts, as Prometheus reads it."""
    return {"name": "vestnik", "rules": [alert.rule() for alert in (*_burns(), *ALERTS)]}


def names() -> list[str]:
    """Each alert's name once; each has a page of its own."""
    return list(dict.fromkeys(alert.name for alert in (*_burns(), *ALERTS)))


def _burns() -> Iterator[Alert]:
    for factor, long, short, wait, severity in BURNS:
        budget = round(factor * (1 - OBJECTIVE), 4)
        yield Alert(
            "VestnikDeliveredLate",
            f"{late(long)} > {budget} and {late(short)} > {budget}",
            wait,
            severity,
            "{{ $value | humanizePercentage }} of lane {{ $labels.lane }} came late or not at all in the last "
            + long
            + ".",
            f"The promise is {OBJECTIVE:.0%} within deliver_within. At this pace the budget of 30 days is spent in "
            f"{_spent(factor)}.",
            (("long", long), ("short", short)),
        )


def _spent(factor: float) -> str:
    hours = 30 * 24 / factor
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


# A lane that cannot send for a reason of its own would set off everything else too.
_HELD = "max by (job, lane) (vestnik_lane_blocked) == 1 or max by (job, lane) (vestnik_breaker_open) == 1"
_REFRESH = "max by (job, lane) (vestnik_refresh_token_expires_timestamp_seconds)"

ALERTS = (
    Alert(
        "VestnikLaneBlocked",
        'max by (job, lane, reason) (vestnik_lane_blocked{reason!="paused"}) == 1',
        "2m",
        "critical",
        "Lane {{ $labels.lane }} is blocked: {{ $labels.reason }}.",
        "It sends nothing and holds its offsets. Nothing is lost, but news grows old and then expires.",
    ),
    Alert(
        "VestnikLanePaused",
        'max by (job, lane) (vestnik_lane_blocked{reason="paused"}) == 1',
        "4h",
        "warning",
        "Lane {{ $labels.lane }} has been paused for more than four hours.",
        "Somebody paused it with `vestnik lane pause`, and may have forgotten it.",
    ),
    Alert(
        "VestnikNoOwner",
        "max by (job, lane) (vestnik_lane_owner) == 0",
        "5m",
        "critical",
        "Nobody owns lane {{ $labels.lane }}.",
        "Processes are there, but none of them has the lane's partitions and a valid claim: nothing is sent.",
    ),
    Alert(
        "VestnikStandbyLost",
        "count by (job, lane) (vestnik_lane_state == 1) < 2 and "
        "max_over_time((count by (job, lane) (vestnik_lane_state == 1))[1d:5m]) >= 2",
        "10m",
        "warning",
        "Lane {{ $labels.lane }} has no standby any more.",
        "A second process was there within the last day. If the owner dies now, nobody takes over.",
    ),
    Alert(
        "VestnikTargetAbsent",
        "absent(vestnik_build_info)",
        "5m",
        "critical",
        "No process of Vestnik can be seen.",
        "Prometheus scrapes none: they are down, or the scraping is.",
    ),
    Alert(
        "VestnikLagging",
        "max by (job, lane) (vestnik_lag_seconds) > 600",
        "10m",
        "warning",
        "Lane {{ $labels.lane }} reads events that are {{ $value | humanizeDuration }} old.",
        "More comes in than is read: the outbox is full, a partition is stuck, or the brokers are slow.",
    ),
    Alert(
        "VestnikNoProgress",
        "max by (job, lane) (vestnik_lag_records) > 0 and "
        "sum by (job, lane) (increase(vestnik_records_total[10m])) == 0 and "
        "sum by (job, lane) (increase(vestnik_requests_total[10m])) == 0 "
        f"unless ({_HELD})",
        "10m",
        "critical",
        "Lane {{ $labels.lane }} neither reads nor sends, although {{ $value }} records wait.",
        "It is not blocked and its provider is not failing. Its own watchdog should have ended the process by now.",
    ),
    Alert(
        "VestnikProviderFailing",
        "max by (job, lane) (vestnik_breaker_open) == 1",
        "5m",
        "warning",
        "The provider of lane {{ $labels.lane }} fails; only probes go out.",
        "The breaker is open. The lane goes on by itself as soon as a probe succeeds.",
    ),
    Alert(
        "VestnikLimitAnswers",
        'sum by (job, lane) (increase(vestnik_requests_total{verdict="deferred",reason=~"(?i).*limit.*"}[15m])) > 5',
        "5m",
        "warning",
        "The provider of lane {{ $labels.lane }} said {{ $value | humanize }} times in 15 minutes that it is too much.",
        "Somebody else uses the same account or address, or the quota in the configuration is not the provider's.",
    ),
    Alert(
        "VestnikQuotaIdle",
        "max by (job, lane) (vestnik_waiting_commands) > 0 and max by (job, lane) (vestnik_quota_requests) > 0 and "
        "max by (job, lane) (vestnik_quota_used_requests) < 0.5 * max by (job, lane) (vestnik_quota_requests) and "
        "max by (job, lane) (vestnik_oldest_waiting_seconds) > 600 "
        f"unless ({_HELD})",
        "10m",
        "warning",
        "Lane {{ $labels.lane }} uses less than half of its quota while {{ $value | humanize }} commands wait.",
        "The oldest has waited for more than ten minutes. Requests are scarce, and some are being wasted.",
    ),
    Alert(
        "VestnikUrgentExpired",
        'sum by (job, lane, route) (increase(vestnik_commands_ended_total{outcome="expired"}[15m]) '
        '* on (job, instance, lane, route) group_left () vestnik_route_info{priority="urgent"}) > 0',
        "0m",
        "critical",
        "{{ $value | humanize }} urgent messages of route {{ $labels.route }} were never sent: they grew too old.",
        "People were not told what they should have been told at once.",
    ),
    Alert(
        "VestnikDeadLetters",
        "sum by (job, lane) (increase(vestnik_dead_letters_total[15m])) > 20 and "
        "sum by (job, lane) (increase(vestnik_dead_letters_total[15m])) > "
        "0.01 * sum by (job, lane) (increase(vestnik_records_total[15m]))",
        "5m",
        "warning",
        "{{ $value | humanize }} dead letters of lane {{ $labels.lane }} in 15 minutes.",
        "Records or commands that need a person: `vestnik dead stats` says which reasons.",
    ),
    Alert(
        "VestnikCommitFailing",
        'sum by (job, lane) (increase(vestnik_commits_total{result="failed"}[10m])) > 3 and '
        'sum by (job, lane) (increase(vestnik_commits_total{result="done"}[10m])) == 0',
        "5m",
        "warning",
        "Lane {{ $labels.lane }} cannot commit its offsets.",
        "Nothing is lost or told twice by that, for the journal remembers; but a restart reads much again.",
    ),
    Alert(
        "VestnikJournalFailing",
        'max by (job, lane) (vestnik_stream_troubled{stream="journal"}) == 1',
        "2m",
        "critical",
        "Lane {{ $labels.lane }} cannot use its journal.",
        "Without it nothing is sent: a request that is not on record might be sent twice.",
    ),
    Alert(
        "VestnikOffsetsSkipped",
        "sum by (job, lane, topic) (increase(vestnik_offsets_skipped_total[15m])) > 0",
        "0m",
        "warning",
        "{{ $value | humanize }} offsets of {{ $labels.topic }} were gone before lane {{ $labels.lane }} read them.",
        "Retention deleted what nobody had read, or the topic was made anew. Compaction explains a few.",
    ),
    Alert(
        "VestnikRebalanceStorm",
        # Every member sees each of them: the one that has seen the most, not their sum. A rolling restart of three
        # replicas is six.
        "max by (job, lane) (increase(vestnik_rebalances_total[10m])) > 10",
        "5m",
        "warning",
        "The group of lane {{ $labels.lane }} was shared out {{ $value | humanize }} times in 10 minutes.",
        "Members come and go: crashes, too short a session timeout, or loops that block.",
    ),
    Alert(
        "VestnikLaneCrashed",
        "sum by (job, lane) (increase(vestnik_lane_crashes_total[15m])) > 0",
        "0m",
        "warning",
        "Lane {{ $labels.lane }} crashed and was started again.",
        "That is a bug of Vestnik: the log has the event lane_crashed with the place in the code.",
    ),
    Alert(
        "VestnikCountersDrift",
        "max by (job, lane) (abs(vestnik_conservation_drift_commands)) > 0",
        "5m",
        "warning",
        "Of lane {{ $labels.lane }} {{ $value }} commands are neither waiting nor ended.",
        "Planned must equal ended, waiting, parked, in flight, joined and released together. This is a bug of Vestnik.",
    ),
    Alert(
        "VestnikEventLoopSlow",
        "histogram_quantile(0.99, sum by (job, instance, le) (rate(vestnik_event_loop_lag_seconds_bucket[5m]))) > 0.25",
        "10m",
        "warning",
        "The event loop of {{ $labels.instance }} comes {{ $value | humanizeDuration }} late.",
        "The process has too little CPU, or something in it blocks. From a few seconds on, the group throws it out.",
    ),
    Alert(
        "VestnikConfigurationDiffers",
        "count by (job) (count by (job, digest) (vestnik_config_info)) > 1",
        "15m",
        "warning",
        "The processes of {{ $labels.job }} run {{ $value }} different configurations.",
        "A rollout is not finished, or one process did not get it. After a failover people may read other texts.",
    ),
    Alert(
        "VestnikRoutesReloadRefused",
        "max by (job, instance) (vestnik_routes_reload_refused) > 0",
        "10m",
        "warning",
        "{{ $labels.instance }} has refused the routes of its files, and older ones go on working.",
        "A mistake in one file keeps all new texts from being sent, and with one no process starts again.",
    ),
    Alert(
        "VestnikRefreshTokenNearItsEnd",
        # The owner alone tells it; a standby's gauge may be old or 0.
        f"{_REFRESH} - time() < 14 * 86400 and {_REFRESH} > 0",
        "1h",
        "warning",
        "The refresh token of lane {{ $labels.lane }} ends in {{ $value | humanizeDuration }}.",
        "After that nobody can make a new access token, and the lane is blocked until a person authorises the "
        "application again.",
    ),
)
