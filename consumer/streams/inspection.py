"""What the brokers tell about themselves: who they are, what is allowed here, and how a group stands."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from consumer.core.model import TopicPartition, Trouble
from consumer.streams.assignor import read
from consumer.streams.clients import discard, trouble_of
from consumer.streams.settings import KafkaSettings

START_SECONDS = 15.0
ANSWER_SECONDS = 10.0
RETRY_SECONDS = 0.2
_MOVING = (
    errors.GroupCoordinatorNotAvailableError,
    errors.NotCoordinatorForGroupError,
    errors.GroupLoadInProgressError,
)

# Kafka's numbers of operations: org.apache.kafka.common.acl.AclOperation.
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10, "IdempotentWrite": 12}
_UNTOLD = -(2**31)

# The first release whose brokers speak a version of Fetch; newest first.
_FETCH = ((18, "4.1"), (17, "3.9"), (16, "3.7"), (15, "3.5"), (13, "3.1"), (12, "2.7"), (11, "2.3"))
_FETCH_KEY = 1


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String()), ("port", Int32), ("rack", String()))),
        ("cluster_id", String()),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String()),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataStruct(RequestStruct):
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String())), ("auto_create", Boolean), ("of_cluster", Boolean), ("of_topics", Boolean)
    )


class _Metadata(Request[_MetadataStruct]):
    """The library's own ends at version 5, which does not tell what is allowed."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        return request_struct_class(self._topics, False, True, True)


class _GroupStruct(RequestStruct):
    API_KEY = 15
    API_VERSION = 3
    # The library reads the answer of its version 3 as if it were version 2, and so loses what is allowed.
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(String())), ("include_authorized_operations", Boolean))


class _Groups(Request[_GroupStruct]):
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupStruct]) -> _GroupStruct:
        return request_struct_class([self._group], True)


@dataclass(frozen=True, slots=True)
class Broker:
    """`release` is about which Kafka it is, by the protocol that it speaks; "" when it does not answer, and then
    `trouble` says why. `tls` is the version that was agreed on, `certificate_ends` as the certificate writes it."""

    node: int
    host: str
    port: int
    release: str = ""
    trouble: str = ""
    tls: str = ""
    certificate_ends: str | None = None


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic that exists. `lagging`: partitions with a replica that is not in sync; `leaderless`: without a leader.
    `allowed` is None where the broker does not tell."""

    name: str
    partitions: int
    replicas: int
    lagging: tuple[int, ...]
    leaderless: tuple[int, ...]
    allowed: frozenset[str] | None
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a group: what it claims, and which partitions it has."""

    id: str
    client: str
    host: str
    claim: int
    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class GroupState:
    """A group as its coordinator tells. `state` is Kafka's: Stable, Empty, Dead, PreparingRebalance, …"""

    state: str
    protocol: str
    members: tuple[GroupMember, ...]
    allowed: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """What one question for metadata told. `topics` has those that exist and may be seen; `troubles` the others."""

    brokers: tuple[Broker, ...]
    topics: Mapping[str, TopicState]
    troubles: Mapping[str, Trouble]


class Inspector:
    """Asks brokers; changes nothing. Made by `inspecting`."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin: Any = admin

    async def group(self, name: str) -> GroupState | Trouble:
        """The group, as its coordinator knows it; one that nobody ever joined is Dead."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                told = await self._described(name)
        except (errors.KafkaError, TimeoutError, OSError, NotImplementedError) as error:
            return trouble_of(error)
        _, _, state, _, protocol, members, operations = told
        return GroupState(state, protocol, tuple(_member(each) for each in members), allowed(operations))

    async def _described(self, name: str) -> Sequence[Any]:
        """Asked again while the coordinator moves, or is not ready yet."""
        while True:
            try:
                coordinator = await self._admin.find_coordinator(name)
                told: Sequence[Any] = (await self._admin._send_request(_Groups(name), coordinator)).groups[0]
                if not told[0]:
                    return told
                raise errors.for_code(told[0])
            except _MOVING:
                await asyncio.sleep(RETRY_SECONDS)

    async def cluster(self, topics: Iterable[str]) -> Cluster | Trouble:
        """The brokers, each of them asked for its version, and the topics with their settings."""
        wanted = list(dict.fromkeys(topics))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._admin._send_request(_Metadata(wanted))
            brokers = [await self._broker(*each[:3]) for each in answer.brokers]
            found = {topic[1]: topic for topic in answer.topics if not topic[0]}
            configs = await self._configs(list(found))
        except (errors.KafkaError, TimeoutError, OSError, NotImplementedError) as error:
            return trouble_of(error)
        troubles = {topic[1]: trouble_of(errors.for_code(topic[0])()) for topic in answer.topics if topic[0]}
        states = {name: _topic(each, configs.get(name, {})) for name, each in found.items()}
        return Cluster(tuple(brokers), states, troubles)

    async def _broker(self, node: int, host: str, port: int) -> Broker:
        client = self._admin._client
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if not await client.ready(node):
                    return Broker(node, host, port, trouble="no connection")
                connection = await client._get_conn(node)
        except (errors.KafkaError, TimeoutError, OSError) as error:
            return Broker(node, host, port, trouble=type(error).__name__)
        secure = connection._writer.get_extra_info("ssl_object") if connection._writer is not None else None
        if secure is None:
            return Broker(node, host, port, release_of(connection._versions))
        ends = (secure.getpeercert() or {}).get("notAfter")
        return Broker(node, host, port, release_of(connection._versions), "", secure.version() or "", ends)

    async def _configs(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        """Settings of the topics; none of those that may not be asked for."""
        if not topics:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        async with asyncio.timeout(ANSWER_SECONDS):
            responses = await self._admin.describe_configs(asked)
        return {
            name: {entry[0]: entry[1] for entry in entries}
            for response in responses
            for code, _, _, name, entries in response.resources
            if not code
        }


def release_of(versions: Mapping[int, tuple[int, int]]) -> str:
    """About which release of Kafka speaks these versions of its interfaces (least and most, by key)."""
    fetch = versions.get(_FETCH_KEY, (0, 0))[1]
    return next((f"{release} or later" for most, release in _FETCH if fetch >= most), "older than 2.3")


def allowed(operations: int) -> frozenset[str] | None:
    """The names of the operations in the broker's bits; None where it told none."""
    if operations == _UNTOLD:
        return None
    return frozenset(name for name, bit in OPERATIONS.items() if operations >> bit & 1)


def _topic(told: Sequence[Any], configs: Mapping[str, str]) -> TopicState:
    _, name, _, partitions, operations = told
    return TopicState(
        name,
        len(partitions),
        min((len(each[4]) for each in partitions), default=0),
        tuple(sorted(each[1] for each in partitions if len(each[5]) < len(each[4]))),
        tuple(sorted(each[1] for each in partitions if each[2] < 0)),
        allowed(operations),
        configs,
    )


def _member(told: Sequence[Any]) -> GroupMember:
    """What of another kind of member cannot be read is taken for nothing."""
    member, client, host, metadata, assignment = told
    try:
        claim, _ = read(ConsumerProtocolMemberMetadata.decode(metadata).user_data) if metadata else (0, False)
        given = ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
    except (ValueError, TypeError):
        claim, given = 0, []
    return GroupMember(member, client, host.lstrip("/"), claim, tuple(TopicPartition(*each) for each in sorted(given)))


@asynccontextmanager
async def inspecting(settings: KafkaSettings) -> AsyncIterator[Inspector | Trouble]:
    """An inspector, or why nobody answers."""
    arguments = settings.connection()
    if isinstance(arguments, Trouble):
        yield arguments
        return
    admin = AIOKafkaAdminClient(**arguments)
    try:
        trouble = await _started(admin)
        yield trouble or Inspector(admin)
    finally:
        await discard(_Closing(admin))


async def _started(admin: AIOKafkaAdminClient) -> Trouble | None:
    try:
        async with asyncio.timeout(START_SECONDS):
            await admin.start()
    except (errors.KafkaError, OSError, TimeoutError) as error:
        return trouble_of(error)
    return None


class _Closing:
    """The admin client, ended as the other clients are."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def stop(self) -> None:
        await self._admin.close()
