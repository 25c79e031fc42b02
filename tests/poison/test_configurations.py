"""Configurations that would do harm are refused at the start, each with its sentence (rows E-9 and X-6)."""

from pathlib import Path

import pytest

from consumer.app.setup import Setup, load_setup
from tests.app.support import CONFIG, ROUTES, problems_of, write

SOURCES = "  sources: [shop.orders, shop.bonuses]\n"
REFUSED: dict[str, tuple[str, str]] = {
    "the dead letters are a source": (
        CONFIG.replace(SOURCES, "  sources: [shop.orders, dead]\n  dead_letters: dead\n"),
        "dead_letters is also a source: a dead letter would be read again and again",
    ),
    "the usual dead letters are a source": (
        CONFIG.replace(SOURCES, "  sources: [vestnik.dead-letters]\n"),
        "dead_letters is also a source",
    ),
    "a journal is a source": (
        CONFIG.replace(SOURCES, "  sources: [shop.orders, vestnik.journal.app-push]\n"),
        '"vestnik.journal.app-push" is a topic of ours and no source',
    ),
    "a backfill topic is a source": (
        CONFIG.replace(SOURCES, "  sources: [shop.orders, vestnik.backfill.app-push]\n"),
        "is a topic of ours and no source",
    ),
    "a tag that makes an object": (
        CONFIG.replace("ducky: {slug: ducky}", 'ducky: {slug: !!python/object/apply:os.system ["id"]}'),
        "YAML tags are not read here",
    ),
    "a tag of somebody's own": (CONFIG.replace("mode: live", "mode: !include secrets.yaml"), "YAML tags are not read"),
    "a billion laughs": (
        "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n" + CONFIG,
        "",
    ),
    "a secret in the file": (CONFIG.replace("key: {env: IMSHOP_KEY}", "key: canary"), "a secret is never written here"),
    "an address by plain http": (
        CONFIG.replace("https://push.example", "http://push.example"),
        "is reached by plain http",
    ),
    "an address with a password in it": (
        CONFIG.replace("https://push.example", "https://user:canary@push.example"),
        "without user name",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_words_without_its_secrets(name: str, tmp_path: Path) -> None:
    text, words = REFUSED[name]
    problems = problems_of(tmp_path, text)
    assert any(words in problem for problem in problems), problems
    assert "canary" not in " ".join(problems)


@pytest.mark.parametrize("file", ["vestnik.yaml", "routes/orders.yaml"])
def test_a_file_that_everybody_may_change_is_refused(file: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / file).chmod(0o666)
    found = load_setup(path, {})
    assert not isinstance(found, Setup)
    assert any("everybody on this machine may change this file" in str(problem) for problem in found)


def test_a_template_that_reaches_for_the_process_is_refused(tmp_path: Path) -> None:
    for text in (
        "{{ event.__class__.__mro__ }}",
        "{{ lipsum.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{{ 9**9**9 }}",
    ):
        found = load_setup(write(tmp_path, CONFIG, ROUTES.replace("Thank you", text, 1)), {})
        assert not isinstance(found, Setup), text


def test_the_environment_overrides_only_what_is_listed(tmp_path: Path) -> None:
    """Another variable with our name is said to do nothing."""
    found = load_setup(write(tmp_path), {"IMSHOP_KEY": "x", "VESTNIK_ROUTES": "/etc", "VESTNIK_LANES__A__MODE": "live"})
    assert isinstance(found, Setup)
    assert found.config.routes == "routes"
    assert sum("does nothing" in warning for warning in found.warnings) == 2
