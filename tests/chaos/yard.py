"""A small world for one row: fakes that keep the ledger, two lanes with topics of their own, and real processes.

Each text names its wave, and nobody gets two events of one kind in one wave: so a pair of recipient and text is one
command, and the fakes' own ledger says what was lost and what was told twice.
"""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml
from aiohttp import web

from consumer.app import wiring
from consumer.app.setup import Setup, load_setup
from consumer.core.model import Position, Quota, Record, TopicPartition, Trouble
from consumer.demo.collect import Run, collect, traces_of
from consumer.demo.evidence import Evidence
from consumer.demo.fakes import write_tokens
from consumer.demo.fakes_base import Arrival, FakeProvider
from consumer.demo.fakes_bitrix24 import Bitrix24Fake, Bitrix24Profile
from consumer.demo.fakes_imshop import ImshopFake
from consumer.demo.publish import Account
from consumer.demo.shop import Publication
from consumer.streams import topics
from consumer.streams.publisher import Publisher
from consumer.streams.reading import committed_offsets, read_whole
from consumer.streams.settings import KafkaSettings
from tests.chaos.killpoints import BLOCK_SECONDS, KILL_AT
from tests.chaos.ledger import Ledger, judged
from tests.chaos.nursery import nursery
from tests.chaos.waves import Load, routes
from tests.kafka.processes import Consumer, end, eventually

ROOT = Path(__file__).resolve().parents[2]
KEY = "chaos-key"
CLIENT = ("local.chaos", "chaos-client-secret")
DEPTH = 50.0


@dataclass(frozen=True, slots=True)
class Plot:
    """How a yard is. Seconds; `requests` in `per_seconds` is IMSHOP's quota; `in_flight` None is each lane's usual."""

    name: str
    partitions: int = 4
    replicas: int = 1
    requests: int = 30
    per_seconds: float = 2.0
    drain: float = 20.0
    token_seconds: float = 3600.0
    timeout_seconds: float = 2.0
    lost_for_seconds: float = 1.0
    session_seconds: float = 6.0
    in_flight: int | None = None
    lane: dict[str, Any] = field(default_factory=dict)
    """More of each lane's configuration."""

    @property
    def app(self) -> str:
        return f"app-{self.name}"

    @property
    def staff(self) -> str:
        return f"staff-{self.name}"

    @property
    def lanes(self) -> tuple[str, str]:
        return self.app, self.staff

    @property
    def sources(self) -> tuple[str, str]:
        return f"orders-{self.name}", f"bonuses-{self.name}"

    @property
    def dead_letters(self) -> str:
        return f"dead-{self.name}"

    @property
    def quotas(self) -> dict[str, Quota]:
        bucket = Quota(int(DEPTH) - 5, (DEPTH - 5) / self.drain, bucket=True)
        return {self.app: Quota(self.requests, self.per_seconds), self.staff: bucket}


class Listener(ImshopFake):
    """An IMSHOP that also knows which process asked: its address ends in `?who=…`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.asked: list[tuple[float, str]] = []

    def execute(self, request: web.Request, body: bytes, arrival: Arrival) -> web.Response:
        self.asked.append((arrival.at, request.query.get("who", "")))
        return super().execute(request, body, arrival)

    def by(self, who: str, since: float = 0.0) -> list[float]:
        """When this process asked, after a moment of the monotonic clock."""
        return [at for at, name in self.asked if name == who and at > since]


class Armed(Consumer):
    """A process with a trap: `arm` lets its calls count from now on."""

    def __init__(self, config: Path, log: Path, *, kill_at: str = "", block_seconds: float = 0.0) -> None:
        super().__init__(config, log)
        self.command = [sys.executable, "-m", "tests.chaos.killpoints", "run", "--config", str(config)]
        self.environment = {KILL_AT: kill_at, "PYTHONPATH": str(ROOT)}
        if block_seconds:
            self.environment[BLOCK_SECONDS] = str(block_seconds)

    def start(self) -> Self:
        """Forked from a process that has imported everything."""
        own = {"VESTNIK_ADMIN_PORT": str(self.port), "VESTNIK_LOG_LEVEL": "info"}
        self.process = nursery().start(self.command[3:], own | self.environment, self.log_file)
        return self

    def arm(self) -> None:
        self.signal(signal.SIGUSR2)

    async def died(self, within_seconds: float) -> bool:
        """Whether the trap sprang."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(self.process.wait, within_seconds) == -signal.SIGKILL
        return False


class Yard:
    """The world of one row. `settings` is the way of publisher and judge to the brokers: past any proxy."""

    def __init__(self, plot: Plot, folder: Path, settings: KafkaSettings) -> None:
        self.plot = plot
        self.folder = folder
        self.settings = settings
        self.config = folder / "vestnik.yaml"
        self.app = Listener(KEY, (plot.requests, plot.per_seconds), clock=time.monotonic)
        profile = Bitrix24Profile(depth=DEPTH, drain=plot.drain)
        self.staff = Bitrix24Fake(profile, client=CLIENT, token_seconds=plot.token_seconds, clock=time.monotonic)
        self.account = Account()
        self.consumers: list[Consumer] = []
        self.began = time.monotonic()

    @property
    def fakes(self) -> dict[str, FakeProvider]:
        return {self.plot.app: self.app, self.plot.staff: self.staff}

    def named(self, who: str, bootstrap: str = "") -> Path:
        """A configuration by which the provider knows this process."""
        return write_config(self, self.folder / f"{who}.yaml", bootstrap or self.settings.bootstrap, who)

    # --- processes ----------------------------------------------------------------------------------------------------

    def consumer(self, *, kill_at: str = "", block_seconds: float = 0.0, config: Path | None = None) -> Armed:
        """One more process; with `kill_at` there is a trap in it, which counts once it is armed."""
        log = self.folder / f"consumer-{len(self.consumers)}.log"
        made = Armed(config or self.config, log, kill_at=kill_at, block_seconds=block_seconds)
        self.consumers.append(made)
        made.start()
        return made

    def plain(self, config: Path | None = None) -> Consumer:
        """One more process of the very command that users run."""
        log = self.folder / f"consumer-{len(self.consumers)}.log"
        self.consumers.append(Consumer(config or self.config, log).start())
        return self.consumers[-1]

    async def settled(self, consumer: Consumer, within_seconds: float = 180.0) -> float:
        """Wait until every record published so far has been committed by both lanes; how long that took. The group's
        offsets say so, for a process may be idle because it has not heard of the last ones yet."""
        began = time.monotonic()
        while behind := await self.behind():
            if time.monotonic() - began > within_seconds:
                stands = [await consumer.lane(name) for name in self.plot.lanes]
                raise AssertionError(f"{behind} records behind after {within_seconds} s: {stands}")
            assert consumer.process is None or consumer.process.poll() is None, "the consumer has ended"
            await asyncio.sleep(1.0)
        return time.monotonic() - began

    async def behind(self) -> int:
        """Published records that some lane has not committed yet, as the group's offsets say."""
        total = 0
        for lane in self.plot.lanes:
            committed = await committed_offsets(self.settings, wiring.group_name(lane), self.plot.sources)
            if isinstance(committed, Trouble):
                return len(self.account.sent)
            positions = [sent.position for sent in self.account.sent]
            total += sum(position.offset >= (committed.get(position.topic_partition) or 0) for position in positions)
        return total

    async def committed(self, lane: str) -> dict[TopicPartition, int]:
        """What the lane's group has committed; empty while nobody answers."""
        found = await committed_offsets(self.settings, wiring.group_name(lane), self.plot.sources)
        return {} if isinstance(found, Trouble) else {tp: offset for tp, offset in found.items() if offset is not None}

    @asynccontextmanager
    async def offsets_watched(self) -> AsyncIterator[list[str]]:
        """Look at both groups' offsets all the while; what went back is in the list."""
        rewinds: list[str] = []

        async def look() -> None:
            highest: dict[tuple[str, TopicPartition], int] = {}
            while True:
                for lane in self.plot.lanes:
                    for tp, offset in (await self.committed(lane)).items():
                        if offset < highest.get((lane, tp), 0):
                            rewinds.append(f"{lane} {tp} {highest[lane, tp]} -> {offset}")
                        highest[lane, tp] = max(offset, highest.get((lane, tp), 0))
                await asyncio.sleep(2.0)

        task = asyncio.create_task(look())
        try:
            yield rewinds
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def working(self, consumer: Consumer, within_seconds: float = 60.0) -> float:
        async def true() -> bool:
            return await self.states(consumer) == ["working", "working"]

        return await eventually("both lanes work", true, within_seconds)

    async def ready(self, consumer: Consumer) -> None:
        """Wait until the process owns its lanes or stands by."""

        async def true() -> bool:
            return all(state in ("standby", "working") for state in await self.states(consumer))

        await eventually("it is ready", true)

    async def states(self, consumer: Consumer) -> list[str]:
        return [str((await consumer.lane(name)).get("state", "")) for name in self.plot.lanes]

    def requests(self) -> dict[str, int]:
        """How many pushes each provider was asked for so far."""
        return {name: len(fake.pushes) for name, fake in self.fakes.items()}

    def first_since(self, moment: float) -> dict[str, float]:
        """The first push that each provider was asked for after a moment of the monotonic clock."""
        first: dict[str, float] = {}
        for name, fake in self.fakes.items():
            later = [arrival.at for arrival in fake.pushes if arrival.at > moment]
            if later:
                first[name] = min(later)
        return first

    async def recovered(self, since: float, within_seconds: float = 60.0) -> float:
        """Wait until both providers were asked again; how long after `since` that was, in seconds."""

        async def true() -> bool:
            return len(self.first_since(since)) == len(self.fakes)

        await eventually("both lanes send again", true, within_seconds)
        return max(self.first_since(since).values()) - since

    def authorise(self) -> None:
        """What `vestnik auth` does: a new pair in the token file."""
        write_tokens(self.folder / "bitrix24.tokens", self.staff)

    # --- what is published --------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def load(self, load: Load) -> AsyncIterator[None]:
        """Publish while the block runs."""
        over = asyncio.Event()
        task = asyncio.create_task(self.publish(load.publications(self.plot.sources), over))
        try:
            yield
        finally:
            over.set()
            await task

    async def publish(self, publications: Iterable[Publication], over: asyncio.Event | None = None) -> None:
        """Each record when it is due, again until a broker has taken it: what was in doubt may so stand there twice,
        under one event id."""
        async with Publisher(self.settings) as publisher:
            due = time.monotonic()
            for publication in publications:
                due = max(due + publication.delay_seconds, time.monotonic() - 1.0)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if over is not None and over.is_set():
                    return
                landed = await self._landed(publisher, publication)
                self.account.note(landed, publication, time.monotonic())

    async def _landed(self, publisher: Publisher, publication: Publication) -> Position:
        to = (publication.topic, publication.key, publication.value, publication.headers)
        for _ in range(20):
            if isinstance(landed := await publisher.publish(*to), Position):
                return landed
            await asyncio.sleep(1.0)
        raise RuntimeError(f"the shop could not publish to {publication.topic}")

    # --- the judge ----------------------------------------------------------------------------------------------------

    async def evidence(self) -> Evidence:
        setup = load_setup(self.config, {})
        assert isinstance(setup, Setup), setup
        traces = traces_of(setup, self.fakes, self.plot.quotas)
        run = Run(self.account, self.began, self.plot.sources, self.plot.dead_letters)
        found = await collect(self.settings, run, traces)
        assert isinstance(found, Evidence), found
        return found

    async def judged(self) -> Ledger:
        """What came of everything that was published, by the fakes' ledger and the topics."""
        return judged(await self.evidence(), self.fakes)

    async def journal(self, lane: str) -> Sequence[Record]:
        """The raw records of a lane's journal, with the broker's timestamps."""
        found = await read_whole(self.settings, [wiring.journal_topic(lane)])
        assert not isinstance(found, Trouble), found
        return found

    async def letters(self) -> Sequence[Record]:
        found = await read_whole(self.settings, [self.plot.dead_letters])
        assert not isinstance(found, Trouble), found
        return found


@asynccontextmanager
async def yard(folder: Path, plot: Plot, bootstrap: str, *, through: str = "") -> AsyncIterator[Yard]:
    """The world with its topics made. The processes reach the brokers `through` another address where one is given."""
    async with AsyncExitStack() as stack:
        made = Yard(plot, folder, KafkaSettings(bootstrap))
        await stack.enter_async_context(made.app)
        await stack.enter_async_context(made.staff)
        write_files(made, through or bootstrap)
        await make_topics(made)
        try:
            yield made
        except BaseException:
            end(made.consumers, tell=True)
            raise
        finally:
            end(made.consumers)


async def make_topics(made: Yard) -> None:
    plot = made.plot
    ours = topics.wanted(plot.lanes, [], topics.Shape(replicas=plot.replicas, dead_letters=plot.dead_letters))
    safe = {"min.insync.replicas": "2"} if plot.replicas > 1 else {}
    theirs = [topics.TopicSpec(name, plot.partitions, plot.replicas, safe) for name in plot.sources]
    problems = await topics.create(made.settings, [*ours, *theirs])
    assert problems == [], problems


def write_files(made: Yard, bootstrap: str) -> None:
    """Configuration, secrets and routes, as a shop would have them."""
    plot, folder = made.plot, made.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("imshop.key", KEY), ("bitrix24.secret", CLIENT[1])):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text, encoding="utf-8")
    made.authorise()
    (folder / "routes").mkdir()
    (folder / "routes" / "waves.yaml").write_text(routes(plot.lanes), encoding="utf-8")
    write_config(made, made.config, bootstrap)


def write_config(made: Yard, path: Path, bootstrap: str, who: str = "") -> Path:
    """The same world through another address of the brokers, or for a process with a name."""
    document = _document(made, bootstrap)
    if who:
        document["lanes"][made.plot.app]["provider"]["url"] += f"?who={who}"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _document(made: Yard, bootstrap: str) -> dict[str, Any]:
    plot, folder = made.plot, made.folder
    imshop = {"type": "imshop", "url": made.app.url, "key": {"file": str(folder / "imshop.key")}}
    bitrix24 = {
        "type": "bitrix24",
        "portal": made.staff.url,
        "token_file": str(folder / "bitrix24.tokens"),
        "client_id": CLIENT[0],
        "client_secret": {"file": str(folder / "bitrix24.secret")},
        "oauth_url": made.staff.oauth_url,
    }
    return {
        "kafka": {"bootstrap": bootstrap, "session_timeout": f"{plot.session_seconds:g}s"},
        "topics": {"sources": list(plot.sources), "dead_letters": plot.dead_letters},
        "shops": {"ducky": {"slug": "ducky"}},
        "lanes": {plot.app: _lane(plot, plot.app, imshop), plot.staff: _lane(plot, plot.staff, bitrix24)},
        "routes": str(folder / "routes"),
        "admin": {"port": 0},
    }


def _lane(plot: Plot, name: str, provider: dict[str, Any]) -> dict[str, Any]:
    quota = plot.quotas[name]
    few = {} if plot.in_flight is None else {"in_flight": plot.in_flight}
    return {
        "provider": {**provider, "allow_http": True, "timeout": f"{plot.timeout_seconds:g}s"},
        "mode": "live",
        "start_at": "earliest",
        "lost_for": f"{plot.lost_for_seconds:g}s",
        "quota": {"requests": quota.requests, "per": f"{quota.per_seconds:g}s", "bucket": quota.bucket},
        **few,
        **plot.lane,
    }


async def until(what: str, true: Callable[[], bool], within_seconds: float = 30.0) -> float:
    """Wait for something in this process; how long that took, in seconds."""

    async def looked() -> bool:
        return true()

    return await eventually(what, looked, within_seconds)
