"""A real Kafka that grants little: the doctor tells which rights are missing, and tries nothing out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from consumer.app import wiring
from consumer.app.doctor import Visit, diagnose
from consumer.app.doctor_row import Row
from consumer.app.setup import Setup, load_setup
from consumer.streams import topics
from consumer.streams.inspection import OPERATIONS
from consumer.streams.settings import KafkaSettings
from tests.app.support import ROUTES, write
from tests.kafka.server import KafkaServer, free_port

pytestmark = pytest.mark.kafka

JOURNAL, ORDERS, GROUP = "vestnik.journal.app-push", "shop.orders", "vestnik.app-push"
TOPIC, GROUPS, LITERAL, ALLOW = 2, 3, 3, 3


class _Answer(Response):
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), ("results", Array(("error_code", Int16), ("message", String()))))


class _Struct(RequestStruct):
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String()),
                ("pattern", Int8),
                ("principal", String()),
                ("host", String()),
                ("operation", Int8),
                ("permission", Int8),
            ),
        )
    )


class CreateAcls(Request[_Struct]):
    """Grants operations on one resource to our user; the library has no such call."""

    API_KEY = 30

    def __init__(self, kind: int, name: str, operations: tuple[str, ...]) -> None:
        self._rows = [(kind, name, LITERAL, "User:vestnik", "*", OPERATIONS[each], ALLOW) for each in operations]

    def build(self, request_struct_class: type[_Struct]) -> _Struct:
        return request_struct_class(self._rows)


class GuardedKafka(KafkaServer):
    """Whoever comes without a name may do everything; our user only what is granted."""

    def __init__(self) -> None:
        super().__init__()
        self.guarded_port = free_port()
        plain, guarded = f"PLAINTEXT://127.0.0.1:{self.port}", f"GUARDED://127.0.0.1:{self.guarded_port}"
        login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_vestnik="secret";'
        self.properties = {
            "listeners": f"{plain},{guarded},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"{plain},{guarded}",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,GUARDED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listener.name.guarded.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.guarded.plain.sasl.jaas.config": login,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }


@pytest.fixture
def kafka() -> Iterator[GuardedKafka]:
    with GuardedKafka() as server:
        yield server


def setup_of(folder: Path, kafka: GuardedKafka) -> Setup:
    text = f"""\
kafka:
  bootstrap: "127.0.0.1:{kafka.guarded_port}"
  security: {{tls: false, sasl: {{mechanism: PLAIN, user: vestnik, password: {{env: KAFKA}}}}}}
topics: {{sources: [{ORDERS}]}}
shops: {{ducky: {{slug: ducky}}}}
lanes: {{app-push: {{provider: {{type: console}}, mode: live}}}}
"""
    setup = load_setup(write(folder, text, ROUTES), {"KAFKA": "secret"})
    assert isinstance(setup, Setup), [str(each) for each in setup]
    return setup


async def grant(kafka: GuardedKafka, *acls: CreateAcls) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        for acl in acls:
            answer = await admin._send_request(acl)
            assert [code for code, _ in answer.results if code] == []
    finally:
        await admin.close()


async def rights(setup: Setup) -> dict[str, Row]:
    rows = await diagnose(setup, Visit(1))
    return {row.what: row for row in rows if row.what.startswith("rights")}


async def test_each_right_that_is_missing_is_named_with_the_command_that_grants_it(
    tmp_path: Path, kafka: GuardedKafka
) -> None:
    setup, anonymous = setup_of(tmp_path, kafka), KafkaSettings(kafka.bootstrap)
    assert await topics.create(anonymous, wiring.wanted_topics(setup, 1)) == []
    assert await topics.create(anonymous, [topics.TopicSpec(ORDERS, 1, 1)]) == []
    nothing = (await rights(setup))[f"rights on {ORDERS}"]
    assert (nothing.state, nothing.detail) == ("failed", "Describe is missing")
    few = ("Describe", "DescribeConfigs")
    await grant(kafka, CreateAcls(TOPIC, ORDERS, ("Read",)), CreateAcls(TOPIC, JOURNAL, (*few, "Read")))
    await grant(kafka, CreateAcls(GROUPS, GROUP, ("Describe",)))
    some = await rights(setup)
    assert f"rights on {ORDERS}" not in some
    assert some[f"rights on {JOURNAL}"].detail == "Write is missing"
    assert some[f"rights on {JOURNAL}"].mend.endswith(f"--operation Write --topic {JOURNAL}")
    assert some["rights on the group"].state == "failed"
    everything = wiring.wanted_topics(setup, 1)
    await grant(kafka, *(CreateAcls(TOPIC, spec.name, (*few, "Read", "Write")) for spec in everything))
    await grant(kafka, CreateAcls(GROUPS, GROUP, ("Read",)))
    assert {name: row.state for name, row in (await rights(setup)).items()} == {"rights on topics": "ok"}
