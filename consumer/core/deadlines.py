"""When something waits too long: the deadlines of very many, of which hardly any is ever reached."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

# Deadlines of one minute lie together unsorted, until somebody wants the first of them.
_MINUTE = 60.0
# Entries of commands that are gone stay up to this many times what waits.
_STALE_FACTOR = 2
_STALE_ROOM = 1024


class Deadlines:
    """Ids by their deadlines, in broker seconds. `until` tells an id's deadline, None where it waits no more."""

    def __init__(self, until: Callable[[bytes], float | None]) -> None:
        self._until = until
        self._near: list[tuple[float, bytes]] = []
        # All before this are near.
        self._horizon = float("-inf")
        self._far: dict[float, list[bytes]] = {}
        self._minutes: list[float] = []
        self._count = 0

    def __len__(self) -> int:
        """Entries held, of those that are gone too."""
        return self._count

    def add(self, deadline: float, id_: bytes) -> None:
        self._count += 1
        if deadline < self._horizon:
            heappush(self._near, (deadline, id_))
            return
        minute = deadline // _MINUTE
        far = self._far.get(minute)
        if far is None:
            self._far[minute] = [id_]
            heappush(self._minutes, minute)
        else:
            far.append(id_)

    def first(self) -> float | None:
        """The earliest of what waits."""
        while self._near or self._minutes:
            while self._near:
                deadline, id_ = self._near[0]
                if self._until(id_) == deadline:
                    return deadline
                self._pop()
            if self._minutes:
                self._approach()
        return None

    def passed(self, now: float) -> bytes | None:
        """One whose deadline has come; it is told once. None when there is no other."""
        while True:
            while self._near and self._near[0][0] <= now:
                deadline, id_ = self._pop()
                if self._until(id_) == deadline:
                    return id_
            if self._near or not self._minutes or self._minutes[0] * _MINUTE > now:
                return None
            self._approach()

    def tidy(self, waiting: int) -> None:
        """So many wait: let go of the entries of the others when they are too many."""
        if self._count > _STALE_FACTOR * waiting + _STALE_ROOM:
            ids = {id_ for _, id_ in self._near}.union(*self._far.values())
            self.clear()
            for id_ in ids:
                deadline = self._until(id_)
                if deadline is not None:
                    self.add(deadline, id_)

    def clear(self) -> None:
        self._near.clear()
        self._far.clear()
        self._minutes.clear()
        self._horizon, self._count = float("-inf"), 0

    def _pop(self) -> tuple[float, bytes]:
        self._count -= 1
        return heappop(self._near)

    def _approach(self) -> None:
        """The next minute is near."""
        minute = heappop(self._minutes)
        ids = self._far.pop(minute)
        self._horizon = (minute + 1.0) * _MINUTE
        known = ((self._until(id_), id_) for id_ in ids)
        # Whose deadline is a later one by now stands there too: here it would hide what comes between.
        self._near = [(at, id_) for at, id_ in known if at is not None and at < self._horizon]
        heapify(self._near)
        self._count += len(self._near) - len(ids)
