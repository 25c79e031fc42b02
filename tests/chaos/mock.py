"""librdkafka's mock cluster, driven by ctypes: a Kafka in this process that fails in whatever way it is told to.

The library is the one inside the confluent-kafka wheel; it exports `rd_kafka_mock_*` for its own tests. What our client
does against it is real, the broker's timing is not, and it proves nothing about Kafka itself.
"""

import ctypes
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import confluent_kafka

_ERROR_BYTES = 512
_PRODUCER = 0


class Api(IntEnum):
    """Numbers of Kafka's requests."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14


class Code(IntEnum):
    """Numbers of Kafka's errors."""

    UNKNOWN = -1
    NONE = 0
    UNKNOWN_TOPIC = 3
    MESSAGE_TOO_LARGE = 10
    NOT_ENOUGH_REPLICAS = 19
    COORDINATOR_LOADING = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    ILLEGAL_GENERATION = 22
    UNKNOWN_MEMBER = 25
    REBALANCE_IN_PROGRESS = 27
    TOPIC_AUTHORIZATION_FAILED = 29
    GROUP_AUTHORIZATION_FAILED = 30
    FENCED_INSTANCE = 82


def _library() -> Any:
    """The shared library that the wheel carries, with the types of what is called."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka*.so*"))
    if not found:
        raise FileNotFoundError(f"no librdkafka in {folder.name}: the wheel of confluent-kafka carries one on Linux")
    library = ctypes.CDLL(str(found[0]))
    pointer, text, int32 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_new": (pointer, [ctypes.c_int, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, ctypes.c_int]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (ctypes.c_int, [pointer, text, ctypes.c_int, ctypes.c_int]),
        "rd_kafka_mock_topic_set_error": (None, [pointer, text, ctypes.c_int]),
        "rd_kafka_mock_broker_set_down": (ctypes.c_int, [pointer, int32]),
        "rd_kafka_mock_broker_set_up": (ctypes.c_int, [pointer, int32]),
        "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, [pointer, int32, ctypes.c_int]),
        "rd_kafka_mock_coordinator_set": (ctypes.c_int, [pointer, text, text, int32]),
        "rd_kafka_mock_push_request_errors_array": (None, [pointer, ctypes.c_int16, ctypes.c_size_t, pointer]),
        "rd_kafka_mock_clear_request_errors": (None, [pointer, ctypes.c_int16]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, int32]),
        "rd_kafka_mock_start_request_tracking": (None, [pointer]),
        "rd_kafka_mock_clear_requests": (None, [pointer]),
        "rd_kafka_mock_get_requests": (pointer, [pointer, ctypes.POINTER(ctypes.c_size_t)]),
        "rd_kafka_mock_request_api_key": (ctypes.c_int16, [pointer]),
        "rd_kafka_mock_request_destroy_array": (None, [pointer, ctypes.c_size_t]),
    }
    for name, (answer, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = answer, arguments
    return library


class MockCluster:
    """The cluster as a context; brokers are numbered from 1."""

    def __init__(self, brokers: int = 1, topics: Iterable[str] = (), partitions: int = 4) -> None:
        self.brokers = tuple(range(1, brokers + 1))
        self._topics = tuple(topics)
        self._partitions = partitions
        self._library = _library()
        self._client: Any = None
        self._cluster: Any = None
        self.bootstrap = ""

    def __enter__(self) -> Self:
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        self._client = self._library.rd_kafka_new(_PRODUCER, None, error, _ERROR_BYTES)
        if not self._client:
            raise OSError(f"librdkafka made no client: {error.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, len(self.brokers))
        self.bootstrap = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        for topic in self._topics:
            self.create(topic)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def create(self, topic: str, partitions: int | None = None) -> None:
        failed = self._library.rd_kafka_mock_topic_create(
            self._cluster, topic.encode(), partitions or self._partitions, len(self.brokers)
        )
        if failed:
            raise OSError(f"the mock cluster made no topic {topic}: {failed}")

    # --- ways to fail

    def down(self, *brokers: int) -> None:
        """These brokers, or all: connections are cut, and new ones refused."""
        for broker in brokers or self.brokers:
            self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def up(self, *brokers: int) -> None:
        for broker in brokers or self.brokers:
            self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def slow(self, milliseconds: int, *brokers: int) -> None:
        """Every answer of these brokers, or of all, takes so long; 0 is as fast as can be."""
        for broker in brokers or self.brokers:
            self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, milliseconds)

    def coordinate(self, group: str, broker: int) -> None:
        """From now on this broker coordinates the group."""
        self._library.rd_kafka_mock_coordinator_set(self._cluster, b"group", group.encode(), broker)

    def fail(self, api: Api, codes: Sequence[int]) -> None:
        """The next requests of this kind, whoever sends them, are answered with these errors; 0 lets one pass."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, int(api), len(codes), array)

    def heal(self, *apis: Api) -> None:
        for api in apis:
            self._library.rd_kafka_mock_clear_request_errors(self._cluster, int(api))

    def refuse(self, topic: str, code: int) -> None:
        """The topic's partitions have this error in their metadata, until 0 is said."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), code)

    def refuse_writes(self, topic: str, code: int, times: int) -> None:
        """The next so many writes to each partition of the topic are answered with this error."""
        push = self._library.rd_kafka_mock_partition_push_request_errors
        for partition in range(self._partitions):
            for _ in range(times):
                push(
                    ctypes.c_void_p(self._cluster), ctypes.c_char_p(topic.encode()), ctypes.c_int32(partition),
                    ctypes.c_int16(int(Api.PRODUCE)), ctypes.c_size_t(1), ctypes.c_int(code),
                )  # fmt: skip

    # --- what arrived

    def count(self) -> None:
        """Begin to count requests, from none."""
        self._library.rd_kafka_mock_start_request_tracking(self._cluster)
        self._library.rd_kafka_mock_clear_requests(self._cluster)

    def requests(self) -> Counter[int]:
        """How many requests of each kind have come since `count`."""
        count = ctypes.c_size_t(0)
        array = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        each = ctypes.cast(array, ctypes.POINTER(ctypes.c_void_p))
        found = Counter(int(self._library.rd_kafka_mock_request_api_key(each[index])) for index in range(count.value))
        self._library.rd_kafka_mock_request_destroy_array(array, count.value)
        return found
