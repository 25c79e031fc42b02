"""The doctor at the brokers: are they reached, are the topics as they should be, and is everything allowed?"""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from consumer.app import wiring
from consumer.app.doctor_row import Row
from consumer.app.setup import Setup
from consumer.core.control import TOPIC as CONTROL
from consumer.core.units import spell_seconds
from consumer.sinks.token_topic import TOPIC as TOKENS
from consumer.streams.inspection import Broker, Cluster, TopicState
from consumer.streams.topics import TopicProblem

PART = "kafka"
RELEASE = (3, 0)
CERTIFICATE_SECONDS = 14 * 86_400.0
READS, WRITES = frozenset({"Read", "Describe"}), frozenset({"Write", "Describe"})


# --- brokers ----------------------------------------------------------------------------------------------------------


def broker_rows(setup: Setup, cluster: Cluster, now: float) -> Iterator[Row]:
    """Whether each broker is reached at the address that it tells, what it is, and whether others may listen."""
    reached = [broker for broker in cluster.brokers if not broker.trouble]
    for broker in cluster.brokers:
        if broker.trouble:
            mend = "is it up, and can this host reach the address in its advertised.listeners?"
            yield Row(PART, f"broker {broker.node} at {broker.host}:{broker.port}", "failed", broker.trouble, mend)
    if reached:
        releases = ", ".join(dict.fromkeys(broker.release for broker in reached))
        yield Row(PART, "brokers", "ok", f"{len(reached)} reached; Kafka {releases}")
    for broker in reached:
        if _older(broker.release):
            mend = "grant IdempotentWrite on the cluster, and plan an upgrade"
            yield Row(PART, f"release of broker {broker.node}", "warning", broker.release, mend)
    yield from _secrecy(setup, reached, now)


def _older(release: str) -> bool:
    numbers = release.split(maxsplit=1)[0].split(".")
    return not all(each.isdigit() for each in numbers) or tuple(map(int, numbers)) < RELEASE


def _secrecy(setup: Setup, brokers: list[Broker], now: float) -> Iterator[Row]:
    kafka = setup.config.kafka
    if kafka is None or not brokers:
        return
    if not kafka.security.tls:
        far = [broker for broker in brokers if not _is_near(broker.host)]
        if far:
            mend = "kafka.security.tls: true; orders and names travel over this line"
            yield Row(PART, "TLS", "warning", f"none, although {far[0].host} is another machine", mend)
        return
    for broker in brokers:
        yield _certificate(broker, now)


def _certificate(broker: Broker, now: float) -> Row:
    what = f"TLS of broker {broker.node}"
    if broker.certificate_ends is None:
        return Row(PART, what, "ok", broker.tls)
    left = ssl.cert_time_to_seconds(broker.certificate_ends) - now
    detail = f"{broker.tls}, its certificate ends {broker.certificate_ends}"
    soon = left < CERTIFICATE_SECONDS
    return Row(PART, what, "warning" if soon else "ok", detail, "renew it" if soon else "")


def _is_near(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- topics -----------------------------------------------------------------------------------------------------------


def topic_rows(setup: Setup, problems: Iterable[TopicProblem], cluster: Cluster) -> Iterator[Row]:
    """Shapes and settings as `topics check` has them, and what it does not look at: replicas, and what sources keep."""
    rows = [Row(PART, f"topic {each.topic}", "failed", each.what, each.mend) for each in problems]
    rows += [row for name in sorted(cluster.topics) for row in _health(cluster.topics[name])]
    rows += _source_retention(setup, cluster.topics)
    rows += _share_rows(setup, cluster.topics)
    if not rows:
        yield Row(PART, "topics", "ok", f"{len(cluster.topics)} are there, as they should be, and in sync")
    yield from rows


def _health(topic: TopicState) -> Iterator[Row]:
    what = f"topic {topic.name}"
    if topic.leaderless:
        detail = f"no leader for {_partitions(topic.leaderless)}"
        yield Row(PART, what, "failed", detail, "bring back the brokers that have it")
    elif topic.lagging:
        detail = f"replicas are out of sync on {_partitions(topic.lagging)}"
        yield Row(PART, what, "warning", detail, "is a broker down, or slow?")
    least = topic.configs.get("min.insync.replicas", "1")
    if topic.replicas > 1 and least.isdigit() and int(least) >= topic.replicas:
        detail = f"min.insync.replicas is {least} of {topic.replicas} replicas: one broker down stops every write"
        yield Row(PART, what, "warning", detail, f"min.insync.replicas={topic.replicas - 1}")


def _partitions(numbers: tuple[int, ...]) -> str:
    return f"partition{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _source_retention(setup: Setup, topics: Mapping[str, TopicState]) -> Iterator[Row]:
    """News that would still be told must not be gone when a lane comes back."""
    longest = max((loaded.route.ttl for loaded in setup.routes.routes), default=0.0)
    for name in setup.config.topics.sources:
        kept = topics[name].configs.get("retention.ms", "-1") if name in topics else "-1"
        if kept != "-1" and int(kept) / 1000 < longest:
            detail = (
                f"keeps records {spell_seconds(int(kept) / 1000)}, and news is worth telling {spell_seconds(longest)}"
            )
            yield Row(PART, f"topic {name}", "warning", detail, "keep them longer, or lose some when a lane is down")


def _share_rows(setup: Setup, topics: Mapping[str, TopicState]) -> Iterator[Row]:
    """Shares share out partitions: there should be one for each, and one customer's should be one share's."""
    counts = {name: topics[name].partitions for name in setup.config.topics.sources if name in topics}
    most = max(counts.values(), default=0)
    for lane, config in setup.config.lanes.items():
        if config.shares is None or not counts:
            continue
        if config.shares > most:
            detail = f"{config.shares} shares, but no source has more than {most} partitions: some shares stand idle"
            yield Row(f"lane {lane}", "shares", "warning", detail, "give the sources more partitions")
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} has {count}" for name, count in counts.items())
            detail = f"{told} partitions: events of one customer may be in two shares, which know nothing of each other"
            yield Row(f"lane {lane}", "shares", "warning", detail, "give topics of the same customers equally many")


# --- rights -----------------------------------------------------------------------------------------------------------


def needed_rights(setup: Setup) -> dict[str, frozenset[str]]:
    """What a process must be allowed to do with each topic, as docs/topics.md has it."""
    config = setup.config
    needed = dict.fromkeys(config.topics.sources, READS)
    for lane in config.names:
        needed[wiring.journal_topic(lane)] = READS | WRITES
        if config.lane(lane).backfill:
            needed[wiring.backfill_topic(lane)] = READS
    needed |= {config.topics.dead_letters: WRITES, CONTROL: READS}
    if config.privacy is not None:
        needed[wiring.SUPPRESSIONS] = READS
    if any(getattr(account, "token_topic", None) is not None for account in setup.accounts.values()):
        needed[TOKENS] = READS | WRITES
    return needed


def right_rows(setup: Setup, cluster: Cluster) -> Iterator[Row]:
    """The rights that are missing, as the broker itself tells; nothing is tried out."""
    needed = needed_rights(setup)
    rows = [row for name in sorted(needed) if name in cluster.topics for row in _lacking(cluster.topics[name], needed)]
    refused = {name: each for name, each in cluster.troubles.items() if each.reason == "not_authorised"}
    rows += [
        Row(PART, f"rights on {name}", "failed", "Describe is missing", _grant(name, "Describe")) for name in refused
    ]
    if not rows:
        yield Row(PART, "rights on topics", "ok", "all that lanes need, as the brokers tell")
    yield from rows


def _lacking(topic: TopicState, needed: Mapping[str, frozenset[str]]) -> Iterator[Row]:
    what = f"rights on {topic.name}"
    if topic.allowed is None:
        yield Row(PART, what, "unknown", "the broker does not tell; a lane that lacks one says not_authorised")
        return
    lacking = sorted(needed[topic.name] - topic.allowed)
    if lacking:
        mend = _grant(topic.name, *lacking)
        yield Row(PART, what, "failed", f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing", mend)


def _grant(topic: str, *operations: str) -> str:
    asked = " ".join(f"--operation {operation}" for operation in operations)
    return f"kafka-acls.sh --add --allow-principal User:… {asked} --topic {topic}"
