"""The dashboard of the processes."""

from scripts.observability.expressions import in_range, largest, per_second, quantile
from scripts.observability.kit import PROCESSES, Board, Chart, Query

RUNTIME = Board(
    "vestnik-runtime",
    "Vestnik / Runtime",
    "Does each process have what it needs?",
    (
        (
            "Processes",
            (
                Chart(
                    "Versions",
                    "Which version runs where, and whether its core is machine code or plain Python.",
                    (
                        Query(
                            f"count by (version, python, core) (vestnik_build_info{{{PROCESSES}}})",
                            "{{version}}, Python {{python}}, {{core}} core",
                        ),
                    ),
                    kind="steps",
                ),
                Chart(
                    "Configurations",
                    "More than one digest: replicas differ.",
                    (Query(f"count by (digest) (vestnik_config_info{{{PROCESSES}}})", "{{digest}}"),),
                    kind="steps",
                ),
                Chart(
                    "CPU",
                    "Cores in use.",
                    (Query(per_second("process_cpu_seconds_total", "instance", PROCESSES), "{{instance}}"),),
                ),
                Chart(
                    "Memory",
                    "Resident.",
                    (Query(largest("process_resident_memory_bytes", "instance", PROCESSES), "{{instance}}"),),
                    "bytes",
                ),
                Chart(
                    "Event loop",
                    "How late it turns: half and 99 % of the looks.",
                    (
                        Query(
                            quantile(0.5, "vestnik_event_loop_lag_seconds", "instance", PROCESSES), "{{instance}} half"
                        ),
                        Query(
                            quantile(0.99, "vestnik_event_loop_lag_seconds", "instance", PROCESSES), "{{instance}} 99 %"
                        ),
                    ),
                    "s",
                    limits=(0.1, 0.25),
                ),
                Chart(
                    "Open files",
                    "File descriptors in use.",
                    (Query(largest("process_open_fds", "instance", PROCESSES), "{{instance}}"),),
                ),
                Chart(
                    "Garbage collection",
                    "Collections a second, by generation.",
                    (
                        Query(
                            per_second("python_gc_collections_total", "instance, generation", PROCESSES),
                            "{{instance}} {{generation}}",
                        ),
                    ),
                    "cps",
                ),
                Chart(
                    "Crashes and drift",
                    "Lanes that were started again after a bug, and commands that do not add up. Both must be 0.",
                    (
                        Query(in_range("vestnik_lane_crashes_total", "lane"), "{{lane}} crashes"),
                        Query(largest("vestnik_conservation_drift_commands"), "{{lane}} drift"),
                    ),
                ),
            ),
        ),
    ),
)
