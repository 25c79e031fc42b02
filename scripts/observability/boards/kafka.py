"""The dashboard of what is read, and of offsets and journals."""

from scripts.observability.expressions import in_range, largest, per_second
from scripts.observability.kit import Board, Chart, Query

KAFKA = Board(
    "vestnik-kafka",
    "Vestnik / Kafka",
    "Is what the shop says read, and are offsets and journal kept?",
    (
        (
            "Reading",
            (
                Chart(
                    "Lag in seconds",
                    "Age of the oldest record not yet read.",
                    (Query(largest("vestnik_lag_seconds")),),
                    "s",
                ),
                Chart("Lag in records", "Records not yet read.", (Query(largest("vestnik_lag_records")),)),
                Chart(
                    "Records",
                    "By topic, and what became of them.",
                    (Query(per_second("vestnik_records_total", "topic, result"), "{{topic}} {{result}}"),),
                    "cps",
                    "stacked",
                ),
                Chart(
                    "Events by type",
                    "What the shop publishes.",
                    (Query(per_second("vestnik_events_total", "event_type"), "{{event_type}}"),),
                    "cps",
                    "stacked",
                ),
                Chart(
                    "Offsets skipped",
                    "Gone before they could be read, or never there.",
                    (Query(in_range("vestnik_offsets_skipped_total", "lane, topic"), "{{lane}} {{topic}}"),),
                    kind="bars",
                ),
                Chart(
                    "Known already",
                    "Commands of repeated events: joined a live one, or ended before.",
                    (Query(per_second("vestnik_commands_repeated_total", "lane, state"), "{{lane}} {{state}}"),),
                    "cps",
                ),
            ),
        ),
        (
            "Group and offsets",
            (
                Chart(
                    "Rebalances",
                    "Assignments of partitions, over what is shown.",
                    (Query(in_range("vestnik_rebalances_total", "lane")),),
                    kind="bars",
                ),
                Chart(
                    "Partitions held",
                    "By process: the owner has all of a lane.",
                    (Query(largest("vestnik_assigned_partitions", "lane, instance"), "{{lane}} {{instance}}"),),
                    kind="steps",
                ),
                Chart(
                    "Commits",
                    "Done and failed.",
                    (Query(per_second("vestnik_commits_total", "lane, result"), "{{lane}} {{result}}"),),
                    "cps",
                ),
                Chart(
                    "Claims",
                    "Each takeover of a lane is one.",
                    (Query(in_range("vestnik_lane_claims_total", "lane, by"), "{{lane}} by {{by}}"),),
                    kind="bars",
                ),
            ),
        ),
        (
            "Journal",
            (
                Chart(
                    "Read-back",
                    "How long the last one took.",
                    (Query(largest("vestnik_journal_read_back_seconds", "lane, instance"), "{{lane}} {{instance}}"),),
                    "s",
                ),
                Chart(
                    "Troubles of streams",
                    "Source, journal, dead letters, tables; by reason.",
                    (
                        Query(
                            per_second("vestnik_stream_troubles_total", "lane, stream, reason"),
                            "{{lane}} {{stream}}: {{reason}}",
                        ),
                    ),
                    "cps",
                    may_be_empty=True,
                ),
                Chart(
                    "Streams in trouble",
                    "1 while a stream gives nothing.",
                    (Query(largest("vestnik_stream_troubled", "lane, stream"), "{{lane}} {{stream}}"),),
                    kind="steps",
                ),
                Chart(
                    "Clients made anew",
                    "After an error that a client does not survive.",
                    (Query(in_range("vestnik_stream_rebuilds_total", "lane, stream"), "{{lane}} {{stream}}"),),
                    kind="bars",
                ),
            ),
        ),
    ),
)
