"""What makes two records one event, and two commands one: hashes of what they say, never of where they stand."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from schemas.envelope import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def spelt(part: str) -> bytes:
    """A part of what is hashed: with its length before it, so that no two lists of parts read alike."""
    raw = part.encode()
    return len(raw).to_bytes(4, "big") + raw


def digest(size: int, written: bytes) -> bytes:
    """The hash of what was `spelt`, in so many bytes."""
    return blake2b(written, digest_size=size).digest()


_ID = spelt("id")


def event_identity(event: Event, shop: str) -> bytes:
    """What makes two records one event, spelt: its id, else what it says."""
    if event.event_id is not None:
        return _origin(shop, event.source) + _ID + spelt(event.event_id)
    return b"".join([_origin(shop, event.source), *map(spelt, _said(event))])


@lru_cache(maxsize=1024)
def _origin(shop: str, source: str) -> bytes:
    return spelt(shop) + spelt(source)


def _said(event: Event) -> tuple[str, ...]:
    subject, status = event.operation
    when = str(microseconds(event))
    state = (str(event.revision),) if event.revision is not None else (status, when)
    if not subject:
        state = (status, when)
    return ("said", event.type, subject, *state)


def microseconds(event: Event) -> int:
    """When it happened, whatever zone that was written in, since 1970."""
    return (event.occurred_at - _EPOCH) // _MICROSECOND
