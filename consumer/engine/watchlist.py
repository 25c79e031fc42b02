"""Follows the list of those who are not to be told; nothing is sent before it was read to its end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from consumer.core.model import Trouble
from consumer.core.ports import Table
from consumer.core.suppressions import Suppressions
from consumer.engine.board import Board

CAUSE = "suppressions"
READ_SECONDS = 1.0
PAUSE_SECONDS = 5.0

ReadKey = Callable[[], bytes | Trouble]
"""The key of the hashes, read anew at each call."""


@dataclass(frozen=True, slots=True)
class SuppressionParts:
    """Where the list is, and the key under which recipients are in it."""

    table: Table
    read_key: ReadKey


class Watchlist:
    """One lane's view of the list. Without a table there is no list, and everybody may be told. `changes` counts the
    rows that put somebody on it."""

    def __init__(self, lane: str, parts: SuppressionParts | None) -> None:
        self._lane = lane
        self._parts = parts
        self._list: Suppressions | None = None
        self.complete = parts is None
        self.changes = 0

    def lists(self, recipient: str, now: float) -> bool:
        """Whether this recipient is not to be told at that moment, in broker seconds."""
        return self._list is not None and self._list.lists(recipient, now)

    @property
    def unreadable(self) -> int:
        """Rows of the list that said nothing to this version."""
        return 0 if self._list is None else self._list.unreadable

    async def start(self) -> None:
        if self._parts is not None:
            await self._parts.table.start()

    async def stop(self) -> None:
        if self._parts is not None:
            await self._parts.table.stop()

    async def run(self, board: Board, completed: Callable[[], None]) -> None:
        """Read for ever; `completed` is called once, when the list is known."""
        if self._parts is None:
            return
        self._list = Suppressions(self._lane, await self._key(self._parts.read_key, board))
        while True:
            for row in await self._parts.table.read(READ_SECONDS):
                self._list.apply(row.key, row.value)
                self.changes += row.value is not None
            trouble = self._parts.table.trouble
            if not self.complete and self._parts.table.complete:
                self.complete = True
                completed()
            if trouble is None:
                board.clear(CAUSE)
            elif not self.complete:
                board.block(CAUSE, CAUSE, f"{trouble.reason} {trouble.detail}".strip())
            await asyncio.sleep(0)

    async def _key(self, read_key: ReadKey, board: Board) -> bytes:
        while isinstance(key := read_key(), Trouble):
            board.block(CAUSE, CAUSE, key.detail)
            await asyncio.sleep(PAUSE_SECONDS)
        board.clear(CAUSE)
        return key
