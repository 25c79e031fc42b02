"""What every provider owes, whoever wrote it: called with one, each function raises where it does not keep its word."""

from typing import Any

import yaml

from consumer.core.document import read_document
from consumer.core.model import Delivered, Refused, Unsure
from consumer.sinks.base import Access, Call, Provider, SinkConfig
from consumer.sinks.http import origin_of
from tests.sinks.support import CANARY, ODD_BODIES, batch, reply

NAMED = dict.fromkeys(("Authorization", "X-Key"), CANARY)
ACCESS = Access(CANARY, secrets=NAMED, lane="lane")
PEOPLE = ("17", "23")


def example_of(provider: Provider[Any]) -> SinkConfig:
    """The provider's own example, as its configuration reads it."""
    text = f"{{type: {provider.name}}}" if not provider.example else _yaml({"type": provider.name, **provider.example})
    found = read_document(text, "lane.yaml", provider.config)
    assert isinstance(found, SinkConfig), found
    return found


def _yaml(document: object) -> str:
    return yaml.safe_dump(document, allow_unicode=True)


def says_what_it_may(provider: Provider[Any]) -> None:
    limits = provider.limits(example_of(provider))
    assert limits.capacity.parcels >= 1
    assert limits.capacity.recipients >= 1
    assert limits.timeout_seconds > 0
    assert limits.in_flight >= 1
    assert provider.config.__doc__


def composes_purely(provider: Provider[Any]) -> None:
    config = example_of(provider)
    first, second = (provider.compose(config, batch(*PEOPLE), ACCESS) for _ in range(2))
    assert first == second
    assert isinstance(first, Call | Refused | tuple)
    if isinstance(first, Call):
        assert CANARY not in repr(first)
        assert not first.url or origin_of(first.url) is not None
        assert CANARY not in first.url


def judges_everything(provider: Provider[Any]) -> None:
    """500 statuses with 40 bodies: always a verdict, for all or for each; never a yes that is not 2xx."""
    config, people = example_of(provider), batch(*PEOPLE)
    for status in range(100, 600):
        for body in ODD_BODIES:
            verdicts = provider.judge(config, people, reply(status, body))
            assert len(verdicts) in (1, len(PEOPLE))
            if not 200 <= status < 300:
                assert not any(isinstance(verdict, Delivered) for verdict in verdicts), (status, body[:60])
            if provider.idempotent:
                assert not any(isinstance(verdict, Unsure) for verdict in verdicts), (status, body[:60])


CONTRACT = (says_what_it_may, composes_purely, judges_everything)
