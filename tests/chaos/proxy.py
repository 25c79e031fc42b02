"""A TCP proxy on loopback that breaks what passes through it: cut, held back, a byte a second, or reset."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

Way = Literal["up", "down"]
"""To the server, and from it."""

CHUNK_BYTES = 65_536
DRIP_SECONDS = 1.0


class Proxy:
    """From `port` to `target_port`, until something is wrong. What was held back goes on when it heals; connections
    that were cut or reset are gone."""

    def __init__(self, target_port: int = 0) -> None:
        self.target_port = target_port
        self.port = 0
        self.connections = 0
        self._flowing: dict[Way, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._dripping = False
        self._refusing = False
        self._answer_seconds = 0.0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        for way in self._flowing.values():
            way.set()

    # --- faults -------------------------------------------------------------------------------------------------------

    async def cut(self) -> None:
        """Every connection ends, and new ones are refused."""
        await self._listen_no_more()
        self._drop(reset=False)

    def stall(self, *ways: Way) -> None:
        """Bytes of these ways go nowhere, and nobody is told: both ways, if none is named."""
        for way in ways or ("up", "down"):
            self._flowing[way].clear()

    def slow(self, seconds: float) -> None:
        """Answers come so much later."""
        self._answer_seconds = seconds

    def drip(self) -> None:
        """One byte a second."""
        self._dripping = True

    def reset(self) -> None:
        """Every connection ends with a reset, and so does each new one at once."""
        self._refusing = True
        self._drop(reset=True)

    async def heal(self) -> None:
        """Everything passes again."""
        self._refusing = self._dripping = False
        self._answer_seconds = 0.0
        for way in self._flowing.values():
            way.set()
        if self._server is None:
            await self.listen(self.port)

    # --- the server ---------------------------------------------------------------------------------------------------

    async def listen(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await self._listen_no_more()
        self._drop(reset=False)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def _listen_no_more(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _drop(self, *, reset: bool) -> None:
        for writer in list(self._open):
            _end(writer, reset=reset)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._refusing:
            _end(writer, reset=True)
            return
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            _end(writer, reset=False)
            return
        for task in (
            asyncio.create_task(self._carry("up", reader, to_writer)),
            asyncio.create_task(self._carry("down", to_reader, writer)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self._flowing[way].wait()
                if way == "down" and self._answer_seconds:
                    await asyncio.sleep(self._answer_seconds)
                await self._write(chunk, writer)
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            _end(writer, reset=False)

    async def _write(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        while chunk and self._dripping:
            writer.write(chunk[:1])
            await writer.drain()
            chunk = chunk[1:]
            await asyncio.sleep(DRIP_SECONDS)
        writer.write(chunk)
        await writer.drain()


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    connection = writer.get_extra_info("socket")
    if reset and connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if reset:
        writer.transport.abort()
    else:
        writer.close()


@asynccontextmanager
async def proxy(target_port: int) -> AsyncIterator[Proxy]:
    made = Proxy(target_port)
    await made.listen()
    try:
        yield made
    finally:
        await made.close()
