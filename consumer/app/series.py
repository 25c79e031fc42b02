"""Metric families whose labels are bounded and whose children are kept: a label never grows with the traffic."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Gauge

from consumer.app.counts import Count, Counts, Spread, Spreads

PREFIX = "vestnik"
OTHER = "other"
OPEN_LIMIT = 32
# What comes to be known while the process works, such as new routes: so many more than at its start.
WIDENED_LIMIT = 1000


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Metric(Protocol[T_co]):
    def labels(self, *labelvalues: Any) -> T_co: ...
    def clear(self) -> None: ...


class _Alone:
    """A gauge without labels, which Prometheus' client keeps apart from those with labels."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self.clear = gauge.clear

    def labels(self) -> Gauge:
        return self._gauge


class Label:
    """One label. With `known` the set is closed; without, the first 32 different values are kept as they are."""

    def __init__(self, name: str, known: Sequence[str] | None = None) -> None:
        self.name = name
        self._values = set(known or ())
        self._room = OPEN_LIMIT if known is None else 0
        self._more = WIDENED_LIMIT

    def widen(self, values: Sequence[str]) -> None:
        """Know these too, as long as there are not too many."""
        for value in values:
            if value not in self._values and self._more > 0:
                self._more -= 1
                self._values.add(value)

    def bound(self, value: str) -> str:
        if value in self._values:
            return value
        if self._room == 0:
            return OTHER
        self._room -= 1
        self._values.add(value)
        return value


class Family(Generic[T]):
    """One metric with its labels; `at` gives the child, made once."""

    def __init__(self, metric: _Metric[T], labels: Sequence[Label]) -> None:
        self._metric = metric
        self._labels = labels
        self._children: dict[tuple[str, ...], T] = {}

    def at(self, *values: str) -> T:
        child = self._children.get(values)
        if child is None:
            bounded = tuple(label.bound(value) for label, value in zip(self._labels, values, strict=True))
            child = self._children.get(bounded)
            if child is None:
                child = self._children[bounded] = self._metric.labels(*bounded)
        return child

    def forget(self) -> None:
        """Have no children any more."""
        self._children.clear()
        self._metric.clear()

    def only(self, *values: str) -> T:
        """The child of these values, and no other any more: for what has one value at a time."""
        self.forget()
        child = self._children[values] = self._metric.labels(*values)
        return child

    def under(self, first: str) -> Iterator[tuple[tuple[str, ...], T]]:
        """The children whose first label is `first`."""
        return ((key, child) for key, child in self._children.items() if key[0] == first)


class Board:
    """Makes families on one registry, all with the one prefix."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: Label) -> Family[Count]:
        counts = Counts(f"{PREFIX}_{name}", text, [label.name for label in labels])
        self._registry.register(counts)
        return Family(counts, labels)

    def gauge(self, name: str, text: str, *labels: Label) -> Family[Gauge]:
        gauge = Gauge(f"{PREFIX}_{name}", text, [label.name for label in labels], registry=self._registry)
        return Family(gauge if labels else _Alone(gauge), labels)

    def histogram(self, name: str, text: str, buckets: Sequence[float], *labels: Label) -> Family[Spread]:
        spreads = Spreads(f"{PREFIX}_{name}", text, [label.name for label in labels], buckets)
        self._registry.register(spreads)
        family = Family(spreads, labels)
        if not labels:
            family.at()
        return family
