"""`vestnik suppress`: the list of those who are not to be told, written and read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from consumer.app.setup import Setup
from consumer.app.wiring import hash_key, open_table
from consumer.core.model import Trouble
from consumer.core.suppressions import Suppression, read_listing, suppression_row
from consumer.core.text import written_recipient

PUT_SECONDS = 30.0
READ_SECONDS = 60.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Listed:
    """One who is not to be told, by their hash."""

    hash: str
    reason: str
    until: str
    lanes: tuple[str, ...]


async def suppress(setup: Setup, recipients: Sequence[str], suppression: Suppression | None) -> str | None:
    """Put recipients on the list, or take them off it with None; in words, why that could not be done."""
    key = hash_key(setup)
    if isinstance(key, Trouble):
        return key.detail
    table = open_table(setup, lambda _fact: None)
    await table.start()
    try:
        async with asyncio.timeout(PUT_SECONDS):
            for recipient in recipients:
                await table.put(*suppression_row(key, written_recipient(recipient), suppression))
    except TimeoutError:
        return _words(table.trouble)
    finally:
        await table.stop()
    return None


async def listing(setup: Setup) -> list[Listed] | str:
    """All that are on the list, by hash; in words, why it could not be read."""
    table = open_table(setup, lambda _fact: None)
    await table.start()
    rows: dict[bytes, bytes | None] = {}
    try:
        async with asyncio.timeout(READ_SECONDS):
            while not table.complete:
                for row in await table.read(POLL_SECONDS):
                    rows[row.key or b""] = row.value
    except TimeoutError:
        return _words(table.trouble)
    finally:
        await table.stop()
    found = (read_listing(key, value) for key, value in rows.items() if value is not None)
    return sorted((_shown(each.hash, each.suppression) for each in found if each is not None), key=lambda one: one.hash)


def _shown(hash_: bytes, suppression: Suppression) -> Listed:
    until = suppression.until.isoformat() if suppression.until is not None else ""
    return Listed(hash_.hex(), suppression.reason, until, tuple(suppression.lanes or ()))


def _words(trouble: Trouble | None) -> str:
    return f"{trouble.reason}: {trouble.detail}" if trouble is not None else "the topic gave no answer in time"


def asked(reason: str, until: str | None, lanes: Sequence[str], known: Sequence[str]) -> Suppression | str:
    """What somebody asked for on the command line, or what is wrong with it."""
    unknown = [lane for lane in lanes if lane not in known]
    if unknown:
        return f'unknown lane "{unknown[0]}"; there are {", ".join(known)}'
    if len(reason) > 200:
        return "the reason has more than 200 characters"
    try:
        moment = datetime.fromisoformat(until) if until else None
    except ValueError:
        return f'"{until}" is not a date; it is written as in 2026-12-31 or 2026-12-31T18:00+03:00'
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Suppression(reason=reason, until=moment, lanes=list(lanes) or None)
