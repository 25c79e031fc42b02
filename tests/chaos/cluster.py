"""Three brokers in KRaft mode, with replicas, that are killed, frozen and brought back one by one or all together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from tests.chaos.proxy import Proxy, proxy
from tests.kafka.server import KafkaServer, free_port, new_identity

BROKERS = 3


class Cluster:
    """Brokers 1 to 3; each is also a controller. `minimum` replicas must be in sync for a write."""

    def __init__(self, minimum: int = 2) -> None:
        identity = new_identity()
        self.servers = [KafkaServer(identity=identity) for _ in range(BROKERS)]
        voters = ",".join(
            f"{number}@127.0.0.1:{server.controller_port}" for number, server in enumerate(self.servers, 1)
        )
        for number, server in enumerate(self.servers, 1):
            server.properties = {
                "node.id": str(number),
                "controller.quorum.bootstrap.servers": "",
                "controller.quorum.voters": voters,
                "default.replication.factor": str(BROKERS),
                "min.insync.replicas": str(minimum),
                "offsets.topic.replication.factor": str(BROKERS),
                "transaction.state.log.replication.factor": str(BROKERS),
                "transaction.state.log.min.isr": str(minimum),
            }

    @property
    def bootstrap(self) -> str:
        return ",".join(server.bootstrap for server in self.servers)

    async def start(self) -> None:
        """All together: a controller alone waits for the others."""
        await self._each(self.servers, KafkaServer.start)

    async def kill(self, *numbers: int) -> None:
        """As a power cut does; all of them without numbers."""
        await self._each(self._chosen(numbers), KafkaServer.kill)

    async def restart(self, *numbers: int) -> None:
        """Back again with the same data on the same ports."""
        await self._each(self._chosen(numbers), KafkaServer.restart)

    def close(self) -> None:
        for server in self.servers:
            server.kill()
            server.close()

    def _chosen(self, numbers: Iterable[int]) -> list[KafkaServer]:
        return [self.servers[number - 1] for number in numbers] or self.servers

    async def _each(self, servers: list[KafkaServer], act: Callable[[KafkaServer], None]) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(BROKERS) as threads:
            await asyncio.gather(*(loop.run_in_executor(threads, act, server) for server in servers))


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """Three brokers that nobody else uses."""
    made = Cluster()
    try:
        await made.start()
        yield made
    finally:
        await asyncio.to_thread(made.close)


@asynccontextmanager
async def behind_proxy() -> AsyncIterator[tuple[KafkaServer, Proxy]]:
    """One broker with two doors: its own port, and one whose advertised address is the proxy's, so that clients stay
    behind the proxy after they have heard of the brokers."""
    server, inner = KafkaServer(), free_port()
    async with proxy(inner) as between:
        doors = {"PLAINTEXT": server.port, "CONTROLLER": server.controller_port, "FAULTY": inner}
        advertised = {"PLAINTEXT": server.port, "FAULTY": between.port}
        server.properties = {
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in doors.items()),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in advertised.items()),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in doors),
            "inter.broker.listener.name": "PLAINTEXT",
        }
        try:
            await asyncio.to_thread(server.start)
            yield server, between
        finally:
            await asyncio.to_thread(server.close)
