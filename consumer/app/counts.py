"""Counters and histograms that cost little to raise: plain numbers, made into Prometheus' own words when it asks.

Prometheus' client guards each number with a lock and checks each call, which is a third of what an event's telling
costs. Here all facts are told by one thread, the event loop's, which also answers Prometheus.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString


class Count:
    """A number that only rises."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        self.value += amount


class Counts:
    """The counters of one name, by the values of their labels, as the registry collects them."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._children: dict[tuple[str, ...], Count] = {}

    def labels(self, *values: str) -> Count:
        return self._children.setdefault(values, Count())

    def clear(self) -> None:
        self._children.clear()

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self._children.items():
            family.add_metric(values, child.value)
        yield family


class Spread:
    """How many observations fell under each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._exemplars: dict[int, Exemplar] = {}
        self._sum = 0.0

    def observe(self, amount: float, exemplar: Mapping[str, str] | None = None) -> None:
        """Count one; `exemplar` names one that can be looked at, in place of the last one under the same bound."""
        place = bisect_left(self._bounds, amount)
        self._counts[place] += 1
        self._sum += amount
        if exemplar:
            self._exemplars[place] = Exemplar(dict(exemplar), amount, time.time())

    def observe_all(self, amounts: Iterable[float]) -> None:
        bounds, counts = self._bounds, self._counts
        for amount in amounts:
            counts[bisect_left(bounds, amount)] += 1
            self._sum += amount

    @property
    def sum(self) -> float:
        return self._sum

    def buckets(self) -> Iterator[tuple[str, float] | tuple[str, float, Exemplar]]:
        """Each bound as Prometheus writes it, and how many fell under it or under a lower one."""
        total = 0
        for place, bound in enumerate((*self._bounds, float("inf"))):
            total += self._counts[place]
            exemplar = self._exemplars.get(place)
            told = (floatToGoString(bound), float(total))  # type: ignore[no-untyped-call]
            yield told if exemplar is None else (*told, exemplar)


class Spreads:
    """The histograms of one name, by the values of their labels, as the registry collects them."""

    def __init__(self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._bounds = tuple(map(float, bounds))
        self._children: dict[tuple[str, ...], Spread] = {}

    def labels(self, *values: str) -> Spread:
        return self._children.setdefault(values, Spread(self._bounds))

    def clear(self) -> None:
        self._children.clear()

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self._children.items():
            family.add_metric(values, list(child.buckets()), child.sum)
        yield family
