"""What `vestnik preview` shows a template author: a message as a phone shows it, and what its lane makes of it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import FINE
from consumer.catalogue import catalogue_files
from tests.app.support import ROUTES, write

STAFF = "staff-order-created"


def shown(catalogue: Path, *words: str) -> str:
    found = CliRunner().invoke(app, ["preview", "-c", str(catalogue), *words])
    assert found.exit_code == FINE, found.output
    return found.stdout


def test_a_route_to_staff_is_held_against_its_own_provider(catalogue: Path) -> None:
    """Bitrix24 cuts at bytes, and has no title; what IMSHOP shows is no concern of its texts."""
    drawn = shown(catalogue, STAFF, "--locale", "ru")
    assert "imshop" not in drawn
    assert "bitrix24 text  ███░░░░░░░░░░░░░░░░░ 126 of 1000 bytes" in drawn
    (long, _) = json.loads(shown(catalogue, STAFF, "--locale", "ru", "-o", "json"))
    assert long["lengths"] == [
        {"provider": "bitrix24", "part": "text", "length": 126, "most": 1000, "unit": "bytes", "over": False}
    ]


def test_a_message_without_a_title_has_no_line_for_one(catalogue: Path) -> None:
    drawn = shown(catalogue, STAFF, "--locale", "ru").splitlines()
    assert drawn[2].startswith("│ Новый заказ М-428")
    assert "  text 81 characters" in drawn


@pytest.mark.parametrize("route", ["order-paid", "bonus-accrued"])
def test_a_route_to_customers_is_held_against_what_a_phone_shows(catalogue: Path, route: str) -> None:
    drawn = shown(catalogue, route)
    assert ("imshop title" in drawn, "bitrix24" in drawn) == (True, False)


def test_a_line_is_never_broken_where_a_phone_does_not_break_it(tmp_path: Path) -> None:
    """A space that must not break stands within an amount, and it is still there when the lines are made."""
    amount = "29\u00a0336,50\u00a0₽"
    path = write(
        tmp_path, routes=ROUTES.replace("Thank you", f"Thank you for your new order, that is to say: {amount}")
    )
    event = tmp_path / "paid.json"
    event.write_text(catalogue_files()["examples/order_paid.json"])
    drawn = CliRunner().invoke(app, ["preview", "order-paid", "-c", str(path), "--event", str(event)]).stdout
    assert f"│ {amount} " in drawn


def test_one_text_for_everybody_is_said_in_words(catalogue: Path) -> None:
    drawn = shown(catalogue, "order-paid", "--locale", "ru")
    assert "  one text for everybody" in drawn.splitlines()
    assert "lane.slug" not in drawn
    assert "about 100 different texts: bonus.amount" in shown(catalogue, "bonus-accrued")
