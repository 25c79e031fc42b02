"""Whether a real Kafka can be had here, and the one that all tests of a run share."""

import atexit
import os
import shutil
from functools import cache

from tests.kafka.server import JARS, KafkaServer

ADDRESS = "KAFKA_BOOTSTRAP_SERVERS"


def available() -> str | None:
    """None when the ring can run, else what is missing."""
    if os.environ.get(ADDRESS):
        return None
    if shutil.which("java") is None:
        return "no java; set KAFKA_BOOTSTRAP_SERVERS or run `make tools`"
    if shutil.which("mvn") is None and not JARS.is_dir():
        return "no mvn to fetch Kafka with; set KAFKA_BOOTSTRAP_SERVERS or run `make tools`"
    return None


@cache
def shared_bootstrap() -> str:
    """Address of the run's broker, started at the first call; topics and groups must be each test's own."""
    if given := os.environ.get(ADDRESS):
        return given
    server = KafkaServer()
    server.start()
    atexit.register(server.close)
    return server.bootstrap
