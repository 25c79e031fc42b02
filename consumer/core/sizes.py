"""How many open groups there are of each size."""

from collections import Counter


class Sizes:
    """Few numbers for many groups: a million recipients fall into about a thousand sizes at most."""

    def __init__(self) -> None:
        self._rigid: Counter[int] = Counter()
        self._coarsenable: Counter[int] = Counter()

    def move(self, before: int, after: int, *, may_coarsen: bool) -> None:
        """A group has grown or shrunk; 0 recipients is none."""
        counts = self._coarsenable if may_coarsen else self._rigid
        if before:
            counts[before] -= 1
            if not counts[before]:
                del counts[before]
        if after:
            counts[after] += 1

    def places(self, recipients: int) -> int:
        """How many parcels of so many recipients all groups take in full detail."""
        return _places(self._rigid, recipients) + _places(self._coarsenable, recipients)

    def places_at(self, price: int, wordings: int, recipients: int) -> int:
        """The same when all that may be coarsened and is below the price goes in so many coarser wordings together."""
        counts = self._coarsenable
        small = Counter({size: count for size, count in counts.items() if size < price})
        together = -(-sum(size * count for size, count in small.items()) // recipients)
        apart = _places(self._rigid, recipients) + _places(counts, recipients) - _places(small, recipients)
        return apart + max(together, min(wordings, small.total()))


def _places(counts: Counter[int], recipients: int) -> int:
    return sum(-(-size // recipients) * count for size, count in counts.items())
