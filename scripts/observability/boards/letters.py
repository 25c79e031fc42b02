"""The dashboard of what needs a person, and of what is read again."""

from scripts.observability.expressions import in_range, per_second
from scripts.observability.kit import LANES, Board, Chart, Query

LETTERS = Board(
    "vestnik-letters",
    "Vestnik / Replay and dead letters",
    "What needs a person, and what is read again on purpose?",
    (
        (
            "Dead letters",
            (
                Chart(
                    "By reason",
                    "Records and commands that need a person, over what is shown.",
                    (Query(in_range("vestnik_dead_letters_total", "lane, reason"), "{{lane}} {{reason}}"),),
                    kind="bars",
                ),
                Chart(
                    "Inflow",
                    "Dead letters a second.",
                    (Query(per_second("vestnik_dead_letters_total", "lane, reason"), "{{lane}} {{reason}}"),),
                    "cps",
                    "stacked",
                ),
                Chart(
                    "Rejected records",
                    "Records that could not become commands, by reason.",
                    (
                        Query(
                            per_second("vestnik_records_total", "lane, reason", f'{LANES},result="rejected"'),
                            "{{lane}} {{reason}}",
                        ),
                    ),
                    "cps",
                    may_be_empty=True,
                ),
                Chart(
                    "Ignored records",
                    "Records that no route wants, by reason.",
                    (
                        Query(
                            per_second("vestnik_records_total", "lane, reason", f'{LANES},result="ignored"'),
                            "{{lane}} {{reason}}",
                        ),
                    ),
                    "cps",
                ),
            ),
        ),
        (
            "Replay",
            (
                Chart(
                    "Read from the backfill topics",
                    "What replay, redrive and send handed to the lanes.",
                    (
                        Query(
                            per_second("vestnik_records_total", "lane, result", f'{LANES},topic=~"vestnik.backfill.*"'),
                            "{{lane}} {{result}}",
                        ),
                    ),
                    "cps",
                    may_be_empty=True,
                ),
                Chart(
                    "Ended without a push",
                    "Commands by reason: what had ended before is not here, for it is not planned again.",
                    (
                        Query(
                            per_second("vestnik_commands_ended_by_reason_total", "outcome, reason"),
                            "{{outcome}} {{reason}}",
                        ),
                    ),
                    "cps",
                    "stacked",
                ),
            ),
        ),
    ),
)
