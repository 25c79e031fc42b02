"""The order within threads: who waits, and who is in flight or in doubt."""

from collections.abc import Callable, Sequence

_NEVER = float("-inf")


class Threads:
    """Threads of which something waits or flies; the others take no room. `rank` tells that of a command that waits.

    All that wait on a thread have one rank: a newer one replaces the older, an older one does not come in.
    """

    def __init__(self, rank: Callable[[bytes], int]) -> None:
        self._rank = rank
        # Nearly always one waits, and then it stands here without a tuple around it.
        self._waiting: dict[int, bytes | tuple[bytes, ...]] = {}
        # The ranks in flight or in doubt, the lowest first.
        self._flying: dict[int, tuple[int, ...]] = {}

    def newest(self, thread: int, attempted: int | None) -> float:
        """The highest rank that waits, flies or was ever attempted."""
        waiting = self.waiting(thread)
        ranks = [_NEVER if attempted is None else attempted, *self._flying.get(thread, ())]
        return max(ranks) if not waiting else max(*ranks, self._rank(waiting[0]))

    def waiting(self, thread: int) -> Sequence[bytes]:
        """The ids of those that wait, all of one rank."""
        known = self._waiting.get(thread, ())
        return known if isinstance(known, tuple) else (known,)

    def older(self, thread: int, rank: int) -> Sequence[bytes]:
        """The ids of those that wait with a lower rank."""
        waiting = self.waiting(thread)
        return waiting if waiting and self._rank(waiting[0]) < rank else ()

    def newer(self, thread: int, rank: int) -> bool:
        """Whether one with a higher rank waits."""
        waiting = self.waiting(thread)
        return bool(waiting) and self._rank(waiting[0]) > rank

    def holds(self, thread: int, rank: int) -> bool:
        """Whether something older is in flight or in doubt."""
        known = self._flying.get(thread)
        return known is not None and known[0] < rank

    def wait(self, thread: int, id_: bytes) -> None:
        waiting = self.waiting(thread)
        self._waiting[thread] = (*waiting, id_) if waiting else id_

    def leave(self, thread: int, id_: bytes) -> None:
        rest = tuple(other for other in self.waiting(thread) if other != id_)
        if rest:
            self._waiting[thread] = rest
        else:
            del self._waiting[thread]

    def fly(self, thread: int, rank: int) -> None:
        self._flying[thread] = tuple(sorted((*self._flying.get(thread, ()), rank)))

    def land(self, thread: int, rank: int) -> None:
        """Raises ValueError when nothing of that rank flies."""
        ranks = list(self._flying.get(thread, ()))
        if rank not in ranks:
            raise ValueError(f"nothing of rank {rank} is in flight on thread {thread:016x}")
        ranks.remove(rank)
        if ranks:
            self._flying[thread] = tuple(ranks)
        else:
            del self._flying[thread]
