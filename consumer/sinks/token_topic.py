"""Where an OAuth token pair lies when no host owns it: sealed, under the lane's id, in a compacted topic.

Only the owner of a lane refreshes, and the claim in the lane's journal is what makes it the owner: that is the lock,
and the topic has none. A process that lost its lane in the middle of a refresh may still write. So the topic is read
from its beginning to its end whenever a pair is asked for; whoever is told `invalid_grant` reads once more before he
believes it; each pair has a number that only grows (near the time of its writing), and where an older one came to lie
upon a newer one that this process knows, the newer one is put back. What cannot be opened is never written over.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import Field

from consumer.core.document import Strict
from consumer.core.model import Blocked, Trouble
from consumer.core.ports import Table
from consumer.core.secrets import ReadSecret, SecretRef
from consumer.sinks.answer import read_object
from consumer.sinks.base import OpenTable
from consumer.sinks.seal import SECRET_BYTES_LEAST, Key, Unopened, key_of, seal, unseal
from consumer.sinks.tokens import Tokens, read_tokens

TOPIC = "vestnik.tokens"
STORE_SECONDS = 8.0
_POLL_SECONDS = 0.5

T = TypeVar("T")


class TokenTopic(Strict):
    """Token pairs in the topic vestnik.tokens, sealed. Needs the extra `tokens` (cryptography)."""

    key: SecretRef = Field(description="what seals them: at least 32 characters, such as `openssl rand -hex 32` gives")
    older_keys: tuple[SecretRef, ...] = Field(
        default=(), max_length=8, description="what opens pairs that were sealed before `key` was changed"
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Which pair: the lane's, in that topic, under those keys."""

    lane: str
    topic: TokenTopic
    open_table: OpenTable
    read_secret: ReadSecret

    @property
    def where(self) -> str:
        return f"topic {TOPIC}, key {self.lane}"


@dataclass(frozen=True, slots=True)
class _Found:
    """What the topic has: a document and its number. Number 0 is none at all."""

    number: int = 0
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


class TopicStore:
    """A token pair in the topic. `replace`: a person says that one which cannot be opened may be written over."""

    def __init__(self, place: Place, *, replace: bool = False, wall: Callable[[], float] = time.time) -> None:
        self._place = place
        self._replace = replace
        self._wall = wall
        self._newest = _Found()

    @property
    def where(self) -> str:
        return self._place.where

    async def read(self) -> Tokens | Blocked:
        """The newest pair that anybody has written, as of this moment."""
        found = await self._look()
        if isinstance(found, Blocked):
            return found
        tokens = read_tokens(found.document)
        if tokens is not None:
            return tokens
        return self._blocked("holds no token pair; authorise the application first")

    async def hold(self) -> "TopicPen | Blocked":
        """The right to write, which the lane's claim gives; a record that says nothing proves that the topic takes
        records. A refresh that could not be kept must not begin."""
        found = await self._look()
        if isinstance(found, Blocked):
            return found
        proof = await self._put(f"{self._place.lane} held".encode(), None)
        return proof or TopicPen(self, found)

    async def write(self, document: Mapping[str, Any], since: _Found) -> bool:
        """Put a pair upon all that was there. Notes beside a pair that is not the newest any more are not taken."""
        found, tokens, before = await self._look(), read_tokens(document), read_tokens(since.document)
        if isinstance(found, Blocked) or tokens is None:
            return False
        is_new = before is None or tokens.refresh != before.refresh
        if found.number > since.number and not is_new:
            return False
        written = _Found(max(found.number + 1, int(self._wall())), document)
        if await self._keep(written) is not None:
            return False
        self._newest = written
        return True

    async def _keep(self, found: _Found) -> Blocked | None:
        keys = self._keys()
        if isinstance(keys, Blocked):
            return keys
        text = json.dumps({"number": found.number, "tokens": found.document}).encode()
        place = self._place.lane.encode()
        return await self._put(place, seal(keys[0], place, text))

    async def _look(self) -> _Found | Blocked:
        keys = self._keys()
        if isinstance(keys, Blocked):
            return keys
        sealed = await self._within(self._last, "read")
        if isinstance(sealed, Blocked):
            return sealed
        found = self._opened(keys, sealed)
        if isinstance(found, Blocked):
            return _Found() if self._replace else found
        if found.number < self._newest.number:
            # Somebody who no longer has the lane wrote after us. Even if this fails now, we know better.
            await self._keep(self._newest)
            return self._newest
        self._newest = found
        return found

    def _opened(self, keys: Sequence[Key], sealed: bytes | None) -> _Found | Blocked:
        if sealed is None:
            return _Found()
        text = unseal(keys, self._place.lane.encode(), sealed)
        if isinstance(text, Unopened):
            return self._blocked(f"{text.why}; give its key, or authorise the application with --replace")
        record = read_object(text) or {}
        number, document = record.get("number"), record.get("tokens")
        if not isinstance(number, int) or not isinstance(document, dict):
            return self._blocked("was sealed by another version of Vestnik")
        return _Found(number, document)

    def _keys(self) -> Sequence[Key] | Blocked:
        """All keys, the one that seals first; read anew each time, so that a changed one is seen."""
        keys = []
        for ref in (self._place.topic.key, *self._place.topic.older_keys):
            secret = self._place.read_secret(ref)
            if isinstance(secret, Trouble):
                return Blocked("secret_missing", f"{ref.where} gives no secret")
            key = key_of(secret.strip())
            if key is None:
                return Blocked("secret_unusable", f"{ref.where} has fewer than {SECRET_BYTES_LEAST} characters")
            keys.append(key)
        return keys

    async def _put(self, key: bytes, value: bytes | None) -> Blocked | None:
        return await self._within(lambda table: table.put(key, value), "written")

    async def _last(self, table: Table) -> bytes | None:
        """The value of our key, after all that stood in the topic when reading began."""
        key, value = self._place.lane.encode(), None
        while not table.complete:
            for row in await table.read(_POLL_SECONDS):
                value = row.value if row.key == key else value
        return value

    async def _within(self, work: Callable[[Table], Awaitable[T]], done: str) -> T | Blocked:
        """What the work gives; Blocked where the topic did not let it happen in time."""
        table = self._place.open_table()
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await table.start()
                return await work(table)
        except TimeoutError:
            trouble = table.trouble
            return self._blocked(f"cannot be {done} ({trouble.reason if trouble else 'no answer in time'})")
        finally:
            await table.stop()

    def _blocked(self, what: str) -> Blocked:
        return Blocked("token_store", f"{self.where} {what}")


class TopicPen:
    """Writes upon what was in the topic when it was taken up."""

    def __init__(self, store: TopicStore, since: _Found) -> None:
        self._store = store
        self._since = since

    async def write(self, document: Mapping[str, Any]) -> bool:
        return await self._store.write(document, self._since)

    async def release(self) -> None:
        """Nothing is locked."""
