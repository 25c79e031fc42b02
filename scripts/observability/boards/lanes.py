"""The dashboard of the lanes: what each does with its quota."""

from scripts.observability.expressions import in_range, largest, per_second, quantile
from scripts.observability.kit import LANES, Board, Chart, Query

LANES_BOARD = Board(
    "vestnik-lanes",
    "Vestnik / Lanes",
    "What does each lane do with its quota, and what holds it?",
    (
        (
            "State",
            (
                Chart(
                    "Owner and standby",
                    "How many processes have the lane, by state. One works, the others stand by.",
                    (Query(f"sum by (lane, state) (vestnik_lane_state{{{LANES}}}) > 0", "{{lane}} {{state}}"),),
                    kind="steps",
                ),
                Chart(
                    "What holds it",
                    "Why a lane is not faster: the quota, a breaker, slow answers, a block, or nothing to do.",
                    (Query(f"{largest('vestnik_lane_held_by', 'lane, cause')} == 1", "{{lane}} {{cause}}"),),
                    kind="steps",
                ),
            ),
        ),
        (
            "Quota",
            (
                Chart(
                    "Quota used",
                    "Requests in the quota's window just now, and how many it allows.",
                    (
                        Query(largest("vestnik_quota_used_requests"), "{{lane}} used"),
                        Query(largest("vestnik_quota_requests"), "{{lane}} allowed"),
                    ),
                ),
                Chart(
                    "Recipients per request",
                    "The larger, the better the scarce requests are used: half of the requests, and the mean.",
                    (
                        Query(quantile(0.5, "vestnik_request_recipients"), "{{lane}} half"),
                        Query(
                            f"{per_second('vestnik_request_recipients_sum', 'lane')} / "
                            f"{per_second('vestnik_request_recipients_count', 'lane')}",
                            "{{lane}} mean",
                        ),
                    ),
                ),
                Chart(
                    "Waiting for a grant",
                    "Seconds a second, by what was waited for.",
                    (
                        Query(
                            per_second("vestnik_gate_wait_by_cause_seconds_total", "lane, cause"), "{{lane}} {{cause}}"
                        ),
                    ),
                    "s",
                    "stacked",
                ),
                Chart(
                    "Gap between requests",
                    "Limit answers widen it, quiet times narrow it.",
                    (Query(largest("vestnik_gate_gap_seconds")),),
                    "s",
                ),
            ),
        ),
        (
            "Outbox",
            (
                Chart("Waiting", "Commands that wait.", (Query(largest("vestnik_waiting_commands")),)),
                Chart(
                    "Open groups",
                    "Groups of equal messages. Each needs a request of its own.",
                    (Query(largest("vestnik_open_groups")),),
                ),
                Chart(
                    "Bytes",
                    "Of the commands that wait.",
                    (Query(largest("vestnik_waiting_bytes")),),
                    "bytes",
                ),
                Chart(
                    "Parked",
                    "Commands that wait for a time of their own, e.g. the end of quiet hours.",
                    (Query(largest("vestnik_parked_commands")),),
                ),
                Chart(
                    "Wordings",
                    "People told, by level of the detail ladder: 0 is the most personal.",
                    (Query(per_second("vestnik_pushes_by_wording_total", "level"), "level {{level}}"),),
                    "cps",
                    "stacked",
                ),
                Chart(
                    "In flight and in doubt",
                    "Requests on their way, and commands of attempts without a landing.",
                    (
                        Query(largest("vestnik_in_flight_requests"), "{{lane}} requests in flight"),
                        Query(largest("vestnik_in_doubt_commands"), "{{lane}} commands in doubt"),
                    ),
                ),
            ),
        ),
        (
            "Provider",
            (
                Chart(
                    "Requests by verdict",
                    "Delivered, deferred, unsure, refused or blocked, and why.",
                    (
                        Query(
                            per_second("vestnik_requests_total", "lane, verdict, reason"),
                            "{{lane}} {{verdict}} {{reason}}",
                        ),
                    ),
                    "reqps",
                    "stacked",
                ),
                Chart(
                    "Duration of requests",
                    "Half and 99 % of the requests.",
                    (
                        Query(quantile(0.5, "vestnik_request_duration_seconds"), "{{lane}} half"),
                        Query(quantile(0.99, "vestnik_request_duration_seconds"), "{{lane}} 99 %"),
                    ),
                    "s",
                ),
                Chart(
                    "Breaker",
                    "1 while the provider fails and only probes go out.",
                    (Query(largest("vestnik_breaker_open")),),
                    kind="steps",
                ),
                Chart(
                    "Withdrawn attempts",
                    "The last look before the wire forbade them: another owner, ended meanwhile, expired.",
                    (Query(per_second("vestnik_requests_withdrawn_total", "lane, why"), "{{lane}} {{why}}"),),
                    "reqps",
                ),
                Chart(
                    "Refresh token",
                    "Seconds until a person must authorise the application again.",
                    (Query(f"{largest('vestnik_refresh_token_expires_timestamp_seconds')} - time()"),),
                    "s",
                    may_be_empty=True,
                ),
                Chart(
                    "Token refreshes",
                    "By result.",
                    (Query(in_range("vestnik_token_refreshes_total", "lane, result"), "{{lane}} {{result}}"),),
                    kind="bars",
                    may_be_empty=True,
                ),
            ),
        ),
    ),
)
