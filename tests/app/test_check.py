"""What `vestnik check` tells a template author of a folder as `vestnik init` writes it, with this or that changed."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import FINE, USAGE
from consumer.app.setup import Mistakes, load_setup
from tests.app.support import CONFIG, edit, write

ORPHAN = "no route has this event for an example"


def warnings(folder: Path) -> tuple[str, ...]:
    """What is told beside the mistakes or without any."""
    found = load_setup(folder / "vestnik.yaml", {})
    assert not isinstance(found, list) or isinstance(found, Mistakes)
    return found.warnings


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("priority: normal", "priority: 7"),
        ("id: order-refunded", "bogus: 1\n  id: order-refunded"),
        ("- id: order-created", "- id: {order-created"),
        ("on: order.paid", "on: order.payd"),
    ],
)
def test_the_examples_of_a_route_with_a_mistake_are_not_taken_for_orphans(catalogue: Path, old: str, new: str) -> None:
    edit(catalogue / "routes" / "customer_orders.yaml", old, new)
    assert not [each for each in warnings(catalogue) if ORPHAN in each or "no route" in each]


def test_an_orphan_is_told_where_all_routes_are_read(catalogue: Path) -> None:
    spare = catalogue / "examples" / "spare.json"
    spare.write_text((catalogue / "examples" / "order_paid.json").read_text("utf-8"), "utf-8")
    edit(catalogue / "routes" / "customer_orders.yaml", 'expect: {title: "Заказ', 'expect: {title: "Другой')
    assert [each for each in warnings(catalogue) if ORPHAN in each] == [
        f"{spare}:1: {ORPHAN}; name it in a route, or remove it"
    ]


def test_the_table_has_the_routes_of_every_lane(catalogue: Path) -> None:
    told = CliRunner().invoke(app, ["check", "-c", str(catalogue)]).stdout
    (staff,) = [line for line in told.splitlines() if line.startswith("staff-order-cancelled ")]
    assert staff.split() == ["staff-order-cancelled", "staff", "5m", "one", "each", "/", "1", "6,000", "/", "599,980"]


def test_a_text_of_more_bytes_than_the_portal_takes_is_warned_of_once(catalogue: Path) -> None:
    edit(catalogue / "routes" / "staff.yaml", "Новый заказ {{", f"{'Новый заказ ' * 43}{{{{")
    (told,) = [each for each in warnings(catalogue) if "bytes" in each]
    assert re.search(r"staff\.yaml:15: .*title and text together come to 10\d\d bytes with an example", told), told
    assert "lane staff shows 1000; make it shorter" in told


def test_a_lane_without_a_quota_has_no_bound(tmp_path: Path) -> None:
    config = CONFIG.replace("type: imshop", "type: console").replace("      url: https://push.example/send\n", "")
    path = write(tmp_path, config.replace("      key: {env: IMSHOP_KEY}\n", ""))
    told = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert re.search(r"order-paid +app-push +30m +one each / 1 +no bound", told.stdout), told.output
    reach = json.loads(CliRunner().invoke(app, ["check", "-c", str(path), "-o", "json"]).stdout)["reach"]
    assert [each["pushes_per_minute"] for each in reach[0]["wordings"]] == [None, None]


def test_a_machine_without_keys_checks_strictly_all_the_same(catalogue: Path) -> None:
    """Texts are checked where no key may be; what else is worth a warning still fails."""
    strict = ["check", "-c", str(catalogue), "--strict"]
    failed = CliRunner().invoke(app, strict)
    assert (failed.exit_code, "secrets/imshop.key" in failed.stderr) == (USAGE, True)
    passed = CliRunner().invoke(app, [*strict, "--without-secrets"])
    assert (passed.exit_code, "warning" in passed.output) == (FINE, False)
    edit(catalogue / "routes" / "staff.yaml", "ttl: 4h", "until: 2020-01-01T00:00:00Z\n  ttl: 4h")
    failed = CliRunner().invoke(app, [*strict, "--without-secrets"])
    assert (failed.exit_code, "until has passed" in failed.stderr, "secrets/" in failed.stderr) == (USAGE, True, False)


def test_keys_are_not_missed_beside_mistakes_either(catalogue: Path) -> None:
    edit(catalogue / "routes" / "staff.yaml", "ttl: 4h", "ttl: 4")
    told = CliRunner().invoke(app, ["check", "-c", str(catalogue), "--without-secrets"])
    assert (told.exit_code, "secrets/" in told.stderr) == (USAGE, False)
