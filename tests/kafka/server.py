"""A real Apache Kafka for tests: one broker in KRaft mode, its jars by Maven, on a free port of the loopback."""

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

HERE = Path(__file__).resolve().parent
VERSION = "4.3.1"
JARS = HERE.parents[1] / ".cache" / "kafka" / VERSION
START_SECONDS = 90.0
MAVEN_SECONDS = 600.0

LOG4J = """<Configuration status="ERROR"><Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/>
</Console></Appenders><Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""


def fetch_jars() -> Path:
    """The folder with the broker's jars; fetched once, complete or not at all."""
    if JARS.is_dir():
        return JARS
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=JARS.parent) as folder:
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}/jars"]
        command = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), *goal]
        subprocess.run(command, check=True, timeout=MAVEN_SECONDS, capture_output=True)
        if not JARS.is_dir():
            # Two processes may fetch at once on a fresh machine: the first one's are as good.
            with suppress(OSError):
                Path(folder, "jars").rename(JARS)
    return JARS


def free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections are given: one of these may take a port in
    the moment between this look and its use."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def new_identity() -> str:
    """A cluster's id, as Kafka's own tool makes them: one that begins with a dash would be taken for an option."""
    while (made := base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


class KafkaServer:
    """One broker as a context. `kill` ends it as a power cut does, `restart` brings it back with its data and port;
    `freeze` and `thaw` stop and continue the process. A broker of a cluster is given the cluster's `identity`; a
    property that is empty is left out."""

    def __init__(self, *, properties: dict[str, str] | None = None, identity: str = "") -> None:
        self.properties = properties or {}
        self._identity = identity
        self._folder = Path(tempfile.mkdtemp(prefix="vestnik-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.controller_port = free_port()

    @property
    def data(self) -> Path:
        """Where the partitions lie."""
        return self._folder / "data"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the broker printed."""
        path = self._folder / "broker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Format the storage, start the broker and wait until it answers for metadata."""
        jars = fetch_jars()
        self._write_configuration()
        alone = [] if self._identity else ["--standalone"]
        identity = self._identity or new_identity()
        self._tool(jars, "kafka.tools.StorageTool", "format", *alone, "-t", identity, "-c", self._config)
        self._launch(jars)

    def restart(self) -> None:
        """Start again with the same data on the same port; on another one, if `port` has been changed."""
        self.stop()
        self._write_configuration()
        self._launch(fetch_jars())

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def _config(self) -> str:
        return str(self._folder / "server.properties")

    def _write_configuration(self) -> None:
        wanted = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.data),
            "num.partitions": "1",
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "log.cleaner.dedupe.buffer.size": "10485760",
            "log.retention.check.interval.ms": "1000",
        } | self.properties
        Path(self._config).write_text("".join(f"{name}={value}\n" for name, value in wanted.items() if value))
        (self._folder / "log4j2.xml").write_text(LOG4J)

    def _java(self, jars: Path, *arguments: str) -> list[str]:
        memory = ["-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}"
        return ["java", *memory, logging, "-cp", f"{jars}/*", *arguments]

    def _tool(self, jars: Path, *arguments: str) -> str:
        done = subprocess.run(self._java(jars, *arguments), check=True, timeout=60, capture_output=True, text=True)
        return done.stdout

    def _launch(self, jars: Path) -> None:
        with (self._folder / "broker.log").open("ab") as log:
            command = self._java(jars, "kafka.Kafka", self._config)
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the broker did not start:\n{self.log[-4000:]}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        """An open port is not enough: a MetadataRequest (version 0, all topics) must name a broker."""
        request = b"\x00\x03\x00\x00\x00\x00\x00\x01\x00\x04test\x00\x00\x00\x00"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(len(request).to_bytes(4, "big") + request)
                answer = connection.recv(64)
                return int.from_bytes(answer[8:12], "big") > 0
        except OSError:
            return False

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def _end(self, number: int) -> None:
        self._signal(number)
        if self._process is not None:
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait(timeout=20)
        self._process = None
