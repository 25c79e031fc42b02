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
        newest = _NEVER if attempted is None else attempted
        if thread in self._flying:
            newest = max(newest, self._flying[thread][-1])
        if thread in self._waiting:
            newest = max(newest, self._rank(self.waiting(thread)[0]))
        return newest

    def waiting(self, thread: int) -> Sequence[bytes]:
        """The ids of those that wait, all of one rank."""
        known = self._waiting.get(thread, ())
        return known if isinstance(known, tuple) else (known,)

    def older(self, thread: int, rank: int) -> Sequence[bytes]:
        """The ids of those that wait with a lower rank."""
        if thread not in self._waiting:
            return ()
        waiting = self.waiting(thread)
        return waiting if self._rank(waiting[0]) < rank else ()

    def newer(self, thread: int, rank: int) -> bool:
        """Whether one with a higher rank waits."""
        return thread in self._waiting and self._rank(self.waiting(thread)[0]) > rank

    def holds(self, thread: int, rank: int) -> bool:
        """Whether something older is in flight or in doubt."""
        known = self._flying.get(thread)
        return known is not None and known[0] < rank

    def wait(self, thread: int, id_: bytes) -> None:
        self._waiting[thread] = (*self.waiting(thread), id_) if thread in self._waiting else id_

    def leave(self, thread: int, id_: bytes) -> None:
        known = self._waiting.pop(thread)
        if isinstance(known, tuple):
            rest = tuple(other for other in known if other != id_)
            self._waiting[thread] = rest if len(rest) > 1 else rest[0]

    def fly(self, thread: int, rank: int) -> None:
        known = self._flying.get(thread)
        self._flying[thread] = (rank,) if known is None else tuple(sorted((*known, rank)))

    def land(self, thread: int, rank: int) -> None:
        """Raises ValueError when nothing of that rank flies."""
        known = self._flying.get(thread, ())
        if rank not in known:
            raise ValueError(f"nothing of rank {rank} is in flight on thread {thread:016x}")
        if len(known) > 1:
            place = known.index(rank)
            self._flying[thread] = known[:place] + known[place + 1 :]
        else:
            del self._flying[thread]
