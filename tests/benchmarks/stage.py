"""Where the whole job is measured: a broker, a provider, and contestants in processes of their own, one at a time."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer.demo.broker import PARTITIONS, EmbeddedBroker
from scripts import compiled
from tests.benchmarks.provider import ROOT, Reached
from tests.kafka.ring import shared_bootstrap

START_SECONDS = 60.0
GOAL_SECONDS = 300.0
COMMIT_SECONDS = 15.0
STOP_SECONDS = 25.0
REAL_PARTITIONS = 6
OWN_KAFKA = "kafka"
BOOTSTRAP_HELP = f"a Kafka, or `{OWN_KAFKA}` for one of its own; without any librdkafka's mock cluster is the broker"
TICKS = os.sysconf("SC_CLK_TCK")


class NotDone(Exception):  # noqa: N818 - it is told, not raised at anybody
    """The contestant did not do its work; what it printed last is the argument."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the topics are. The embedded one proves nothing about Kafka, and makes topics of four partitions."""

    bootstrap: str
    embedded: EmbeddedBroker | None = None
    # Marks the names of this run: a real Kafka has those of earlier ones too.
    mark: str = field(default_factory=lambda: token_hex(3))

    @property
    def partitions(self) -> int:
        return PARTITIONS if self.embedded is not None else REAL_PARTITIONS

    @property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})

    def make(self, topic: str, partitions: int | None = None, **settings: str) -> None:
        """Make a topic."""
        if self.embedded is not None:
            self.embedded.create(topic)
            return
        admin = self.admin  # Held on to: without it nobody hears the answer.
        made = admin.create_topics([NewTopic(topic, partitions or self.partitions, 1, config=settings)])
        for each in made.values():
            each.result(timeout=30)

    def publish(self, topic: str, values: Sequence[bytes]) -> None:
        """Append the values round robin, and wait until all are there."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 20, "log_level": 2})
        for number, value in enumerate(values):
            producer.produce(topic, value, partition=number % self.partitions)
            if number % 1000 == 0:
                producer.poll(0)
        if producer.flush(60):
            raise TimeoutError("the broker did not take all events")

    def begin(self, group: str, topic: str) -> None:
        """Commit the beginning of every partition for a group that has no members."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, "log_level": 2})
        try:
            places = [TopicPartition(topic, number, 0) for number in range(self.partitions)]
            consumer.commit(offsets=places, asynchronous=False)
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> int:
        """How many records of the topic the group has committed."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, "log_level": 2})
        try:
            asked = [TopicPartition(topic, number) for number in range(self.partitions)]
            return sum(max(0, each.offset) for each in consumer.committed(asked, timeout=10))
        finally:
            consumer.close()


@contextmanager
def broker(bootstrap: str = "") -> Iterator[Broker]:
    """The Kafka at this address, or one that is started for this process; the embedded one without any."""
    if bootstrap:
        yield Broker(shared_bootstrap() if bootstrap == OWN_KAFKA else bootstrap)
        return
    with EmbeddedBroker() as embedded:
        yield Broker(embedded.bootstrap, embedded)


@dataclass(slots=True)
class Process:
    """A contestant's process; `plain`: without a compiled core. `began` is when it was started, on the monotonic
    clock."""

    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    plain: bool = False
    began: float = 0.0
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Compiled modules are kept, as where a package is installed: else a start would be slower than it is.
        handed_down = compiled.plain(os.environ) if self.plain else os.environ
        environment = handed_down | {"PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "compiled")} | self.environment
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with self.log.open("ab") as log:
            self.began = time.monotonic()
            self.popen = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=ROOT, env=environment)

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def state(self) -> dict[str, Any]:
        """What Vestnik says of itself on its admin port; empty while it does not answer."""
        port = self.environment["VESTNIK_ADMIN_PORT"]
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api/state", timeout=5) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
        return {}

    @property
    def cpu_seconds(self) -> float:
        """What it has used so far, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> int:
        """SIGTERM, and death after a while; the exit code."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait(timeout=5)

    @property
    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


class Hearing(Protocol):
    """What counts the pushes: the provider, or who hears what goes nowhere."""

    @property
    def url(self) -> str: ...

    def expect(self, goal: int, latency_ms: float = 0.0) -> None: ...

    def reached(self, seconds: float) -> Reached | None: ...


def watched(provider: Hearing, process: Process, seconds: float = GOAL_SECONDS) -> Reached:
    """Wait for the provider's goal, no longer than a while and than the contestant lives."""
    deadline = time.monotonic() + seconds
    while (found := provider.reached(0.1)) is None:
        dead = not process.alive
        if dead or time.monotonic() > deadline:
            raise NotDone(process.last_words or ("ended" if dead else "nothing came within the time"))
    return found


def settled(stage: Broker, group: str, topic: str, wanted: int) -> float | None:
    """Seconds until the group has committed so much; None when it does not."""
    began = time.monotonic()
    while stage.committed(group, topic) < wanted:
        if time.monotonic() - began > COMMIT_SECONDS:
            return None
        time.sleep(0.3)
    return time.monotonic() - began


def topics_for_lane(stage: Broker, lane: str) -> None:
    """What a lane needs beside its sources, where it is not there yet."""
    there = set(stage.admin.list_topics(timeout=10).topics)
    journal = f"vestnik.journal.{lane}"
    for topic in {journal, "vestnik.dead-letters", "vestnik.control"} - there:
        stage.make(topic, 1, **{"message.timestamp.type": "LogAppendTime"} if topic == journal else {})


def written(folder: Path, document: dict[str, Any], routes: list[dict[str, Any]]) -> Path:
    """A configuration of Vestnik's with its routes; JSON is YAML."""
    (folder / "routes").mkdir(parents=True, exist_ok=True)
    (folder / "routes" / "all.yaml").write_text(json.dumps(routes, ensure_ascii=False), encoding="utf-8")
    path = folder / "vestnik.yaml"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path
