"""`vestnik preview` of events that are in the topics: one at its place, or the last of a type."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, USAGE
from consumer.demo.broker import EmbeddedBroker
from tests.app.support import CONFIG, ROUTES, write
from tests.core.planning import bonus, order

pytest.importorskip("confluent_kafka")


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(("shop.orders", "shop.bonuses")) as running:
        yield running


def previewed(folder: Path, broker: EmbeddedBroker, *words: object) -> Result:
    path = write(folder, CONFIG.replace("localhost:9092", broker.bootstrap), ROUTES)
    return CliRunner().invoke(app, [str(word) for word in ("preview", *words, "-c", path)])


def publish(broker: EmbeddedBroker, number: int, partition: int = 0, kind: str = "order.paid") -> None:
    event = order(type=kind, event_id=f"e-{number}", order__id=f"o-{number}")
    broker.publish("shop.orders", json.dumps(event).encode(), key=b"k", partition=partition)


def test_a_record_is_previewed_at_its_place(tmp_path: Path, broker: EmbeddedBroker) -> None:
    for number in range(3):
        publish(broker, number, partition=1)
    shown = previewed(tmp_path, broker, "--at", "shop.orders:1:1", "-o", "json")
    assert shown.exit_code == FINE, shown.output
    found = json.loads(shown.stdout)
    assert [each["title"] for each in found] == ["Order o-1 is paid", "Your order is paid"]
    assert {each["source"] for each in found} == {"shop.orders:1:1"}


def test_a_record_that_is_gone_or_none_is_told(tmp_path: Path, broker: EmbeddedBroker) -> None:
    broker.publish("shop.orders", b"{", partition=2)
    gone = previewed(tmp_path, broker, "--at", "shop.orders:3:77")
    assert (gone.exit_code, "cannot be read" in gone.stderr) == (FAILED, True)
    poison = previewed(tmp_path, broker, "--at", "shop.orders:2:0")
    assert (poison.exit_code, "is no event: invalid_json" in poison.stderr) == (FAILED, True)


def test_the_last_events_of_a_type_are_found_among_others(tmp_path: Path, broker: EmbeddedBroker) -> None:
    for number in range(4):
        publish(broker, number, partition=number % 4)
    publish(broker, 90, kind="order.created")
    broker.publish("shop.bonuses", json.dumps(bonus()).encode())
    broker.publish("shop.orders", b"poison")
    shown = previewed(tmp_path, broker, "order-paid", "--last", 3, "-o", "json")
    assert shown.exit_code == FINE, shown.output
    titles = [each["title"] for each in json.loads(shown.stdout) if each["level"] == 0]
    assert len(titles) == 3
    assert set(titles) < {f"Order o-{number} is paid" for number in range(4)}


def test_a_type_that_no_route_takes_or_no_topic_has_is_told(tmp_path: Path, broker: EmbeddedBroker) -> None:
    publish(broker, 1, kind="order.created")
    publish(broker, 2)
    other = previewed(tmp_path, broker, "--last", 5, "--type", "order.created")
    assert (other.exit_code, "no route takes order.created" in other.stderr) == (FAILED, True)
    nothing = previewed(tmp_path, broker, "--last", 5, "--type", "order.refunded")
    assert (nothing.exit_code, "no such event is in the topics" in nothing.stderr) == (FAILED, True)


def test_events_far_from_the_end_are_found(tmp_path: Path, broker: EmbeddedBroker) -> None:
    publish(broker, 7)
    for number in range(260):
        publish(broker, 1000 + number, kind="order.created")
    shown = previewed(tmp_path, broker, "--last", 1, "--type", "order.paid", "-o", "json")
    assert json.loads(shown.stdout)[0]["title"] == "Order o-7 is paid"


def test_without_kafka_there_are_no_records(tmp_path: Path) -> None:
    config = CONFIG.replace("kafka:\n  bootstrap: localhost:9092", "source: {lines: events.jsonl}")
    shown = CliRunner().invoke(app, ["preview", "--last", "1", "-c", str(write(tmp_path, config))])
    assert (shown.exit_code, "there are no topics" in shown.stderr) == (USAGE, True)
