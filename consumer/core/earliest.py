"""The earliest of many moments, most of which come and go without ever being the earliest."""

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

# Entries of what is gone stay in the heap up to this many times what is there.
_STALE_FACTOR = 2
_STALE_ROOM = 64


class Earliest(Generic[Key]):
    """`at` tells a key's moment as it is now. A moment that becomes earlier must be noted; a later one is found out."""

    def __init__(self, at: Callable[[Key], float]) -> None:
        self._at = at
        self._numbers = count()
        self._known: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []

    def note(self, key: Key) -> None:
        at = self._at(key)
        known = self._known.get(key)
        if known is None or at < known:
            self._known[key] = at
            heappush(self._heap, (at, next(self._numbers), key))

    def remove(self, key: Key) -> None:
        """Let go of a key, if it was noted."""
        if self._known.pop(key, None) is not None and len(self._heap) > _STALE_FACTOR * len(self._known) + _STALE_ROOM:
            self._heap = [(at, next(self._numbers), key) for key, at in self._known.items()]
            heapify(self._heap)

    def first(self) -> float | None:
        heap, known = self._heap, self._known
        while heap:
            at, number, key = heap[0]
            if known.get(key) != at:
                heappop(heap)
                continue
            now = self._at(key)
            if now == at:
                return at
            known[key] = now
            heapreplace(heap, (now, number, key))
        return None
