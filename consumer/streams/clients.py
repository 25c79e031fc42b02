"""What all Kafka clients of ours have in common: how they end, what their errors mean, and whether a broker answers."""

import asyncio
from functools import partial
from typing import Any

import aiokafka.admin.client
import aiokafka.client
import aiokafka.consumer.fetcher
from aiokafka import errors
from aiokafka.protocol.metadata import MetadataRequest

from consumer.core.model import TopicPartition, Trouble
from consumer.streams.header_names import ReadableRecords
from consumer.streams.settings import quiet_library

STOP_SECONDS = 5.0
ANSWER_SECONDS = 5.0

# aiokafka asks for topics' metadata in a way that creates them on brokers that allow it, and has no switch for that. A
# topic that is missing must be said to be missing, not made with the broker's defaults.
aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
aiokafka.admin.client.MetadataRequest = aiokafka.client.MetadataRequest

# It also refuses a record for the name of a header, and with it all of its partition that follows.
aiokafka.consumer.fetcher.MemoryRecords = ReadableRecords

quiet_library()

_stopping: set[asyncio.Task[None]] = set()


async def discard(client: Any) -> None:
    """Stop a client within a deadline, whatever its brokers do.

    `client` is a consumer, a producer or an admin client. The library's stop may hang or raise CancelledError into its
    caller; so it runs in a task of its own.
    """
    task = asyncio.create_task(client.stop(), name="kafka client stop")
    _stopping.add(task)
    task.add_done_callback(_ended)
    await asyncio.wait({task}, timeout=STOP_SECONDS)
    if not task.done():
        task.cancel()


def _ended(task: asyncio.Task[None]) -> None:
    _stopping.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that nobody reports it: a client that is thrown away may end as it likes


_REASONS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (
            errors.TopicAuthorizationFailedError,
            errors.GroupAuthorizationFailedError,
            errors.ClusterAuthorizationFailedError,
            errors.TransactionalIdAuthorizationFailed,
            errors.AuthenticationFailedError,
            errors.SaslAuthenticationFailed,
            errors.UnsupportedSaslMechanismError,
            errors.AuthenticationMethodNotSupported,
        ),
        "not_authorised",
    ),
    ((errors.UnknownTopicOrPartitionError,), "topic_missing"),
    ((errors.OffsetOutOfRangeError,), "offset_out_of_range"),
    (
        (errors.MessageSizeTooLargeError, errors.RecordTooLargeError, errors.RecordListTooLargeError),
        "record_too_large",
    ),
    (
        (
            errors.KafkaConnectionError,
            errors.KafkaTimeoutError,
            errors.RequestTimedOutError,
            errors.NodeNotReadyError,
            errors.GroupCoordinatorNotAvailableError,
            errors.LeaderNotAvailableError,
            errors.NotEnoughReplicasError,
            errors.NotEnoughReplicasAfterAppendError,
            TimeoutError,
            OSError,
        ),
        "broker_unreachable",
    ),
)


def trouble_of(error: BaseException, partition: TopicPartition | None = None) -> Trouble:
    """The error as a value. The detail is its type alone: messages of the library may carry values."""
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return Trouble(reason, type(error).__name__, partition)
    return Trouble("other", type(error).__name__, partition)


# The group has moved on without us: the client joins again by itself.
_GROUP_MOVED_ON = (
    errors.CommitFailedError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
    errors.UnknownMemberIdError,
)


def is_fatal(error: BaseException) -> bool:
    """Whether the same client of a group would get the same answer for ever."""
    if not isinstance(error, errors.KafkaError) or isinstance(error, (*_GROUP_MOVED_ON, errors.IllegalStateError)):
        return False
    return not error.retriable and trouble_of(error).reason != "broker_unreachable"


async def probe(client: Any, topics: tuple[str, ...]) -> Trouble | None:
    """Ask for the topics' metadata: None when a broker answers and knows them all.

    `client` is the library's low-level client inside a consumer or producer.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answered = await client.force_metadata_update()
    except TimeoutError:
        answered = False
    if not answered:
        return Trouble("broker_unreachable", "no broker answers")
    return missing(client, topics)


def missing(client: Any, topics: tuple[str, ...]) -> Trouble | None:
    """What the metadata at hand lacks of the topics."""
    for topic in topics:
        if topic in client.cluster.unauthorized_topics:
            return Trouble("not_authorised", topic)
        if not client.cluster.partitions_for_topic(topic):
            return Trouble("topic_missing", topic)
    return None
