"""What `vestnik preview` shows a template author: a message as a phone shows it, and what its lane makes of it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import FINE

STAFF = "staff-order-created"


def shown(catalogue: Path, *words: str) -> str:
    found = CliRunner().invoke(app, ["preview", "-c", str(catalogue), *words])
    assert found.exit_code == FINE, found.output
    return found.stdout


def test_a_route_to_staff_is_held_against_its_own_provider(catalogue: Path) -> None:
    """Bitrix24 cuts at bytes, and has no title; what IMSHOP shows is no concern of its texts."""
    drawn = shown(catalogue, STAFF, "--locale", "ru")
    assert "imshop" not in drawn
    assert "bitrix24 text  ███░░░░░░░░░░░░░░░░░ 128 of 1000 bytes" in drawn
    (long, _) = json.loads(shown(catalogue, STAFF, "--locale", "ru", "-o", "json"))
    assert long["lengths"] == [
        {"provider": "bitrix24", "part": "text", "length": 128, "most": 1000, "unit": "bytes", "over": False}
    ]


def test_a_message_without_a_title_has_no_line_for_one(catalogue: Path) -> None:
    drawn = shown(catalogue, STAFF, "--locale", "ru").splitlines()
    assert drawn[2].startswith("│ Новый заказ М-428")
    assert "  text 81 characters" in drawn


@pytest.mark.parametrize("route", ["order-paid", "bonus-accrued"])
def test_a_route_to_customers_is_held_against_what_a_phone_shows(catalogue: Path, route: str) -> None:
    drawn = shown(catalogue, route)
    assert ("imshop title" in drawn, "bitrix24" in drawn) == (True, False)
