"""`vestnik forget`: on the list at once, and an honest account of what is left."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, PARTLY, USAGE
from consumer.app.forgetting import names_one, remains
from consumer.core.model import Position, Record
from consumer.core.suppressions import fingerprint
from tests.app.support import ROUTES, setup_of, write

KEY = "0123456789abcdef0123"
LINES = """\
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
lanes:
  app-push: {provider: {type: console}, mode: live}
privacy: {hash_key: {file: hash.key}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, LINES, ROUTES)
    (tmp_path / "hash.key").write_text(KEY)
    (tmp_path / "hash.key").chmod(0o600)
    return tmp_path


def forget(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["forget", *words, "-c", str(folder)])


def test_all_names_of_a_customer_are_listed_by_hash_and_what_is_left_is_told(folder: Path) -> None:
    told = forget(folder, "customer-5", "+7 (999) 123-45-67")
    assert told.exit_code == FINE, told.output
    listed = (folder / "out" / "vestnik.suppressions.jsonl").read_text()
    for name in ("customer-5", "79991234567"):
        assert fingerprint(KEY.encode(), name).hex() in listed
    assert "999" not in told.stdout
    for place in ("vestnik.journal.app-push", "vestnik.dead-letters", "shop.orders", "vestnik.suppressions", "console"):
        assert place in told.stdout


def test_machines_get_the_same_and_dead_letters_in_files_are_said_not_to_be_looked_through(folder: Path) -> None:
    told = forget(folder, "customer-5", "--letters", "-o", "json")
    assert told.exit_code == PARTLY
    found = json.loads(told.stdout)
    assert (found["letters"], len(found["troubles"])) == (None, 1)
    assert {each["whose"] for each in found["remains"]} == {"vestnik", "the shop", "console"}


def test_without_a_key_nothing_is_done_and_it_is_said(tmp_path: Path) -> None:
    write(tmp_path, LINES.replace("privacy: {hash_key: {file: hash.key}}\n", ""), ROUTES)
    told = forget(tmp_path, "customer-5")
    assert (told.exit_code, "nothing was done: the configuration has no privacy.hash_key" in told.stderr) == (
        FAILED,
        True,
    )
    assert forget(tmp_path, "customer-5", "--reason", "x" * 201).exit_code == USAGE


def test_retentions_are_told_in_time_and_a_topic_that_keeps_all_is_named(tmp_path: Path) -> None:
    kept = {"vestnik.journal.app-push": 16 * 86_400.0, "shop.orders": float("inf")}
    found = {each.place: each for each in remains(setup_of(tmp_path), kept)}
    assert found["vestnik.journal.app-push"].goes == "16d after it was written"
    assert found["shop.orders"].goes.startswith("never: ")
    assert found["shop.bonuses"].goes.endswith("it was not looked up")
    assert found["vestnik.journal.app-push"].kept_seconds == 16 * 86_400.0


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        (b"c5", b"{}", True),
        (None, b'{"customer": {"id": "c5"}}', True),
        (None, b'{"customer": {"phones": ["+7 999 123 45 67"]}}', True),
        (None, b'{"customer": {"id": "c6"}, "order": {"id": "c5"}}', False),
        (None, b'["x", {"y": "c5"}]', True),
        (b"c6", b'{"customer": {"id": 5.5, "vip": null}}', False),
        (None, b'{"customer": {"id": "c5"', True),
        (None, None, False),
    ],
)
def test_a_letter_names_somebody_by_its_key_its_customer_or_its_bytes(
    key: bytes | None, value: bytes | None, named: bool
) -> None:
    record = Record(Position("t", 0, 0), 0.0, key, value)
    assert names_one(record, {"c5", "79991234567"}) is named
