"""The order within threads: who waits, and who is in flight or in doubt."""

from collections import Counter
from collections.abc import Collection

_NEVER = float("-inf")


class _Thread:
    __slots__ = ("flying", "ids", "rank")

    def __init__(self) -> None:
        # All that wait have one rank: a newer one replaces the older, an older one does not come in.
        self.rank = 0
        self.ids: tuple[bytes, ...] = ()
        self.flying: Counter[int] | None = None


class Threads:
    """Threads of which something waits or flies; the others take no room."""

    def __init__(self) -> None:
        self._threads: dict[int, _Thread] = {}

    def newest(self, thread: int, attempted: int | None) -> float:
        """The highest rank that waits, flies or was ever attempted."""
        known = self._threads.get(thread)
        ranks = [] if attempted is None else [attempted]
        if known is not None:
            ranks.extend(known.flying or ())
            if known.ids:
                ranks.append(known.rank)
        return max(ranks, default=_NEVER)

    def waiting(self, thread: int) -> Collection[bytes]:
        """The ids of those that wait, all of one rank."""
        known = self._threads.get(thread)
        return known.ids if known is not None else ()

    def older(self, thread: int, rank: int) -> Collection[bytes]:
        """The ids of those that wait with a lower rank."""
        known = self._threads.get(thread)
        return known.ids if known is not None and known.rank < rank else ()

    def newer(self, thread: int, rank: int) -> bool:
        """Whether one with a higher rank waits."""
        known = self._threads.get(thread)
        return known is not None and bool(known.ids) and known.rank > rank

    def holds(self, thread: int, rank: int) -> bool:
        """Whether something older is in flight or in doubt."""
        known = self._threads.get(thread)
        return known is not None and known.flying is not None and min(known.flying) < rank

    def wait(self, thread: int, rank: int, id_: bytes) -> None:
        known = self._threads.get(thread)
        if known is None:
            known = self._threads[thread] = _Thread()
        known.rank = rank
        known.ids = (*known.ids, id_)

    def leave(self, thread: int, id_: bytes) -> None:
        known = self._threads[thread]
        known.ids = tuple(other for other in known.ids if other != id_)
        self._tidy(thread, known)

    def fly(self, thread: int, rank: int) -> None:
        known = self._threads.get(thread)
        if known is None:
            known = self._threads[thread] = _Thread()
        if known.flying is None:
            known.flying = Counter()
        known.flying[rank] += 1

    def land(self, thread: int, rank: int) -> None:
        """Raises ValueError when nothing of that rank flies."""
        known = self._threads.get(thread)
        if known is None or known.flying is None or rank not in known.flying:
            raise ValueError(f"nothing of rank {rank} is in flight on thread {thread:016x}")
        known.flying[rank] -= 1
        if not known.flying[rank]:
            del known.flying[rank]
            known.flying = known.flying or None
            self._tidy(thread, known)

    def _tidy(self, thread: int, known: _Thread) -> None:
        if not known.ids and known.flying is None:
            del self._threads[thread]
