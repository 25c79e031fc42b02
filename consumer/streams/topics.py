"""Which topics there must be, making them, checking them, and the script for those who may not make them."""

import asyncio
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from consumer.core.model import Trouble
from consumer.core.shares import Share, changed_shares
from consumer.streams.clients import discard, trouble_of
from consumer.streams.entrance import explained
from consumer.streams.settings import KafkaSettings

REQUEST_SECONDS = 30.0
DAY_SECONDS = 86_400.0
MESSAGE_BYTES = 1_048_588  # Kafka's own default; an attempt stays under 900 KB


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be. A source (`ours` false) is the shop's: it must be there and is never made or judged.
    `partitions` 0 is any number; `shares` is how many the lane has whose journal it is, 0 of any other topic."""

    name: str
    partitions: int = 1
    replicas: int = 1
    configs: Mapping[str, str] = field(default_factory=dict)
    ours: bool = True
    shares: int = 0


@dataclass(frozen=True, slots=True)
class TopicProblem:
    """What is wrong with a topic, and what would mend it. `topic` is "" where it is the cluster's."""

    topic: str
    what: str
    mend: str = ""

    def __str__(self) -> str:
        text = f"{self.topic}: {self.what}" if self.topic else self.what
        return f"{text}; {self.mend}" if self.mend else text


@dataclass(frozen=True, slots=True)
class Shape:
    """What the topics of all lanes have in common. `memory_seconds` is how far back a lane remembers."""

    replicas: int = 3
    memory_seconds: float = 8 * DAY_SECONDS
    dead_letters: str = "vestnik.dead-letters"
    dead_letters_seconds: float = 30 * DAY_SECONDS
    backfill_partitions: int = 1


def wanted(lanes: Iterable[str | Share], sources: Sequence[str], shape: Shape | None = None) -> list[TopicSpec]:
    """All topics of these lanes and shares, the shop's first."""
    shape = shape or Shape()
    shops = [TopicSpec(name, partitions=0, ours=False) for name in dict.fromkeys(sources)]
    shares = [Share(lane) if isinstance(lane, str) else lane for lane in lanes]
    return [*shops, *(spec for share in shares for spec in _of_share(share, shape)), *_common(shape)]


def _of_share(share: Share, shape: Shape) -> list[TopicSpec]:
    """What a share has of its own, and with the first of them the journal of all."""
    kept = _kept(shape, 2 * shape.memory_seconds)
    journal = kept | {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MESSAGE_BYTES)}
    first = [TopicSpec(f"vestnik.journal.{share.lane}", share.of, shape.replicas, journal, shares=share.of)]
    return [
        *(first if share.number == 0 else ()),
        TopicSpec(f"vestnik.backfill.{share.name}", shape.backfill_partitions, shape.replicas, kept),
    ]


def _common(shape: Shape) -> list[TopicSpec]:
    compacted = _safe(shape) | {"cleanup.policy": "compact"}
    letters = _kept(shape, shape.dead_letters_seconds)
    names = ("vestnik.control", "vestnik.suppressions", "vestnik.tokens")
    return [
        TopicSpec(shape.dead_letters, 1, shape.replicas, letters),
        *(TopicSpec(name, 1, shape.replicas, compacted) for name in names),
    ]


def _kept(shape: Shape, seconds: float) -> dict[str, str]:
    return _safe(shape) | {
        "cleanup.policy": "delete",
        "retention.ms": str(int(seconds * 1000)),
        "retention.bytes": "-1",
    }


def _safe(shape: Shape) -> dict[str, str]:
    replicated = {"min.insync.replicas": "2"} if shape.replicas > 1 else {}
    return replicated | {"unclean.leader.election.enable": "false"}


# --- on the cluster ---------------------------------------------------------------------------------------------------


async def create(settings: KafkaSettings, specs: Sequence[TopicSpec]) -> list[TopicProblem]:
    """Make those of ours that are missing; a topic that exists is left as it is. What could not be made comes back."""
    return await _with_admin(settings, lambda admin: _created(admin, [spec for spec in specs if spec.ours]))


async def check(settings: KafkaSettings, specs: Sequence[TopicSpec]) -> list[TopicProblem]:
    """Everything that is missing or other than it should be; an empty list is good news."""
    return await _with_admin(settings, lambda admin: _checked(admin, specs))


async def _with_admin(settings: KafkaSettings, work: Any) -> list[TopicProblem]:
    arguments = settings.connection()
    if isinstance(arguments, Trouble):
        return [_unreachable(settings, arguments)]
    admin = AIOKafkaAdminClient(**arguments)
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            await admin.start()
            problems: list[TopicProblem] = await work(admin)
            return problems
    except (errors.KafkaError, OSError, TimeoutError) as error:
        return [_unreachable(settings, await explained(trouble_of(error), arguments))]
    finally:
        await discard(_Closing(admin))


class _Closing:
    """The admin client, ended as the other clients are."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def stop(self) -> None:
        await self._admin.close()


def _unreachable(settings: KafkaSettings, trouble: Trouble) -> TopicProblem:
    mends = {
        "broker_unreachable": f"is {settings.bootstrap} the address, and does {settings.security} fit its listener?",
        "tls_failed": "see kafka.security: tls, ca, certificate and key",
        "not_authorised": "check the user name, the password and the access rights",
    }
    return TopicProblem("", f"{trouble.reason}: {trouble.detail}", mends.get(trouble.reason, ""))


async def _created(admin: Any, specs: Sequence[TopicSpec]) -> list[TopicProblem]:
    known = set(await admin.list_topics())
    answers = [await _created_one(admin, spec) for spec in specs if spec.name not in known]
    return [problem for problem in answers if problem is not None]


async def _created_one(admin: Any, spec: TopicSpec) -> TopicProblem | None:
    topic = NewTopic(spec.name, spec.partitions, spec.replicas, topic_configs=dict(spec.configs))
    response = await admin.create_topics([topic])
    for _, code, message in (tuple(error) if len(error) > 2 else (*error, None) for error in response.topic_errors):
        kind = errors.for_code(code)
        if kind not in (errors.NoError, errors.TopicAlreadyExistsError):
            return TopicProblem(spec.name, f"cannot be made: {message or kind.__name__}")
    return None


async def _checked(admin: Any, specs: Sequence[TopicSpec]) -> list[TopicProblem]:
    known = {topic["topic"]: topic for topic in await admin.describe_topics([spec.name for spec in specs])}
    problems: list[TopicProblem] = []
    present: list[TopicSpec] = []
    for spec in specs:
        found = _shape_problems(spec, known.get(spec.name))
        problems += found
        if spec.ours and not any(problem.what == "missing" for problem in found):
            present.append(spec)
    return problems + await _config_problems(admin, present)


def _shape_problems(spec: TopicSpec, topic: Mapping[str, Any] | None) -> list[TopicProblem]:
    code = errors.UnknownTopicOrPartitionError.errno if topic is None else topic["error_code"]
    if code == errors.TopicAuthorizationFailedError.errno:
        return [TopicProblem(spec.name, "not authorised", "grant DESCRIBE on it")]
    if topic is None or code:
        mend = "vestnik topics create makes it" if spec.ours else "the shop must make it, or the name is wrong"
        return [TopicProblem(spec.name, "missing", mend)]
    partitions = topic["partitions"]
    problems: list[TopicProblem] = []
    if spec.partitions and len(partitions) != spec.partitions:
        problems.append(_count_problem(spec, len(partitions)))
    replicas = min((len(partition["replicas"]) for partition in partitions), default=0)
    if spec.ours and replicas < spec.replicas:
        problems.append(TopicProblem(spec.name, f"{replicas} replicas instead of {spec.replicas}"))
    return problems


def _count_problem(spec: TopicSpec, partitions: int) -> TopicProblem:
    what = f"{partitions} partitions instead of {spec.partitions}"
    if max(spec.shares, partitions if spec.shares else 0) > 1:
        return TopicProblem(spec.name, what, changed_shares(spec.name, partitions, spec.shares))
    return TopicProblem(spec.name, what, "make it anew; partitions cannot be taken away")


async def _config_problems(admin: Any, specs: Sequence[TopicSpec]) -> list[TopicProblem]:
    if not specs:
        return []
    asked = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    actual: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(asked):
        for _, _, _, name, entries in response.resources:
            actual[name] = {entry[0]: entry[1] for entry in entries}
    return [problem for spec in specs for problem in config_problems(spec, actual.get(spec.name, {}))]


def config_problems(spec: TopicSpec, actual: Mapping[str, str]) -> list[TopicProblem]:
    """Where the topic's settings fall short. Keeping records longer or allowing larger ones is no problem."""
    problems: list[TopicProblem] = []
    for name, value in spec.configs.items():
        found = actual.get(name)
        if found is None or found == value or _is_more(name, found, value):
            continue
        mend = f"kafka-configs.sh --alter --topic {spec.name} --add-config {name}={value}"
        problems.append(TopicProblem(spec.name, f"{name} is {found} instead of {value}", mend))
    return problems


def _is_more(name: str, found: str, value: str) -> bool:
    if name == "retention.ms":
        return int(found) == -1 or int(found) >= int(value)
    return name in ("max.message.bytes", "min.insync.replicas") and int(found) >= int(value)


def script(specs: Sequence[TopicSpec], bootstrap: str = "$BOOTSTRAP") -> str:
    """Shell lines that make our topics, for whoever has the rights; harmless where they exist."""
    return "".join(_line(spec, bootstrap) for spec in specs if spec.ours)


def _line(spec: TopicSpec, bootstrap: str) -> str:
    where = bootstrap if bootstrap.startswith("$") else shlex.quote(bootstrap)
    words = [
        "kafka-topics.sh --create --if-not-exists",
        f"--bootstrap-server {where}",
        f"--topic {shlex.quote(spec.name)}",
    ]
    words += [f"--partitions {spec.partitions}", f"--replication-factor {spec.replicas}"]
    words += [f"--config {shlex.quote(f'{name}={value}')}" for name, value in spec.configs.items()]
    return " ".join(words) + "\n"
