"""The page about the metrics, out of the table of families that the process itself is made from."""

from collections.abc import Iterator

from prometheus_client.metrics import MetricWrapperBase

from consumer.app.counts import Counts, Spreads
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
    for bare, kind, words, text in sorted(_families()):
        name = f"{bare}_total" if kind == "counter" else bare
        labels = ", ".join(f"`{label}`" for label in words)
        yield f"| `{name}` | {kind} | {labels} | {text} |\n"


def _families() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name, kind, labels and words of each, of Prometheus' client and of our own."""
    for each in Metrics(_EXPECTED).registry._collector_to_names:
        if isinstance(each, MetricWrapperBase):
            yield each._name, str(each._type), tuple(each._labelnames), each._documentation
        elif isinstance(each, Counts | Spreads):
            kind = "counter" if isinstance(each, Counts) else "histogram"
            yield each._name.removesuffix("_total"), kind, each._labels, each._text
