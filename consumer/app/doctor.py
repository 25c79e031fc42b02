"""`vestnik doctor`: is everything there that a lane needs? It looks, and tells nobody anything."""

from collections.abc import Iterator
from dataclasses import dataclass

from consumer.app import wiring
from consumer.app.checks import secret_refs
from consumer.app.setup import Setup
from consumer.core.model import Trouble
from consumer.sinks.examination import Finding, State, examine
from consumer.streams import topics


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at: whose it is, what it is, how it stands."""

    part: str
    what: str
    state: State
    detail: str


async def diagnose(setup: Setup, replicas: int) -> list[Row]:
    """Everything that can be seen from here, in the order in which a lane needs it."""
    rows = [*_configuration(setup), *_secrets(setup), *await _topics(setup, replicas)]
    for lane, account in setup.accounts.items():
        findings = await examine(account, wiring.surroundings(setup, lambda _: None, lane))
        rows += [_row(f"lane {lane}", finding) for finding in findings]
    return rows


def _row(part: str, finding: Finding) -> Row:
    return Row(part, finding.what, finding.state, finding.detail)


def _configuration(setup: Setup) -> Iterator[Row]:
    lanes, routes = len(setup.config.lanes), len(setup.routes.routes)
    yield Row("configuration", "sound", "fine", f"{lanes} lanes, {routes} routes")
    for warning in setup.warnings:
        yield Row("configuration", "warning", "warning", warning)


def _secrets(setup: Setup) -> Iterator[Row]:
    models = [("configuration", setup.config), *((f"lane {lane}", part) for lane, part in setup.accounts.items())]
    for part, model in models:
        for path, ref in secret_refs(model):
            value = setup.read_secret(ref)
            name = f"secret {'.'.join(map(str, path))}"
            trouble = value.detail if isinstance(value, Trouble) else ""
            yield Row(part, name, "failed" if trouble else "fine", trouble or ref.where)


async def _topics(setup: Setup, replicas: int) -> list[Row]:
    kafka = setup.config.kafka
    if kafka is None:
        return [Row("kafka", "not used", "fine", "records come from a file")]
    problems = await topics.check(wiring.kafka_settings(setup), wiring.wanted_topics(setup, replicas))
    wide = [problem for problem in problems if not problem.topic]
    if wide:
        return [Row("kafka", "brokers", "failed", str(problem)) for problem in wide]
    rows = [Row("kafka", "brokers", "fine", f"{kafka.servers} answers")]
    rows += [Row("kafka", f"topic {problem.topic}", "failed", str(problem)) for problem in problems]
    return rows if problems else [*rows, Row("kafka", "topics", "fine", "all are there, and as they should be")]
