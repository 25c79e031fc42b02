"""`vestnik suppress`, and what check says of quiet hours, caps and the key of the hashes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, USAGE
from consumer.app.setup import Setup, load_setup
from consumer.app.wiring import hash_key, lane_settings, suppression_parts
from consumer.core.model import Cap, Trouble
from consumer.core.suppressions import fingerprint
from tests.app.support import CONFIG, ENVIRON, ROUTES, write

KEY = "0123456789abcdef0123"
LINES = """\
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
lanes:
  app-push: {provider: {type: console}, mode: live}
  staff: {provider: {type: console}, mode: live}
privacy: {hash_key: {file: hash.key}}
"""
BONUS = """\
- id: bonus-expiring
  on: bonus.expiring
  lane: app-push
  ttl: 3h
  wordings: [{title: Bonuses, text: Spend them}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, LINES)
    (tmp_path / "hash.key").write_text(KEY + "\n")
    (tmp_path / "hash.key").chmod(0o600)
    return tmp_path


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["suppress", *(str(word) for word in words)])


def listed(folder: Path) -> list[dict[str, object]]:
    result = call("list", "-c", folder, "-o", "json")
    assert result.exit_code == FINE, result.output
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


def hashed(recipient: str) -> str:
    return fingerprint(KEY.encode(), recipient).hex()


def test_recipients_are_listed_by_hash_and_taken_off_again(folder: Path) -> None:
    added = call("add", "123", "+7 (999) 123-45-67", "-c", folder, "--reason", "complaint", "--lane", "app-push")
    assert (added.exit_code, added.stdout) == (FINE, "2 listed.\n")
    assert {one["hash"] for one in listed(folder)} == {hashed("123"), hashed("79991234567")}
    assert {(one["reason"], *one["lanes"]) for one in listed(folder)} == {("complaint", "app-push")}  # type: ignore[misc]
    assert call("remove", "123", "-c", folder).stdout == "1 taken off the list.\n"
    assert [one["hash"] for one in listed(folder)] == [hashed("79991234567")]
    assert "7999" not in (folder / "out" / "vestnik.suppressions.jsonl").read_text()


def test_the_table_for_people_has_everything_but_the_name(folder: Path) -> None:
    call("add", "123", "-c", folder, "--until", "2026-12-31", "--lane", "staff", "--reason", "asked by mail")
    shown = call("list", "-c", folder).stdout
    assert shown == f"{hashed('123')} on staff until 2026-12-31T00:00:00+00:00  asked by mail\n1 listed.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lane", "nowhere"), 'unknown lane "nowhere"'),
        (("--until", "soon"), '"soon" is not a date'),
        (("--reason", "x" * 201), "more than 200 characters"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(folder: Path, words: tuple[str, ...], said: str) -> None:
    result = call("add", "123", "-c", folder, *words)
    assert (result.exit_code, said in result.stderr) == (USAGE, True)
    assert not (folder / "out").exists()


def test_without_a_key_there_is_no_list(tmp_path: Path) -> None:
    write(tmp_path, LINES.replace("privacy: {hash_key: {file: hash.key}}\n", ""))
    result = call("add", "123", "-c", tmp_path)
    assert (result.exit_code, "no privacy.hash_key" in result.stderr) == (FAILED, True)


# --- the configuration ------------------------------------------------------------------------------------------------


def setup_of(folder: Path, config: str, routes: str = ROUTES) -> Setup:
    found = load_setup(write(folder, config, routes), ENVIRON)
    assert isinstance(found, Setup), found
    return found


def mistakes(folder: Path, config: str) -> str:
    found = load_setup(write(folder, config), ENVIRON | {"SHORT": "x" * 15})
    assert isinstance(found, list)
    return "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("{slug: ducky}", '{quiet_hours: {from: "22:00"}}', 'the key "to" is missing'),
        ("{slug: ducky}", '{quiet_hours: {from: "25:00", to: "09:00"}}', "not a time of day"),
        ("{slug: ducky}", '{quiet_hours: {from: "09:00", to: "09:00"}}', "none, or all"),
        ("{slug: ducky}", '{quiet_hours: {from: "22:00", to: "09:00", policy: wait}}', "possible values"),
        ("mode: live", "caps: [{messages: 3, per: 9d}]", "vestnik.yaml:13: the cap's window is longer than the lane's"),
        ("mode: live", "caps: [{messages: 0, per: 1d}]", "greater than or equal to 1"),
        (
            "routes: routes",
            "privacy: {hash_key: {env: SHORT}}",
            "vestnik.yaml:14: the key has fewer than 16 characters",
        ),
        ("routes: routes", "privacy: {hash_key: secret}", "a secret is never written here"),
    ],
)
def test_mistakes_in_nights_caps_and_keys_are_told(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert sentence in mistakes(tmp_path, CONFIG.replace(old, new))


def test_a_night_that_is_longer_than_the_news_lives_is_a_warning(tmp_path: Path) -> None:
    nightly = CONFIG.replace("{slug: ducky}", '{quiet_hours: {from: "22:00", to: "09:00"}}')
    words = "route bonus-expiring: its ttl is shorter than the night of ducky, 11h"
    assert any(words in each for each in setup_of(tmp_path, nightly, BONUS).warnings)
    for other in ("  quiet: drop\n", "  quiet: off\n", "  ttl: 12h\n"):
        routes = BONUS.replace("  ttl: 3h\n", ("" if "ttl" in other else "  ttl: 3h\n") + other)
        assert not any("the night" in each for each in setup_of(tmp_path, nightly, routes).warnings)


def test_caps_without_marketing_are_a_warning(tmp_path: Path) -> None:
    capped = CONFIG.replace("mode: live", "caps: [{messages: 3, per: 7d}]")
    setup = setup_of(tmp_path, capped, BONUS)
    assert lane_settings(setup, "app-push", "me").caps == (Cap(3, 7 * 86_400.0),)
    assert any("no route of it is marketing" in each for each in setup.warnings)
    marketing = BONUS.replace("  ttl", "  marketing: true\n  ttl")
    assert not any("no route of it" in each for each in setup_of(tmp_path, capped, marketing).warnings)


def test_the_key_is_read_anew_and_must_be_hard_to_guess(tmp_path: Path) -> None:
    key = tmp_path / "hash.key"
    setup = setup_of(tmp_path, CONFIG + "privacy: {hash_key: {file: hash.key}}\n")
    missing = hash_key(setup)
    assert isinstance(missing, Trouble)
    assert "cannot be read" in missing.detail
    key.write_text("short")
    key.chmod(0o600)
    short = hash_key(setup)
    assert isinstance(short, Trouble)
    assert "fewer than 16" in short.detail
    key.write_text(KEY)
    assert hash_key(setup) == KEY.encode()
    parts = suppression_parts(setup, lambda _fact: None, "app-push")
    assert parts is not None
    assert parts.read_key() == KEY.encode()


def test_without_privacy_a_lane_has_no_list(tmp_path: Path) -> None:
    assert suppression_parts(setup_of(tmp_path, CONFIG), lambda _fact: None, "app-push") is None
