"""The order within threads: who waits, and who is in flight or in doubt."""

from collections.abc import Callable, Sequence

from consumer.core.index import Index


class Threads:
    """Threads of which something waits or flies; the others take no room. `rank` tells that of a command that waits.

    All that wait on a thread have one rank: a newer one replaces the older, an older one does not come in.
    """

    def __init__(self, rank: Callable[[bytes], int]) -> None:
        self._rank = rank
        # Nearly always one waits, and then it stands here without a tuple around it.
        self._waiting: dict[int, bytes | tuple[bytes, ...]] = {}
        # Of those that are folded small: one waits on each of these threads.
        self._folded = Index()
        # The ranks in flight or in doubt, the lowest first.
        self._flying: dict[int, tuple[int, ...]] = {}

    def is_free(self, thread: int) -> bool:
        """Whether nothing of it waits or flies."""
        return thread not in self._flying and not self.waiting(thread)

    def is_outdated(self, thread: int, rank: int, attempted: int | None) -> bool:
        """Whether a higher rank waits, flies or was ever attempted, which is `attempted`."""
        if attempted is not None and attempted > rank:
            return True
        flying = self._flying.get(thread)
        return (flying is not None and flying[-1] > rank) or self.newer(thread, rank)

    def waiting(self, thread: int) -> Sequence[bytes]:
        """The ids of those that wait, all of one rank."""
        known = self._waiting.get(thread)
        if known is None:
            return self._folded.find(thread) if self._folded else ()
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
        before = self.waiting(thread)
        self._waiting[thread] = (*before, id_) if before else id_
        if before and self._folded:
            self._folded.remove(thread, before[0])

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

    # --- small and whole ----------------------------------------------------------------------------------------------

    def fold(self, thread: int, id_: bytes) -> None:
        """One that waits will hardly be asked for soon."""
        if self._waiting.get(thread) == id_:
            del self._waiting[thread]
            self._folded.add(thread, id_)

    def unfold(self, thread: int, id_: bytes) -> None:
        if self._folded.remove(thread, id_):
            self._waiting[thread] = id_
