"""An HTTP server that hangs up on connections idle for so many seconds: `python -m tests.chaos.idle_server SECONDS`.

0 closes after each answer. It prints its port, and when its input closes how many requests it received. A process of
its own, so that it hangs up while its client does something else, as in life.
"""

import asyncio
import sys

BODY_BYTES = 8


class Counter:
    """Serves, and counts what came."""

    def __init__(self, idle_seconds: float) -> None:
        self.received = 0
        self._idle_seconds = idle_seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(self._idle_seconds or None):
            await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(BODY_BYTES)
        self.received += 1
        close = b"" if self._idle_seconds else b"Connection: close\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + close + b"Content-Length: 2\r\n\r\n{}")
        await writer.drain()
        return bool(self._idle_seconds)


async def _main(idle_seconds: float) -> None:
    counter = Counter(idle_seconds)
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    _say(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(sys.stdin.read)
    _say(counter.received)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1])))
