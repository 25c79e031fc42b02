"""The evidence of a run, gathered after the consumer has stopped: from the broker, the fakes and the publisher."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumer.app import wiring
from consumer.app.profiles import lane_profile
from consumer.app.setup import Setup
from consumer.core.model import Message, Plan, Position, Quota, Record, Trouble
from consumer.core.plan import Planner
from consumer.core.ports import Unreadable
from consumer.demo.evidence import Evidence, LaneEvidence, Letter, Telling
from consumer.demo.fakes_base import FakeProvider
from consumer.demo.publish import Account
from consumer.streams.codec import decoded
from consumer.streams.letters import read_headers
from consumer.streams.reading import committed_offsets, read_whole
from consumer.streams.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class LaneTrace:
    """Where to look for what a lane did. The planner is a fresh one, apart from the one that ran."""

    name: str
    group: str
    journal: str
    quota: Quota
    planner: Planner
    fake: FakeProvider


def traces_of(setup: Setup, fakes: Mapping[str, FakeProvider], quotas: Mapping[str, Quota]) -> list[LaneTrace]:
    """The trace of each lane that has a fake."""
    return [
        LaneTrace(
            name,
            wiring.group_name(name),
            wiring.journal_topic(name),
            quotas[name],
            Planner(lane_profile(setup.config, name), setup.routes),
            fake,
        )
        for name, fake in fakes.items()
    ]


@dataclass(frozen=True, slots=True)
class Run:
    """What is known before looking: who published, when the consumer started, and the topics' names."""

    account: Account
    started: float
    sources: Sequence[str]
    dead_letters: str


async def collect(settings: KafkaSettings, run: Run, traces: Sequence[LaneTrace]) -> Evidence | Trouble:
    """Read everything that the run left in the broker, and plan each published record again."""
    records = await read_whole(settings, run.sources)
    letters = await read_whole(settings, [run.dead_letters])
    if isinstance(records, Trouble):
        return records
    if isinstance(letters, Trouble):
        return letters
    held = _as_published(run.account, records)
    lanes: dict[str, LaneEvidence] = {}
    for trace in traces:
        lane = await _lane(settings, trace, run.sources, held)
        if isinstance(lane, Trouble):
            return lane
        lanes[trace.name] = lane
    return Evidence(run.started, run.account.sent, lanes, _letters(letters))


def _as_published(account: Account, records: Sequence[Record]) -> list[Record]:
    """The records that the broker still holds as they were published; others have no plan and so count as lost."""
    values = {sent.position: each.value for sent, each in zip(account.sent, account.records, strict=True)}
    return [record for record in records if values.get(record.position) == record.value]


async def _lane(
    settings: KafkaSettings, trace: LaneTrace, sources: Sequence[str], records: Sequence[Record]
) -> LaneEvidence | Trouble:
    journal = await read_whole(settings, [trace.journal])
    committed = await committed_offsets(settings, trace.group, sources)
    if isinstance(journal, Trouble):
        return journal
    if isinstance(committed, Trouble):
        return committed
    plans: Mapping[Position, Plan] = {record.position: trace.planner.plan(record) for record in records}
    entries = [decoded(record.value) for record in journal]
    return LaneEvidence(
        quota=trace.quota,
        plans=plans,
        committed=committed,
        journal=[entry for entry in entries if not isinstance(entry, Unreadable)],
        tellings=tellings_of(trace.fake),
        requests=len(trace.fake.pushes),
        worst_window=trace.fake.worst_window(trace.quota.per_seconds),
    )


def tellings_of(fake: FakeProvider) -> list[Telling]:
    """What people saw, a line for each text of each request: deliveries of one request have one time."""
    told: defaultdict[tuple[float, Message], list[str]] = defaultdict(list)
    for delivery in fake.deliveries:
        told[delivery.at, delivery.message].append(delivery.recipient)
    return [
        Telling(at, tuple(recipients), f"{message.title} {message.text}") for (at, message), recipients in told.items()
    ]


def _letters(records: Sequence[Record]) -> list[Letter]:
    found = [read_headers(record) for record in records]
    return [
        Letter(each.id, each.lane, Position(each.topic, each.partition, each.offset), each.route, each.command)
        for each in found
        if each is not None
    ]
