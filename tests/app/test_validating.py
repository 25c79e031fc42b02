"""`vestnik event validate` tells publishers each mistake with its place, and what would be right."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, PARTLY, USAGE
from consumer.app.validating import Piece, pieces, position_of
from consumer.core.model import Position
from consumer.demo.broker import EmbeddedBroker
from tests.app.support import CONFIG, ENVIRON, write

PAID: dict[str, Any] = {
    "type": "order.paid",
    "version": 1,
    "occurred_at": "2026-09-01T10:15:00+03:00",
    "customer": {"id": "42"},
    "order": {"id": "M-428", "total": "2450.00"},
}


def changed(**fields: Any) -> dict[str, Any]:
    return PAID | fields


def validate(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["event", "validate", *arguments], input=stdin)


def said(tmp_path: Path, document: object) -> str:
    path = tmp_path / "event.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    result = validate(str(path))
    assert result.exit_code == FAILED
    return result.output.replace(f"{path}: ", "").strip()


def test_a_sound_event_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(PAID, indent=2) + "\n", "utf-8")
    result = validate(str(path))
    assert (result.exit_code, result.output) == (FINE, f"{path}: order.paid, sound\n")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (changed(order={}), "schema: order.id is missing"),
        (changed(order={"id": 428}), 'schema: order.id must be a text: "428" with quotes, not 428'),
        (
            changed(order={"id": "1", "total": "2 450 ₽"}),
            'schema: order.total must be an amount of money as a text, as in "2450.00"',
        ),
        (
            changed(occurred_at="2026-09-01 10:15"),
            "schema: occurred_at must be a time with its offset, as in 2026-09-01T10:15:00+03:00",
        ),
        (changed(version=2), "unknown_version: version input should be less than or equal to 1"),
        (changed(type="order.payed"), 'unknown_type: type there is no event "order.payed"; did you mean "order.paid"?'),
        ({"version": 1}, 'schema: has no "type", such as "order.paid"'),
        ('{"type": "order.paid", "type": "order.paid"}', "duplicate_key: a key stands twice in one object"),
        ('{"type": ', "invalid_json: Expecting value at character 9"),
        ("", "invalid_json: Expecting value at character 0"),
    ],
)
def test_each_mistake_has_its_place_and_what_would_be_right(tmp_path: Path, document: object, words: str) -> None:
    assert said(tmp_path, document).splitlines()[0] == words


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = said(tmp_path, changed(order={"total": 5}, occurred_at="yesterday"))
    assert len(told.splitlines()) == 3


def test_lines_are_events_each_with_its_number() -> None:
    lines = "\n".join([json.dumps(PAID), "", json.dumps(changed(order={})), json.dumps(PAID)])
    result = validate("-", stdin=lines)
    assert result.exit_code == PARTLY
    assert "standard input:3: schema: order.id is missing" in result.output
    assert "3 events, 1 that lanes would not take" in result.output


def test_machines_read_json() -> None:
    result = validate("-", "-o", "json", stdin=json.dumps(changed(order={})))
    assert json.loads(result.output) == [
        {
            "source": "standard input",
            "type": "order.paid",
            "sound": False,
            "reason": "schema",
            "faults": [{"place": "order.id", "what": "is missing"}],
        }
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = validate(str(tmp_path / "none.json"))
    assert result.exit_code == USAGE
    assert "none.json cannot be read: No such file" in result.output


def test_a_position_of_a_topic_is_told_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert position_of("shop.orders:3:1207") == Position("shop.orders", 3, 1207)
    assert position_of("event.json") is None
    (tmp_path / "a:1:2").touch()
    assert position_of("a:1:2") is None


def test_a_record_of_a_topic_needs_brokers(tmp_path: Path) -> None:
    result = validate("shop.orders:0:1", "-c", str(tmp_path / "none.yaml"))
    assert result.exit_code == USAGE


SOURCES = """\
sources:
  shop.bonuses: {format: cloudevents, type_prefix: com.example.}
  shop.orders: {mapping: shopify}
"""
SAMPLE = Path(__file__).resolve().parents[2] / "consumer/catalogue/mappings/examples/shopify_order_paid.json"


def _configured(tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    return str(write(tmp_path, config))


def _cloudevent(document: dict[str, Any]) -> str:
    said = {"specversion": "1.0", "id": "7", "source": "/oms", "type": "com.example.order.paid"}
    return json.dumps(said | {"data": document})


def test_a_file_is_read_as_a_record_of_the_source_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _configured(tmp_path, CONFIG + SOURCES, monkeypatch)
    bare = {name: value for name, value in PAID.items() if name not in ("type", "version")}
    for document, words in ((bare, "order.paid, sound"), (bare | {"order": {}}, "order.id is missing")):
        (tmp_path / "event.json").write_text(_cloudevent(document), "utf-8")
        result = validate(str(tmp_path / "event.json"), "--topic", "shop.bonuses", "-c", config)
        assert words in result.output
    unmapped = validate(str(SAMPLE), "--topic", "shop.orders", "-c", config)
    assert "the mapping of its source has nothing for it" in unmapped.output
    unknown = validate(str(SAMPLE), "--topic", "shop.order", "-c", config)
    assert unknown.exit_code == USAGE
    assert 'did you mean "shop.orders"?' in unknown.output


def test_a_file_in_the_wire_format_keeps_its_last_byte() -> None:
    assert pieces("x", b"\0\0\0\0\1\n") == [Piece("x", b"\0\0\0\0\1\n")]


def test_records_of_a_live_topic_are_judged_in_their_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"7"),
        ("ce_source", b"/oms"),
        ("ce_type", b"com.example.order.paid"),
    )
    with EmbeddedBroker(["shop.orders", "shop.bonuses"]) as broker:
        config = _configured(tmp_path, CONFIG.replace("localhost:9092", broker.bootstrap) + SOURCES, monkeypatch)
        broker.publish("shop.bonuses", json.dumps(PAID).encode(), headers=headers, partition=1)
        broker.publish("shop.bonuses", json.dumps(PAID).encode(), headers=headers[1:], partition=1)
        topic = (("X-Shopify-Topic", b"orders/paid"), ("X-Shopify-Event-Id", b"e-1"))
        broker.publish("shop.orders", SAMPLE.read_bytes(), headers=topic, partition=0)
        result = validate("shop.bonuses:1:0", "shop.bonuses:1:1", "shop.orders:0:0", "-o", "json", "-c", config)
    assert result.exit_code == PARTLY
    said = json.loads(result.output)
    assert [(each["type"], each["reason"]) for each in said] == [
        ("order.paid", ""),
        ("order.paid", "format"),
        ("order.paid", ""),
    ]
    assert "specversion is missing" in said[1]["faults"][0]["what"]
