"""For each alert: a history over which it fires, and one over which it does not. A value such as `0+1x60` counts up."""

from dataclasses import dataclass

LANE = 'job="vestnik",instance="a",lane="app-push"'
OTHER = 'job="vestnik",instance="b",lane="app-push"'
Series = dict[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """Minutes of history, a value each; the alert is asked for at minute `at`, and must fire `count` times or not."""

    alert: str
    fires: Series
    silent: Series
    at: int = 60
    count: int = 1


def _traffic(in_time: str, ended: str) -> Series:
    return {
        f"vestnik_pushes_in_time_total{{{LANE}}}": in_time,
        f'vestnik_commands_ended_total{{{LANE},outcome="delivered"}}': ended,
        # What was replaced was not late.
        f'vestnik_commands_ended_total{{{LANE},outcome="superseded"}}': "0+1000x6000",
    }


def _one(name: str, value: str, labels: str = LANE) -> Series:
    return {f"{name}{{{labels}}}": value}


def _stuck(records: str, **more: str) -> Series:
    return {
        **_one("vestnik_lag_records", "50x60"),
        **_one("vestnik_records_total", records),
        **_one("vestnik_requests_total", "7x60"),
        **{f"{name}{{{LANE}}}": value for name, value in more.items()},
    }


def _waiting(used: str, oldest: str) -> Series:
    return {
        **_one("vestnik_waiting_commands", "500x60"),
        **_one("vestnik_quota_requests", "10x60"),
        **_one("vestnik_quota_used_requests", used),
        **_one("vestnik_oldest_waiting_seconds", oldest),
    }


def _expired(priority: str) -> Series:
    return {
        f'vestnik_commands_ended_total{{{LANE},route="order-ready",outcome="expired"}}': "0x50 3x10",
        f'vestnik_route_info{{{LANE},route="order-ready",priority="{priority}"}}': "1x60",
    }


def _letters(inflow: str) -> Series:
    return {
        f'vestnik_dead_letters_total{{{LANE},reason="schema"}}': inflow,
        f'vestnik_records_total{{{LANE},result="planned"}}': "0+100x60",
    }


def _commits(done: str, failed: str) -> Series:
    return {
        f'vestnik_commits_total{{{LANE},result="done"}}': done,
        f'vestnik_commits_total{{{LANE},result="failed"}}': failed,
    }


def _lag_of_loop(late: str) -> Series:
    name, where = "vestnik_event_loop_lag_seconds_bucket", 'job="vestnik",instance="a"'
    return {f'{name}{{{where},le="0.25"}}': late, f'{name}{{{where},le="0.5"}}': "0+60x60",
            f'{name}{{{where},le="+Inf"}}': "0+60x60"}  # fmt: skip


def _configurations(second: str) -> Series:
    return {
        'vestnik_config_info{job="vestnik",instance="a",digest="aa"}': "1x60",
        f'vestnik_config_info{{job="vestnik",instance="b",digest="{second}"}}': "1x60",
    }


CASES = (
    # 20 % late for an hour burns 20 times too fast; 0.5 % is within the promise.
    Case("VestnikDeliveredLate", _traffic("0+80x210", "0+100x210"), _traffic("0+199x210", "0+200x210"), 210, 4),
    Case("VestnikDeliveredLate", _traffic("0+96x210", "0+100x210"), _traffic("0x210", "0x210"), 210, 2),
    Case(
        "VestnikLaneBlocked",
        _one("vestnik_lane_blocked", "0x50 1x10", f'{LANE},reason="bad_key"'),
        _one("vestnik_lane_blocked", "1x60", f'{LANE},reason="paused"'),
    ),
    Case(
        "VestnikLanePaused",
        _one("vestnik_lane_blocked", "1x300", f'{LANE},reason="paused"'),
        _one("vestnik_lane_blocked", "0x200 1x100", f'{LANE},reason="paused"'),
        at=300,
    ),
    Case(
        "VestnikNoOwner",
        {**_one("vestnik_lane_owner", "1x40 0x20"), **_one("vestnik_lane_owner", "0x60", OTHER)},
        {**_one("vestnik_lane_owner", "1x40 0x20"), **_one("vestnik_lane_owner", "0x42 1x18", OTHER)},
    ),
    Case(
        "VestnikStandbyLost",
        {
            **_one("vestnik_lane_state", "1x60", f'{LANE},state="working"'),
            **_one("vestnik_lane_state", "1x40 _x20", f'{OTHER},state="standby"'),
        },
        # Who never had a standby is not told every day that it has none.
        _one("vestnik_lane_state", "1x60", f'{LANE},state="working"'),
    ),
    Case(
        "VestnikTargetAbsent",
        _one("vestnik_build_info", "1x40 _x20", 'job="vestnik",instance="a"'),
        _one("vestnik_build_info", "1x60", 'job="vestnik",instance="a"'),
    ),
    Case("VestnikLagging", _one("vestnik_lag_seconds", "900x60"), _one("vestnik_lag_seconds", "0x30 900x5 0x25")),
    Case("VestnikNoProgress", _stuck("1000x60"), _stuck("1000x60", vestnik_breaker_open="1x60")),
    Case("VestnikNoProgress", _stuck("1000x60"), _stuck("1000+1x60")),
    Case("VestnikProviderFailing", _one("vestnik_breaker_open", "0x50 1x10"), _one("vestnik_breaker_open", "0x57 1x3")),
    Case(
        "VestnikLimitAnswers",
        _one("vestnik_requests_total", "0+1x60", f'{LANE},verdict="deferred",reason="QUERY_LIMIT_EXCEEDED"'),
        _one("vestnik_requests_total", "0+1x60", f'{LANE},verdict="deferred",reason="server_error"'),
    ),
    Case("VestnikQuotaIdle", _waiting("2x60", "900x60"), _waiting("10x60", "900x60")),
    Case("VestnikQuotaIdle", _waiting("2x60", "900x60"), _waiting("2x60", "5x60")),
    Case("VestnikUrgentExpired", _expired("urgent"), _expired("low")),
    Case("VestnikDeadLetters", _letters("0+3x60"), _letters("0x60")),
    # One in two hundred is not a flood, however many that are.
    Case("VestnikDeadLetters", _letters("0+3x60"), {**_letters("0+3x60"), **_one("vestnik_records_total", "0+600x60")}),
    Case("VestnikCommitFailing", _commits("50x60", "0+1x60"), _commits("0+60x60", "0+1x60")),
    Case(
        "VestnikJournalFailing",
        _one("vestnik_stream_troubled", "0x50 1x10", f'{LANE},stream="journal"'),
        _one("vestnik_stream_troubled", "1x60", f'{LANE},stream="source"'),
    ),
    Case(
        "VestnikOffsetsSkipped",
        _one("vestnik_offsets_skipped_total", "0x50 45x10", f'{LANE},topic="shop.orders"'),
        _one("vestnik_offsets_skipped_total", "45x60", f'{LANE},topic="shop.orders"'),
    ),
    Case(
        "VestnikRebalanceStorm",
        _one("vestnik_rebalances_total", "0+2x60"),
        _one("vestnik_rebalances_total", "0+1x3 3x57"),
    ),
    # A rolling restart of three replicas shares out six times; who is away meanwhile does not see each.
    Case(
        "VestnikRebalanceStorm",
        {**_one("vestnik_rebalances_total", "0x60"), **_one("vestnik_rebalances_total", "0+2x60", OTHER)},
        {
            f'vestnik_rebalances_total{{job="vestnik",instance="{each}",lane="app-push"}}': "0x51 1x1 2x1 3x1 4x1 5x5"
            for each in "abc"
        },
    ),
    Case(
        "VestnikLaneCrashed", _one("vestnik_lane_crashes_total", "0x55 1x5"), _one("vestnik_lane_crashes_total", "1x60")
    ),
    Case(
        "VestnikCountersDrift",
        _one("vestnik_conservation_drift_commands", "-2x60"),
        # Two gauges of one scrape may be a moment apart.
        _one("vestnik_conservation_drift_commands", "0x58 3x1 0x1"),
    ),
    Case("VestnikEventLoopSlow", _lag_of_loop("0+30x60"), _lag_of_loop("0+60x60")),
    Case("VestnikConfigurationDiffers", _configurations("bb"), _configurations("aa")),
    Case(
        "VestnikRoutesReloadRefused",
        _one("vestnik_routes_reload_refused", "0x40 1x20", 'job="vestnik",instance="a"'),
        # Who mends a slip of the pen within minutes has told himself.
        _one("vestnik_routes_reload_refused", "1x20 0x30 1x10", 'job="vestnik",instance="a"'),
    ),
)
