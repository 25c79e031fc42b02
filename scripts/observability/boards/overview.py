"""The first dashboard: are people told, and in time?"""

from scripts.observability.expressions import ROUTES, in_range, largest, per_second, quantile, share_in_time
from scripts.observability.kit import Board, Chart, Query

OVERVIEW = Board(
    "vestnik-overview",
    "Vestnik / Overview",
    "Are people told, and in time?",
    (
        (
            "Delivered in time",
            (
                Chart(
                    "In time",
                    "Share of messages that were accepted within their route's deliver_within, over what is shown.",
                    (Query(share_in_time("$__range")),),
                    "percentunit",
                    "number",
                    8,
                    6,
                ),
                Chart(
                    "Late or never, last hour",
                    "The share that was late or expired. The promise is 1 % over 30 days.",
                    (Query('lane:vestnik_late:ratio_rate1h{job=~"$job",lane=~"$lane"}'),),
                    "percentunit",
                    width=8,
                    height=6,
                    limits=(0.01, 0.06),
                ),
                Chart(
                    "Age when told",
                    "From the event to the provider's acceptance, half and 99 % of the people.",
                    (
                        Query(quantile(0.5, "vestnik_delivery_age_seconds"), "{{lane}} half"),
                        Query(quantile(0.99, "vestnik_delivery_age_seconds"), "{{lane}} 99 %"),
                    ),
                    "s",
                    width=8,
                    height=6,
                ),
            ),
        ),
        (
            "Right now",
            (
                Chart(
                    "Blocked",
                    "1 while a lane cannot work, by reason. Empty is good.",
                    (Query(f"{largest('vestnik_lane_blocked', 'lane, reason')} == 1", "{{lane}}: {{reason}}"),),
                    kind="steps",
                    width=8,
                    height=6,
                    may_be_empty=True,
                ),
                Chart(
                    "Seconds to clear",
                    "How long the quota needs for what waits.",
                    (Query(largest("vestnik_clear_seconds")),),
                    "s",
                    width=8,
                    height=6,
                ),
                Chart(
                    "Oldest waiting",
                    "Age of the oldest command that waits.",
                    (Query(largest("vestnik_oldest_waiting_seconds")),),
                    "s",
                    width=8,
                    height=6,
                ),
            ),
        ),
        (
            "What became of it",
            (
                Chart(
                    "People told",
                    "Commands that providers accepted.",
                    (Query(per_second("vestnik_pushes_total", "lane", ROUTES)),),
                    "cps",
                ),
                Chart(
                    "Outcomes",
                    "Commands by their one outcome, over what is shown.",
                    (Query(in_range("vestnik_commands_ended_total", "outcome", ROUTES), "{{outcome}}"),),
                    kind="bars",
                ),
                Chart(
                    "Told, by route",
                    "Which routes speak.",
                    (Query(per_second("vestnik_pushes_total", "route", ROUTES), "{{route}}"),),
                    "cps",
                    "stacked",
                ),
                Chart(
                    "Expired, by route",
                    "News that grew too old before a request was to be had.",
                    (
                        Query(
                            per_second("vestnik_commands_ended_total", "route", f'{ROUTES},outcome="expired"'),
                            "{{route}}",
                        ),
                    ),
                    "cps",
                    "stacked",
                ),
            ),
        ),
    ),
    routes=True,
)
