"""The list of those who are not to be told: a compacted topic whose keys are keyed hashes of recipients."""

from dataclasses import dataclass
from hashlib import blake2b, sha512
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

KEY_BYTES_LEAST = 16
_KEY_BYTES_MOST = 64
_HASH_BYTES = 16


class Suppression(BaseModel):
    """Why somebody is not told. `until`: no longer than that; `lanes`: only there, everywhere when left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str = Field(default="", max_length=200)
    until: AwareDatetime | None = None
    lanes: list[str] | None = None


def fingerprint(key: bytes, recipient: str) -> bytes:
    """What stands for a recipient in the topic; nobody finds it out again without the key."""
    secret = key if len(key) <= _KEY_BYTES_MOST else sha512(key).digest()
    return blake2b(recipient.encode(), key=secret, digest_size=_HASH_BYTES).digest()


class _Listed(NamedTuple):
    until: float | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of the list as the topic has it."""

    hash: bytes
    suppression: Suppression


def read_listing(key: bytes | None, value: bytes | None) -> Listing | None:
    """A row of the topic; None where it takes somebody off the list, or is no row of ours."""
    try:
        hash_ = bytes.fromhex((key or b"").decode("ascii"))
        suppression = Suppression.model_validate_json(value or b"")
    except (ValueError, ValidationError):
        return None
    return Listing(hash_, suppression) if len(hash_) == _HASH_BYTES else None


class Suppressions:
    """The list as one lane sees it. Feed it every row of the topic in order."""

    def __init__(self, lane: str, key: bytes) -> None:
        self._lane = lane
        self._key = key
        self._listed: dict[bytes, _Listed] = {}
        self.unreadable = 0

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a row; the last one of a key counts. One that cannot be read is counted and changes nothing: whoever
        was not to be told is still not told."""
        if value is None:
            self._listed.pop(_name(key), None)
            return
        listing = read_listing(key, value)
        if listing is None:
            self.unreadable += 1
        elif listing.suppression.lanes is not None and self._lane not in listing.suppression.lanes:
            self._listed.pop(listing.hash, None)
        else:
            until = listing.suppression.until
            self._listed[listing.hash] = _Listed(until.timestamp() if until is not None else None)

    def lists(self, recipient: str, now: float) -> bool:
        """Whether this recipient is not to be told now."""
        if not self._listed:
            return False
        listed = self._listed.get(fingerprint(self._key, recipient))
        return listed is not None and (listed.until is None or now < listed.until)

    def __len__(self) -> int:
        return len(self._listed)


def _name(key: bytes | None) -> bytes:
    try:
        return bytes.fromhex((key or b"").decode("ascii"))
    except ValueError:
        return b""


def suppression_row(key: bytes, recipient: str, suppression: Suppression | None) -> tuple[bytes, bytes | None]:
    """Key and value that put a recipient on the list, or take them off it."""
    value = None if suppression is None else suppression.model_dump_json(exclude_none=True).encode()
    return fingerprint(key, recipient).hex().encode(), value
