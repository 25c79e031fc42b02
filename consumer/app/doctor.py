"""`vestnik doctor`: is everything there that a lane needs? It looks, and tells nobody anything."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumer.app import wiring
from consumer.app.asking import admin_address
from consumer.app.checks import secret_refs
from consumer.app.doctor_cluster import PART, broker_rows, right_rows, topic_rows
from consumer.app.doctor_lanes import lane_rows, process_rows
from consumer.app.doctor_row import Row, row_of
from consumer.app.setup import Setup
from consumer.core.model import Trouble
from consumer.sinks.examination import examine
from consumer.streams import topics
from consumer.streams.inspection import Inspector, inspecting


@dataclass(frozen=True, slots=True)
class Visit:
    """How to look: how many replicas topics should have, and the admin ports of processes to compare."""

    replicas: int
    addresses: Sequence[str] = ()


async def diagnose(setup: Setup, visit: Visit) -> list[Row]:
    """Everything that can be seen from here, in the order in which a lane needs it."""
    rows = [*_configuration(setup), *_secrets(setup), *await _kafka(setup, visit)]
    for lane, account in setup.accounts.items():
        findings = await examine(account, wiring.surroundings(setup, lambda _: None, lane))
        rows += [row_of(f"lane {lane}", finding) for finding in findings]
    own = admin_address(setup)
    addresses = visit.addresses or ([own] if own is not None else [])
    return [*rows, *await process_rows(setup, addresses, asked=bool(visit.addresses))]


def _configuration(setup: Setup) -> Iterator[Row]:
    lanes, routes = len(setup.config.lanes), len(setup.routes.routes)
    yield Row("configuration", "sound", "ok", f"{lanes} lanes, {routes} routes")
    for warning in setup.warnings:
        yield Row("configuration", "warning", "warning", warning)


def _secrets(setup: Setup) -> Iterator[Row]:
    models = [("configuration", setup.config), *((f"lane {lane}", part) for lane, part in setup.accounts.items())]
    for part, model in models:
        for path, ref in secret_refs(model):
            value, name = setup.read_secret(ref), f"secret {'.'.join(map(str, path))}"
            if isinstance(value, Trouble):
                yield Row(part, name, "failed", value.detail, f"it is looked for in: {ref.where}")
            else:
                yield Row(part, name, "ok", ref.where)


async def _kafka(setup: Setup, visit: Visit) -> list[Row]:
    if setup.config.kafka is None:
        return [Row(PART, "not used", "ok", "records come from a file")]
    problems = await topics.check(wiring.kafka_settings(setup), wiring.wanted_topics(setup, visit.replicas))
    wide = [problem for problem in problems if not problem.topic]
    if wide:
        return [Row(PART, "brokers", "failed", problem.what, problem.mend) for problem in wide]
    async with inspecting(wiring.kafka_settings(setup)) as inspector:
        if isinstance(inspector, Trouble):
            return [_silent(inspector)]
        return await _inspected(setup, visit, inspector, problems)


async def _inspected(
    setup: Setup, visit: Visit, inspector: Inspector, problems: Sequence[topics.TopicProblem]
) -> list[Row]:
    specs = wiring.wanted_topics(setup, visit.replicas)
    cluster = await inspector.cluster(spec.name for spec in specs)
    if isinstance(cluster, Trouble):
        return [_silent(cluster)]
    now = time.time()
    rows = [*broker_rows(setup, cluster, now), *topic_rows(setup, problems, cluster), *right_rows(setup, cluster)]
    return rows + await lane_rows(setup, inspector, now)


def _silent(trouble: Trouble) -> Row:
    return Row(PART, "brokers", "failed", f"{trouble.reason} {trouble.detail}".strip())
