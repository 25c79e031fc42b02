"""Three brokers in KRaft mode, with replicas, that are killed, frozen and brought back one by one or all together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from tests.kafka.server import KafkaServer, new_identity

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
