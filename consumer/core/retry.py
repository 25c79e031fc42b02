"""How long a lane waits after a failure."""

import math
from dataclasses import dataclass

# A wait is shortened by up to this part of it, so that lanes that failed together do not come back together.
_JITTER = 0.2
# Growth beyond this many steps cannot matter, and would overflow a float.
_MOST_STEPS = 64


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow by `factor` from `first_seconds` to `longest_seconds`."""

    first_seconds: float
    factor: float
    longest_seconds: float

    def delay(self, n: int, dice: float) -> float:
        """Seconds to wait after a failure that `n` others preceded; `dice` in [0, 1) cuts off a fifth at most."""
        grown = self.first_seconds * self.factor ** min(max(n, 0), _MOST_STEPS)
        return min(grown, self.longest_seconds) * (1 - _JITTER * dice)


# The quota's answer without a Retry-After: the window was wrong about it, so wait for a good part of a period.
LIMIT = Backoff(first_seconds=5.0, factor=2.0, longest_seconds=300.0)
# No connection, no name, a closed port.
UNREACHABLE = Backoff(first_seconds=0.5, factor=2.0, longest_seconds=30.0)
# An answer was lost: the provider is overloaded or the way to it is bad; each request more is a doubt more.
UNSURE = Backoff(first_seconds=2.0, factor=2.0, longest_seconds=120.0)
# The lane is wrong and a person must mend it: probes only find out that it was mended.
BLOCKED = Backoff(first_seconds=60.0, factor=1.5, longest_seconds=900.0)


def honour(after_seconds: float | None, cap_seconds: float = 900.0) -> float:
    """Seconds to wait for a provider's Retry-After: 0 for none, a negative one or no number; never above the cap."""
    if after_seconds is None or math.isnan(after_seconds):
        return 0.0
    return min(max(after_seconds, 0.0), cap_seconds)
