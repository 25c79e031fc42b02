"""Counters and histograms say what those of Prometheus' client say."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from consumer.app.counts import Counts, Spreads

BOUNDS = (0.5, 1, 2.5, 10)
AMOUNTS = st.lists(st.one_of(st.sampled_from(BOUNDS), st.floats(-1, 20), st.just(float("inf"))), max_size=20)


def texts(registry: CollectorRegistry) -> tuple[bytes, bytes]:
    return generate_latest(registry), openmetrics(registry)  # type: ignore[no-untyped-call]


def theirs(amounts: Sequence[float]) -> tuple[bytes, bytes]:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    count = Counter("told_total", "Told.", ["lane"], registry=registry)
    spread = Histogram("age_seconds", "Age.", ["lane"], buckets=BOUNDS, registry=registry)
    for amount in amounts:
        count.labels('a"b').inc(abs(amount))
        spread.labels("c\\d").observe(amount)
    return texts(registry)


@given(AMOUNTS)
def test_the_same_facts_give_the_same_text_as_the_client_of_prometheus(amounts: list[float]) -> None:
    registry = CollectorRegistry()
    counts, spreads = Counts("told_total", "Told.", ["lane"]), Spreads("age_seconds", "Age.", ["lane"], BOUNDS)
    registry.register(counts)
    registry.register(spreads)
    for amount in amounts:
        counts.labels('a"b').inc(abs(amount))
    if amounts:
        spreads.labels("c\\d").observe(amounts[0])
        spreads.labels("c\\d").observe_all(amounts[1:])
    assert texts(registry) == theirs(amounts)


def test_the_last_example_under_a_bound_is_shown_and_what_is_forgotten_is_not() -> None:
    registry = CollectorRegistry()
    spreads = Spreads("age_seconds", "Age.", ["lane"], BOUNDS)
    registry.register(spreads)
    for trace in ("aa", "bb"):
        spreads.labels("a").observe(0.7, {"trace_id": trace})
    _, shown = texts(registry)
    assert b'{lane="a",le="1.0"} 2.0 # {trace_id="bb"} 0.7 ' in shown
    assert b"aa" not in shown
    spreads.clear()
    assert b"le=" not in texts(registry)[1]
