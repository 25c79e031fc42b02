"""Frequency caps: how often somebody may be told marketing, counted from what the journal says was delivered."""

from collections.abc import Sequence
from hashlib import blake2b
from zlib import crc32

from consumer.core.model import Cap
from consumer.core.slices import Slices

# A time in milliseconds takes 41 bits until 2039; the rest tells two deliveries of one moment apart.
_SALT_BITS = 20
_SALT = (1 << _SALT_BITS) - 1
_KEY_BYTES = 64
_MOMENT_BYTES = 8


class Told:
    """When each person was told marketing, in about eighteen bytes a delivery, without a name: a hash under a key that
    never leaves this process."""

    def __init__(self, caps: Sequence[Cap], key: bytes) -> None:
        self._caps = tuple(caps)
        # Whether there is a cap at all: asked of every command.
        self.wanted = bool(self._caps)
        self._key = key[:_KEY_BYTES]
        self._times = Slices(max((cap.per_seconds for cap in caps), default=1.0))

    def note(self, recipient: str, push: str, at: float) -> None:
        """Somebody was told; what one push told them counts once, by its name, for however many commands."""
        salt = crc32(push.encode()) & _SALT
        moment = int(at * 1000) << _SALT_BITS | salt
        self._times.put(self._hash(recipient) + moment.to_bytes(_MOMENT_BYTES), at)

    def full(self, recipient: str, now: float, under_way: int = 0) -> bool:
        """Whether one more would be too many; `under_way` are those whose landing is not known yet."""
        if not self.wanted:
            return False
        known = self._times.values(self._hash(recipient))
        times = [(int.from_bytes(moment) >> _SALT_BITS) / 1000 for moment in known]
        return any(under_way + sum(at > now - cap.per_seconds for at in times) >= cap.messages for cap in self._caps)

    def forget(self, now: float) -> None:
        """Drop what is older than every window."""
        self._times.forget(now)

    def __len__(self) -> int:
        """Deliveries that are remembered."""
        return len(self._times)

    def _hash(self, recipient: str) -> bytes:
        return blake2b(recipient.encode(), key=self._key, digest_size=8).digest()
