"""When something waits too long: the deadlines of very many, of which hardly any is ever reached."""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import chain

# Deadlines of one minute lie together unsorted, until somebody wants the first of them; then those of one second. A day
# has few minutes, and a second few deadlines: a list each takes less than an entry each.
_MINUTE = 60.0
_SECOND = 1.0
# Entries of commands that are gone stay up to this many times what waits.
_STALE_FACTOR = 2
_STALE_ROOM = 1024


class Deadlines:
    """Ids by their deadlines, in broker seconds. `until` tells an id's deadline, None where it waits no more."""

    def __init__(self, until: Callable[[bytes], float | None]) -> None:
        self._until = until
        # By the minute, by the second, and by the very deadline, which very many may have in common.
        self._far, self._soon, self._near = _Spans(_MINUTE), _Spans(_SECOND), _Spans(0.0)
        # All before the one are soon, and all before the other are near.
        self._soon_until = self._near_until = float("-inf")
        self._count = 0

    def __len__(self) -> int:
        """Entries held, of those that are gone too."""
        return self._count

    def add(self, deadline: float, id_: bytes) -> None:
        self._count += 1
        if deadline >= self._soon_until:
            self._far.add(deadline, id_)
        elif deadline >= self._near_until:
            self._soon.add(deadline, id_)
        else:
            self._near.add(deadline, id_)

    def first(self) -> float | None:
        """The earliest of what waits."""
        while (nearest := self._nearest()) is not None:
            deadline, ids = nearest
            while ids:
                if self._until(ids[-1]) == deadline:
                    return deadline
                self._count -= 1
                ids.pop()
        return None

    def passed(self, now: float) -> bytes | None:
        """One whose deadline has come; it is told once. None when there is no other."""
        while (begins := self._near.begins or self._soon.begins or self._far.begins) and begins[0] <= now:
            nearest = self._nearest()
            if nearest is None or nearest[0] > now:
                return None
            deadline, ids = nearest
            while ids:
                self._count -= 1
                id_ = ids.pop()
                if self._until(id_) == deadline:
                    return id_
        return None

    def tidy(self, waiting: int) -> None:
        """So many wait: let go of the entries of the others when they are too many."""
        if self._count > _STALE_FACTOR * waiting + _STALE_ROOM:
            lists = [ids for spans in (self._far, self._soon, self._near) for ids in spans.lists.values()]
            self.clear()
            for id_ in set(chain.from_iterable(lists)):
                deadline = self._until(id_)
                if deadline is not None:
                    self.add(deadline, id_)

    def clear(self) -> None:
        for spans in (self._far, self._soon, self._near):
            spans.clear()
        self._soon_until = self._near_until = float("-inf")
        self._count = 0

    def _nearest(self) -> tuple[float, list[bytes]] | None:
        """The first deadline of all, and who may have it."""
        while True:
            while self._near:
                deadline, ids = self._near.first
                if ids:
                    return deadline, ids
                self._near.pop()
            if self._soon:
                second, ids = self._soon.pop()
                self._near_until = second + _SECOND
                self._move(ids, self._near, self._near_until)
            elif self._far:
                minute, ids = self._far.pop()
                self._near_until, self._soon_until = float("-inf"), minute + _MINUTE
                self._move(ids, self._soon, self._soon_until)
            else:
                return None

    def _move(self, ids: Sequence[bytes], spans: "_Spans", until: float) -> None:
        """Those that wait."""
        for id_ in ids:
            deadline = self._until(id_)
            # Whose deadline is a later one by now stands there too: here it would hide what comes between.
            if deadline is not None and deadline < until:
                spans.add(deadline, id_)
            else:
                self._count -= 1


class _Spans:
    """Ids by the span of so many seconds in which their deadlines lie; of none, by the very deadline."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.lists: dict[float, list[bytes]] = {}
        # In broker seconds, as a heap.
        self.begins: list[float] = []

    def __bool__(self) -> bool:
        return bool(self.begins)

    @property
    def first(self) -> tuple[float, list[bytes]]:
        """The first span, by its begin, and who is in it."""
        return self.begins[0], self.lists[self.begins[0]]

    def add(self, deadline: float, id_: bytes) -> None:
        begin = deadline // self._seconds * self._seconds if self._seconds else deadline
        ids = self.lists.get(begin)
        if ids is None:
            self.lists[begin] = [id_]
            heappush(self.begins, begin)
        else:
            ids.append(id_)

    def pop(self) -> tuple[float, list[bytes]]:
        begin = heappop(self.begins)
        return begin, self.lists.pop(begin)

    def clear(self) -> None:
        self.lists.clear()
        self.begins.clear()
