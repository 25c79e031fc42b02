"""Snapshots: what is said of examples is written down, compared, and never read for routes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, USAGE
from consumer.catalogue import catalogue_files
from consumer.core.document import Tree, read_tree
from tests.app.support import CONFIG, ROUTES, write

EXAMPLES = "  examples:\n    - {event: order_paid.json}\n    - {event: order_silent.json, sent: false}\n"
MEND = "if it is meant: vestnik check --update-snapshots"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A route with an example beside it, where route files are looked for."""
    monkeypatch.setenv("IMSHOP_KEY", "k")
    write(tmp_path, CONFIG, ROUTES.replace("  lane:", "  when: event.customer.consents.push\n  lane:") + EXAMPLES)
    text = catalogue_files()["examples/order_paid.json"]
    (tmp_path / "routes" / "order_paid.json").write_text(text)
    (tmp_path / "routes" / "order_silent.json").write_text(text.replace('"push": true', '"push": false'))
    return tmp_path


def check(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["check", "-c", str(folder), *words])


def snapshot(folder: Path) -> Path:
    return folder / "routes" / "order_paid.snapshot.yaml"


def test_snapshots_are_written_beside_examples_that_say_something(folder: Path) -> None:
    assert not snapshot(folder).exists()
    written = check(folder, "--update-snapshots")
    assert (written.exit_code, "1 snapshot written." in written.stderr) == (FINE, True)
    assert not (folder / "routes" / "order_silent.snapshot.yaml").exists()
    tree = read_tree(snapshot(folder).read_text("utf-8"), "a")
    assert isinstance(tree, Tree)
    assert tree.data == {
        "order-paid": {
            "ru": [
                {"title": "Order 05671863 is paid", "text": "Thank you"},
                {"title": "Your order is paid", "text": "Thank you"},
            ]
        }
    }
    again = check(folder, "--update-snapshots")
    assert "0 snapshots written." in again.stderr


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (
            "is paid",
            "was paid",
            4,
            'route order-paid in ru, the most personal: title is "Order 05671863 is paid"; the snapshot',
        ),
        (
            "  ru:",
            "  en:",
            2,
            'route order-paid in ru, the most personal: title is "Order 05671863 is paid"; the snapshot has ""',
        ),
        (
            "order-paid:",
            "order-gone:",
            2,
            "route order-paid says something of order_paid.json, and the snapshot has no",
        ),
        (
            "order-paid:",
            "order-gone:",
            2,
            "route order-gone says nothing of order_paid.json, and the snapshot still has",
        ),
        ("order-paid:", "order-paid: 3 #", 3, "not YAML"),
        ("order-paid:", "- order-paid:", 1, "this is no snapshot"),
    ],
)
def test_a_snapshot_that_says_something_else_is_a_mistake(
    folder: Path, old: str, new: str, line: int, words: str
) -> None:
    check(folder, "--update-snapshots")
    text = snapshot(folder).read_text("utf-8")
    assert old in text
    snapshot(folder).write_text(text.replace(old, new, 1), "utf-8")
    found = check(folder)
    assert found.exit_code == USAGE
    assert f"order_paid.snapshot.yaml:{line}: {words}" in found.stderr
    assert check(folder, "--update-snapshots").exit_code == FINE
    assert check(folder).exit_code == FINE


def test_a_snapshot_of_nothing_is_a_mistake_until_it_is_removed(folder: Path) -> None:
    stale = folder / "routes" / "order_gone.snapshot.yaml"
    stale.write_text("{}")
    found = check(folder)
    assert (found.exit_code, "a snapshot of an example that no route names; remove it" in found.stderr) == (USAGE, True)
    check(folder, "--update-snapshots")
    assert not stale.exists()


def test_a_snapshot_that_cannot_be_read_or_written_is_told(folder: Path) -> None:
    snapshot(folder).write_bytes(b"\xff\xfe")
    found = check(folder)
    assert (found.exit_code, f"this snapshot cannot be read; {MEND}" in found.stderr) == (USAGE, True)
    snapshot(folder).unlink()
    snapshot(folder).mkdir()
    refused = check(folder, "--update-snapshots")
    assert (refused.exit_code, "cannot be written" in refused.stderr) == (FAILED, True)


def test_routes_are_held_against_those_that_are_deployed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deployed = tmp_path_factory.mktemp("deployed")
    write(deployed, CONFIG, ROUTES)
    assert check(folder, "--against", str(deployed)).exit_code == FINE
    write(deployed, CONFIG, ROUTES.replace("  lane:", "  to: event.order.id\n  lane:"))
    found = check(folder, "--against", str(deployed))
    assert found.exit_code == USAGE
    assert "to is event.customer, and the route that is deployed has event.order.id; end it with until:" in found.stderr
