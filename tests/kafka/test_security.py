"""A real Kafka that lets nobody in without TLS and a name: every way in works, every wrong one says what is wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import uuid4

import pytest

from consumer.core.model import Trouble
from consumer.streams.publisher import Publisher
from consumer.streams.reading import committed_offsets, read_whole
from consumer.streams.settings import KafkaSettings
from consumer.streams.topics import Shape, check, create, wanted
from tests.contract.worlds import KafkaWorld, seated
from tests.kafka.expiry import through_expiries
from tests.kafka.secured import PASSWORD, REAUTH_SECONDS, Issuer, SecuredKafka

Way = Callable[[SecuredKafka], KafkaSettings]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with SecuredKafka(tmp_path_factory.mktemp("secured")) as server:
        yield server


@pytest.fixture(autouse=True)
async def _farewells() -> AsyncIterator[None]:
    """A TLS connection that is closed says goodbye first: the loop must not end before it."""
    yield
    await asyncio.sleep(0.3)


GOOD: dict[str, Way] = {
    "TLS with our certificate": lambda kafka: kafka.tls(),
    "PLAIN": lambda kafka: kafka.sasl("PLAIN"),
    "SCRAM-SHA-256": lambda kafka: kafka.sasl("SCRAM-SHA-256"),
    "SCRAM-SHA-512": lambda kafka: kafka.sasl("SCRAM-SHA-512"),
    "OAUTHBEARER": lambda kafka: kafka.bearer(Issuer().read),
}


@pytest.mark.parametrize("way", GOOD)
async def test_topics_are_made_records_written_and_read(way: str, kafka: SecuredKafka) -> None:
    settings, topic = GOOD[way](kafka), f"shop-{uuid4().hex[:8]}"
    specs = [spec for spec in wanted([topic], [], Shape(replicas=1)) if topic in spec.name]
    assert await create(settings, specs) == []
    assert await check(settings, specs) == []
    async with Publisher(settings) as publisher:
        assert publisher.trouble is None
        position = await publisher.publish(specs[0].name, b"key", b"value")
    assert not isinstance(position, Trouble)
    found = await read_whole(settings, [specs[0].name])
    assert not isinstance(found, Trouble)
    assert [record.value for record in found] == [b"value"]


async def nothing() -> Trouble:
    return Trouble("other", "file token cannot be read: No such file or directory")


BAD: dict[str, tuple[Way, str, str]] = {
    "a CA that is not the broker's": (
        lambda kafka: kafka.tls(ca=kafka.stranger.certificate),
        "tls_failed",
        "signed by nobody whom kafka.security.ca names",
    ),
    "an expired certificate": (lambda kafka: kafka.tls("EXPIRED"), "tls_failed", "certificate has expired"),
    "another host's certificate": (lambda kafka: kafka.tls("ELSEWHERE"), "tls_failed", "is of another host"),
    "no certificate of ours": (
        lambda kafka: kafka.sasl("PLAIN", listener="MUTUAL"),
        "tls_failed",
        "wants one and got none",
    ),
    "a certificate of a stranger": (
        lambda kafka: kafka.tls(pair=kafka.strange_client),
        "tls_failed",
        "does not accept our certificate",
    ),
    "TLS where none is spoken": (lambda kafka: kafka.tls("PLAINTEXT"), "tls_failed", "is TLS spoken there?"),
    "a wrong password by PLAIN": (
        lambda kafka: kafka.sasl("PLAIN", password="canary"),
        "not_authorised",
        "refused the user or the password (PLAIN)",
    ),
    "a wrong password by SCRAM": (
        lambda kafka: kafka.sasl("SCRAM-SHA-512", password="canary"),
        "not_authorised",
        "refused the user or the password (SCRAM-SHA-512)",
    ),
    "a token that has ended": (
        lambda kafka: kafka.bearer(Issuer(lifetime_seconds=-60).read),
        "not_authorised",
        "refused the token",
    ),
    "no token": (
        lambda kafka: kafka.bearer(nothing),
        "not_authorised",
        "there is no token for OAUTHBEARER: file token",
    ),
}


@pytest.mark.parametrize("way", BAD)
async def test_a_wrong_way_in_is_told_in_words_without_secrets(way: str, kafka: SecuredKafka) -> None:
    settings, reason, words = BAD[way][0](kafka), *BAD[way][1:]
    async with Publisher(settings) as publisher:
        trouble = publisher.trouble
    assert trouble is not None
    assert (trouble.reason, words in trouble.detail) == (reason, True), trouble
    assert not {word for word in ("canary", PASSWORD) if word in trouble.detail}


async def test_a_lane_that_is_not_let_in_holds_its_offsets_and_says_why(kafka: SecuredKafka) -> None:
    world = KafkaWorld(kafka.plain())
    await world.open()
    await world.publish(b"one")
    world.settings = kafka.sasl("SCRAM-SHA-512", password="canary")
    source = world.source()
    seat = await seated(source)
    while not isinstance(got := await source.poll((), 0.5), Trouble):
        assert got == ()
    assert (got.reason, "refused the user or the password" in got.detail) == ("not_authorised", True)
    assert seat.told == []
    assert isinstance(await source.commit({}), Trouble)
    await source.stop()
    offsets = await committed_offsets(kafka.plain(), f"vestnik.{world.lane}", [world.topic])
    assert not isinstance(offsets, Trouble)
    assert set(offsets.values()) == {None}
    await world.close()


async def test_tokens_that_end_every_two_seconds_lose_nothing(kafka: SecuredKafka) -> None:
    issuer = Issuer(lifetime_seconds=60.0)
    cut = await through_expiries(kafka.plain(), kafka.bearer(issuer.read, "SHORT"), 3 * REAUTH_SECONDS)
    assert (cut.lost, cut.read) == (0, cut.published)
    assert cut.published > 10
    # Each expiry is a new connection with a new token, and none of them costs the assignment.
    assert issuer.issued >= 3
    assert cut.rebalances <= 3
    assert cut.rebuilt == 0
