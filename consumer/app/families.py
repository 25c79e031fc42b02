"""All metric families: what they are called, what their labels may be, and which children are born at zero.

Labels are closed lists or bounded; no recipient and no text is ever one. What the configuration lets expect is born at
zero, so that a first failure is a rise and not a birth.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from consumer.app.build import CORES, core
from consumer.app.series import Board, Family, Label
from consumer.core.model import Outcome, Priority
from consumer.core.ports import TROUBLES
from schemas.dead_letter import DeadReason
from schemas.events import EVENT_TYPES

STATES = ("standby", "recovering", "working", "draining", "stopped")
HOLDS = ("quota", "ceiling", "breaker", "in_flight", "blocked", "no_data", "none")
VERDICTS = ("delivered", "deferred", "unsure", "refused", "blocked", "mixed")
RESULTS = ("planned", "ignored", "rejected")
IGNORED = ("unknown_type", "no_route", "unaddressable", "tombstone", "other_shop")
STREAMS = ("source", "journal", "dead_letters", "table")
WITHDRAWN = ("superseded_owner", "stopping", "paused", "ended", "expired", "quiet_hours")
STUCK = ("no_request", "no_landing", "no_commit", "no_recovery", "no_broker", "client_broken")
SUPPRESSED = ("listed", "frequency_cap", "no_consent", "quiet_hours", "not_listed", "shadow")
RELOADS = ("loaded", "unchanged", "refused")
PRIORITIES = tuple(priority.value for priority in Priority)
OUTCOMES = tuple(outcome.value for outcome in Outcome)
DEAD_REASONS = tuple(reason.value for reason in DeadReason)

AGE_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 65)
RECIPIENT_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20000)
WAIT_BUCKETS = (0.01, 0.1, 1, 2, 5, 10, 30, 60, 300)
LOOP_LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


GAUGES = {
    "waiting": ("waiting_commands", "Commands that wait."),
    "parked": ("parked_commands", "Commands that wait for a time of their own, e.g. the end of quiet hours."),
    "waiting_bytes": ("waiting_bytes", "Bytes of the commands that wait."),
    "groups": ("open_groups", "Groups of equal messages that wait."),
    "in_flight": ("in_flight_requests", "Requests on their way."),
    "in_doubt": ("in_doubt_commands", "Commands of attempts without a landing."),
    "joined": ("joined_commands", "Commands that joined a live one."),
    "oldest_waiting_seconds": ("oldest_waiting_seconds", "Age of the oldest command that waits."),
    "seconds_to_clear": ("clear_seconds", "How long the quota needs for what waits."),
    "quota_used": ("quota_used_requests", "Requests in the quota's window just now."),
    "quota_requests": ("quota_requests", "Requests that the quota allows."),
    "gap_seconds": ("gate_gap_seconds", "Gap between two requests."),
    "drift": ("conservation_drift_commands", "What does not add up between planned and ended. Must be 0."),
    "head_seconds": ("head_of_line_seconds", "How long the same record holds back a committed offset, at most."),
    "stuck_partitions": ("stuck_partitions", "Partitions that have records and give none."),
    "unreadable_rows": ("unreadable_rows", "Rows of suppressions and of orders to the lane that were passed over."),
    "lag_records": ("lag_records", "Records not yet read."),
    "lag_seconds": ("lag_seconds", "Age of the oldest record not yet read."),
}


@dataclass(frozen=True, slots=True)
class LaneNames:
    """What the configuration says of a lane, as labels. `levels`: how many wordings its longest ladder has;
    `priorities`: of its routes, in their order."""

    lane: str
    provider: str
    mode: str
    routes: tuple[str, ...]
    levels: int = 1
    priorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What the configuration lets expect, before anything has happened."""

    lanes: tuple[LaneNames, ...]
    topics: tuple[str, ...]
    version: str
    config_digest: str
    routes_version: str = ""


class Families:
    """The families of one process, as attributes."""

    def __init__(self, expected: Expected, registry: CollectorRegistry) -> None:
        self._expected = expected
        board = Board(registry)
        self._lane = Label("lane", [names.lane for names in expected.lanes])
        self._provider = Label("provider", [names.provider for names in expected.lanes])
        self._route = Label("route", [route for names in expected.lanes for route in names.routes])
        self._declare_records(board)
        self._declare_commands(board)
        self._declare_requests(board)
        self._declare_standing(board)
        self._declare_streams(board)
        self._declare_process(board)
        self._bear()

    def _declare_records(self, board: Board) -> None:
        lane, topic = self._lane, Label("topic", self._expected.topics)
        result = Label("result", RESULTS)
        self.records = board.counter(
            "records_total", "Records read, by what became of them.", lane, topic, result, Label("reason")
        )
        self.events = board.counter(
            "events_total", "Events read, by type.", lane, Label("event_type", tuple(EVENT_TYPES)), result
        )
        self.offsets_skipped = board.counter(
            "offsets_skipped_total", "Offsets that a partition no longer had, or never gave.", lane, topic
        )
        self.planned = board.counter("commands_planned_total", "Commands that records became, repeats included.", lane)

    def _declare_commands(self, board: Board) -> None:
        lane, route = self._lane, self._route
        outcome = Label("outcome", OUTCOMES)
        self.repeated = board.counter(
            "commands_repeated_total", "Commands known already.", lane, route, Label("state", ("joined", "ended"))
        )
        self.ended = board.counter("commands_ended_total", "Commands by outcome.", lane, route, outcome)
        self.ended_why = board.counter(
            "commands_ended_by_reason_total", "Commands by outcome and reason.", lane, outcome, Label("reason")
        )
        self.parked = board.counter(
            "commands_parked_total", "Commands written to the journal whole.", lane, Label("reason")
        )
        self.restored = board.counter("commands_restored_total", "Commands taken up from the journal.", lane)
        self.released = board.counter("commands_released_total", "Commands let go to another owner.", lane)
        self.pushed = board.counter("pushes_total", "Commands accepted by the provider.", lane, route)
        self.in_time = board.counter(
            "pushes_in_time_total", "Commands accepted within their route's deliver_within.", lane, route
        )
        self.wording = board.counter(
            "pushes_by_wording_total", "Commands accepted, by level of the detail ladder.", lane, Label("level")
        )
        self.age = board.histogram(
            "delivery_age_seconds", "From the event to the provider's acceptance.", AGE_BUCKETS, lane
        )

    def _declare_requests(self, board: Board) -> None:
        lane, provider, reason = self._lane, self._provider, Label("reason")
        self.requests = board.counter(
            "requests_total", "Requests by verdict.", lane, provider, Label("verdict", VERDICTS), reason
        )
        self.request_duration = board.histogram(
            "request_duration_seconds", "From the first byte to the verdict.", DURATION_BUCKETS, lane, provider
        )
        self.request_recipients = board.histogram(
            "request_recipients", "Recipients of one request.", RECIPIENT_BUCKETS, lane, provider
        )
        self.withdrawn = board.counter(
            "requests_withdrawn_total", "Attempts whose request the last look forbade.", lane, Label("why", WITHDRAWN)
        )
        self.gate_wait = board.histogram("gate_wait_seconds", "How long a grant was waited for.", WAIT_BUCKETS, lane)
        self.gate_wait_by = board.counter(
            "gate_wait_by_cause_seconds_total",
            "Seconds waited for grants, by what held them.",
            lane,
            Label("cause", HOLDS),
        )
        self.refreshes = board.counter(
            "token_refreshes_total", "Refreshes of a credential, by result.", lane, provider, Label("result")
        )
        self.token_obtained = board.gauge(
            "token_obtained_timestamp_seconds", "When the token pair was issued.", lane, provider
        )
        self.token_expires = board.gauge(
            "token_expires_timestamp_seconds", "When the access token ends.", lane, provider
        )
        self.refresh_token_expires = board.gauge(
            "refresh_token_expires_timestamp_seconds", "When a person must authorise anew.", lane, provider
        )
        self.long_texts = board.counter(
            "long_texts_total", "Messages longer than people will see.", lane, provider, Label("part")
        )
        self.narrowed = board.counter(
            "requests_narrowed_total", "How often requests began to carry less than they could.", lane, provider, reason
        )

    def _declare_standing(self, board: Board) -> None:
        lane = self._lane
        self.state = board.gauge("lane_state", "1 for the state the lane is in.", lane, Label("state", STATES))
        self.blocked = board.gauge(
            "lane_blocked", "1 while the lane cannot work for that reason.", lane, Label("reason")
        )
        self.blocked_total = board.counter(
            "lane_blocks_total", "How often the lane was blocked.", lane, Label("reason")
        )
        self.breaker = board.gauge("breaker_open", "1 while the provider fails and only probes go out.", lane)
        self.breaker_opened = board.counter(
            "breaker_openings_total",
            "How often the provider failed so that only probes went out.",
            lane,
            Label("reason"),
        )
        self.holds = board.gauge(
            "lane_held_by", "1 for what keeps the lane from being faster.", lane, Label("cause", HOLDS)
        )
        self.epoch = board.gauge("lane_epoch", "The epoch of the lane's last known claim.", lane)
        self.owner = board.gauge("lane_owner", "1 when this process owns the lane.", lane)
        self.claims = board.counter("lane_claims_total", "Claims seen.", lane, Label("by", ("us", "another")))
        self.stuck = board.counter(
            "lane_stuck_total",
            "How often the process ended because the lane could not go on.",
            lane,
            Label("reason", STUCK),
        )
        self.crashes = board.counter("lane_crashes_total", "Restarts of a lane after a bug.", lane)
        self.gauges: dict[str, Family[Gauge]] = {
            name: board.gauge(metric, text, lane) for name, (metric, text) in GAUGES.items()
        }

    def _declare_streams(self, board: Board) -> None:
        lane, stream = self._lane, Label("stream", STREAMS)
        reason = Label("reason", TROUBLES)
        self.troubled = board.gauge("stream_troubled", "1 while a stream gives nothing.", lane, stream)
        self.troubles = board.counter("stream_troubles_total", "Troubles of a stream, by reason.", lane, stream, reason)
        self.rebuilds = board.counter("stream_rebuilds_total", "Clients thrown away and made anew.", lane, stream)
        self.commits = board.counter("commits_total", "Offset commits.", lane, Label("result", ("done", "failed")))
        self.commit_duration = board.histogram("commit_duration_seconds", "Of one commit.", DURATION_BUCKETS, lane)
        self.partition_stuck = board.gauge(
            "partition_stuck",
            "1 while the partition has records and gives none.",
            lane,
            Label("topic", self._expected.topics),
            Label("partition"),
        )
        self.rebalances = board.counter("rebalances_total", "Assignments of partitions.", lane)
        self.partitions = board.gauge("assigned_partitions", "Partitions this process holds.", lane)
        self.read_back = board.gauge("journal_read_back_seconds", "How long the last read-back took.", lane)
        self.read_back_records = board.gauge("journal_read_back_records", "Records of the last read-back.", lane)
        self.doubts = board.gauge("journal_read_back_in_doubt", "Commands in doubt at the last read-back.", lane)
        self.read_back_unreadable = board.gauge(
            "journal_read_back_unreadable", "Records of the last read-back that say nothing to this version.", lane
        )
        self.dead = board.counter(
            "dead_letters_total", "Records and commands that need a person.", lane, Label("reason", DEAD_REASONS)
        )

    def _declare_process(self, board: Board) -> None:
        expected = self._expected
        self.loop_lag = board.histogram("event_loop_lag_seconds", "How late the loop turned.", LOOP_LAG_BUCKETS)
        build = board.gauge(
            "build_info", "Always 1; how the core runs.", Label("version"), Label("python"), Label("core", CORES)
        )
        build.at(expected.version, platform.python_version(), core()).set(1)
        self.config_info = board.gauge(
            "config_info", "Always 1; the digest differs where the configuration does.", Label("digest")
        )
        self.routes_info = board.gauge(
            "routes_info", "Always 1; the version differs where the routes do.", Label("version")
        )
        self.reloads = board.counter(
            "routes_reload_total", "How often routes were read anew, by what came of it.", Label("outcome", RELOADS)
        )
        self.reload_refused = board.gauge(
            "routes_reload_refused", "1 while the files hold routes that were refused, and older ones are deployed."
        )
        self.reload_refused.at().set(0)
        for outcome in RELOADS:
            self.reloads.at(outcome)
        lane_info = board.gauge("lane_info", "Always 1.", self._lane, self._provider, Label("mode"))
        for names in expected.lanes:
            lane_info.at(names.lane, names.provider, names.mode).set(1)
        self.route_info = board.gauge("route_info", "Always 1.", self._lane, self._route, Label("priority", PRIORITIES))
        self._deploy()

    def redeploy(self, expected: Expected) -> None:
        """Other routes are deployed: new ones are born, and of those that went only the counts stay."""
        self._expected = expected
        self._route.widen([route for names in expected.lanes for route in names.routes])
        self.route_info.forget()
        self._deploy()
        self._bear()

    def _deploy(self) -> None:
        expected = self._expected
        self.config_info.only(expected.config_digest).set(1)
        self.routes_info.only(expected.routes_version).set(1)
        for names in expected.lanes:
            for route, priority in zip(names.routes, names.priorities, strict=False):
                self.route_info.at(names.lane, route, priority).set(1)

    # --- born at zero -------------------------------------------------------------------------------------------------

    def _bear(self) -> None:
        for names in self._expected.lanes:
            for family, labels in self._born(names):
                for combination in product((names.lane,), *labels):
                    family.at(*combination)

    def _born(self, names: LaneNames) -> list[tuple[Family[Any], Sequence[Sequence[str]]]]:
        """The families of a lane with the label values that are known before anything happens."""
        provider, routes, topics = (names.provider,), names.routes, self._expected.topics
        levels = [str(level) for level in range(names.levels)]
        alone: list[Family[Any]] = [
            *(self.planned, self.restored, self.released, self.age, self.gate_wait, self.epoch, self.owner),
            *(self.breaker, self.crashes, self.commit_duration, self.rebalances, self.partitions, self.read_back),
            *(self.read_back_records, self.read_back_unreadable, self.doubts, *self.gauges.values()),
        ]
        return [
            *((family, ()) for family in alone),
            (self.records, (topics, ("planned",), ("",))),
            (self.records, (topics, ("ignored",), IGNORED)),
            (self.events, (tuple(EVENT_TYPES), ("planned",))),
            (self.offsets_skipped, (topics,)),
            (self.repeated, (routes, ("joined", "ended"))),
            (self.ended, (routes, OUTCOMES)),
            (self.ended_why, (("suppressed",), SUPPRESSED)),
            (self.ended_why, (("expired",), ("ttl", "quiet_hours"))),
            (self.parked, (("quiet_hours",),)),
            (self.pushed, (routes,)),
            (self.in_time, (routes,)),
            (self.wording, (levels,)),
            (self.requests, (provider, VERDICTS[:-1], ("",))),
            (self.request_duration, (provider,)),
            (self.request_recipients, (provider,)),
            (self.withdrawn, (WITHDRAWN,)),
            (self.gate_wait_by, (HOLDS,)),
            (self.state, (STATES,)),
            (self.holds, (HOLDS,)),
            (self.claims, (("us", "another"),)),
            (self.troubled, (STREAMS,)),
            (self.rebuilds, (STREAMS,)),
            (self.commits, (("done", "failed"),)),
            (self.dead, (DEAD_REASONS,)),
            (self.stuck, (STUCK,)),
        ]
