"""Compacted topics from the command line: rows written, and all of them read."""

import asyncio
from collections.abc import Iterable

from consumer.core.model import Trouble
from consumer.core.ports import Table

PUT_SECONDS = 30.0
READ_SECONDS = 60.0
POLL_SECONDS = 0.5


async def put_rows(table: Table, rows: Iterable[tuple[bytes, bytes | None]]) -> str | None:
    """Write rows and wait until they are durable; in words, why that could not be done."""
    try:
        await table.start()
        async with asyncio.timeout(PUT_SECONDS):
            for row in rows:
                await table.put(*row)
    except TimeoutError:
        return trouble_words(table.trouble)
    except OSError as error:  # a table in a file, and no folder to put it into
        return f"{error.filename}: {error.strerror}"
    finally:
        await table.stop()
    return None


async def all_rows(table: Table) -> dict[bytes, bytes] | str:
    """The last value of each key; in words, why they could not be read."""
    rows: dict[bytes, bytes | None] = {}
    try:
        await table.start()
        async with asyncio.timeout(READ_SECONDS):
            while not table.complete:
                for row in await table.read(POLL_SECONDS):
                    rows[row.key or b""] = row.value
    except TimeoutError:
        return trouble_words(table.trouble)
    except OSError as error:  # a table in a file, and no folder to put it into
        return f"{error.filename}: {error.strerror}"
    finally:
        await table.stop()
    return {key: value for key, value in rows.items() if value is not None}


def trouble_words(trouble: Trouble | None) -> str:
    """Why a table gives or takes nothing."""
    return f"{trouble.reason}: {trouble.detail}" if trouble is not None else "the topic gave no answer in time"
