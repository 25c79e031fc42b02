"""The page about the metrics, out of the table of families that the process itself is made from."""

from collections.abc import Iterator

from prometheus_client.metrics import MetricWrapperBase

from consumer.app.families import Expected, LaneNames
from consumer.app.metrics import Metrics

MADE = "<!-- made by `python -m scripts.observability`; a test keeps it fresh -->"
HEAD = f"""# Which metrics are there?

{MADE}

All begin with `vestnik_`; units are seconds and bytes; counters end in `_total`. Labels are closed lists or bounded,
and never a recipient or a text: a value beyond the first 32 unknown ones is `other`. What the configuration lets expect
is born at zero. `process_*` and `python_gc_*` are there too.

| metric | kind | labels | what it says |
|---|---|---|---|
"""
# Any lane will do: names, labels and words are the same for all.
_EXPECTED = Expected((LaneNames("lane", "imshop", "live", ("route",)),), ("topic",), "version", "digest")


def metrics_page() -> str:
    """The page's text."""
    return HEAD + "".join(_rows())


def _rows() -> Iterator[str]:
    for metric in sorted(_families(), key=lambda metric: metric._name):
        kind = str(metric._type)
        name = f"{metric._name}_total" if kind == "counter" else metric._name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        yield f"| `{name}` | {kind} | {labels} | {metric._documentation} |\n"


def _families() -> Iterator[MetricWrapperBase]:
    for collector in Metrics(_EXPECTED).registry._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            yield collector
