"""`vestnik publish` as people call it: good input reaches a broker, bad input gets one clear line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from consumer.core.model import Trouble
from consumer.demo.broker import FETCH_WAIT_MS, EmbeddedBroker
from consumer.demo.commands import add_to
from consumer.demo.world import SOURCES
from consumer.streams.reading import read_whole
from consumer.streams.settings import KafkaSettings, Timing

pytest.importorskip("confluent_kafka")

HEAD = "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,\
order_delivered_customer_date,order_estimated_delivery_date\n"
FILES = {
    "orders.csv": HEAD + "o1,c1,delivered,2017-11-24 10:00:00,2017-11-24 10:30:00,,2017-11-25 09:00:00,\n",
    "customers.csv": "customer_id,customer_unique_id\nc1,person1\n",
    "order_payments.csv": "order_id,payment_type,payment_value\no1,credit_card,100.00\n",
    "order_items.csv": "order_id\no1\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def bootstrap() -> Iterator[str]:
    with EmbeddedBroker(SOURCES) as broker:
        yield broker.bootstrap


def call(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    add_to(app)
    result = CliRunner().invoke(app, ["publish", *arguments])
    return result.exit_code, result.output


async def held(bootstrap: str) -> int:
    settings = KafkaSettings(bootstrap, timing=Timing(fetch_wait_ms=FETCH_WAIT_MS))
    records = await read_whole(settings, SOURCES)
    assert not isinstance(records, Trouble)
    return len(records)


@pytest.fixture
def published(bootstrap: str, folder: Path) -> tuple[str, str]:
    """One day of real orders, at once."""
    code, said = call("--bootstrap", bootstrap, "--olist", str(folder), "--day", "2017-11-24", "--speed", "1e6")
    assert code == 0, said
    return bootstrap, said


async def test_a_day_of_real_orders_reaches_the_broker(published: tuple[str, str]) -> None:
    bootstrap, said = published
    assert said == "2 records published, 0 of them poisoned on purpose\n"
    assert await held(bootstrap) == 2


def test_the_sample_shop_publishes_for_as_long_as_it_is_told(bootstrap: str) -> None:
    code, said = call("--bootstrap", bootstrap, "--seconds", "1", "--rate", "40")
    assert code == 0, said
    assert "records published, 8 of them poisoned on purpose" in said


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--day", "2017-11-24"], 2, "belong to --olist"),
        (["--olist", "."], 2, "no orders.csv"),
        (["--olist", "{folder}", "--day", "2017-11-24", "--from", "2017-11-24"], 2, "say --day, or --from and --to"),
        (["--olist", "{folder}", "--from", "2017-11-24", "--to", "2017-11-23"], 2, "--from must be before --to"),
        (["--config", "{folder}/none.yaml"], 2, "cannot be read"),
        (["--bootstrap", "127.0.0.1:1"], 1, "stopped: broker_unreachable"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments: list[str], code: int, line: str, folder: Path) -> None:
    found, said = call(*(argument.format(folder=folder) for argument in arguments))
    assert found == code, said
    assert line in said
    assert "Traceback" not in said
