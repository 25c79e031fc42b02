"""`vestnik suppress`: the list of those who are not to be told, written and read."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.app.config import Config
from consumer.app.moments import read_moment
from consumer.app.setup import Setup
from consumer.app.tables import all_rows, put_rows
from consumer.app.wiring import hash_key, open_table
from consumer.core.model import Trouble
from consumer.core.suppressions import Suppression, read_listing, suppression_row
from consumer.core.text import written_recipient


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
    rows = [suppression_row(key, written_recipient(recipient), suppression) for recipient in recipients]
    return await put_rows(open_table(setup, lambda _fact: None), rows)


async def listing(setup: Setup) -> list[Listed] | str:
    """All that are on the list, by hash; in words, why it could not be read."""
    rows = await all_rows(open_table(setup, lambda _fact: None))
    if isinstance(rows, str):
        return rows
    found = (read_listing(key, value) for key, value in rows.items())
    return sorted((_shown(each.hash, each.suppression) for each in found if each is not None), key=lambda one: one.hash)


def _shown(hash_: bytes, suppression: Suppression) -> Listed:
    until = suppression.until.isoformat() if suppression.until is not None else ""
    return Listed(hash_.hex(), suppression.reason, until, tuple(suppression.lanes or ()))


def asked(reason: str, until: str | None, lanes: Sequence[str], config: Config) -> Suppression | str:
    """What somebody asked for on the command line, or what is wrong with it."""
    unknown = next(filter(None, map(config.no_lane, lanes)), "")
    if unknown:
        return unknown
    if len(reason) > 200:
        return "the reason has more than 200 characters"
    moment = read_moment(until) if until else None
    if isinstance(moment, str):
        return moment
    return Suppression(reason=reason, until=moment, lanes=list(lanes) or None)
