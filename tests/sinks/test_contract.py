"""Every provider keeps the contract; and a new one is a file, of which nothing else must be told."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import consumer.sinks
from consumer.app.setup import Setup, load_setup
from consumer.app.show import config_schema
from consumer.app.wiring import expected
from consumer.core.model import Verdict
from consumer.sinks.base import Provider, providers
from scripts.reference import documents
from tests.sinks.contract import CONTRACT
from tests.sinks.support import batch, reply

PAGE = Path(__file__).parents[2] / "docs" / "how-to-add-a-provider.md"

CONFIG = """
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops: {ducky: {}}
lanes:
  notes: {mode: shadow, provider: {type: ntfy, url: "https://ntfy.example/"}}
routes: routes
"""
ROUTE = """
- id: order-created
  on: order.created
  lane: notes
  to: event.customer
  ttl: 1h
  deliver_within: 5m
  wordings: [{title: "Заказ принят", text: "Мы уже собираем его"}]
"""


@pytest.mark.parametrize("word", CONTRACT, ids=lambda word: word.__name__)
@pytest.mark.parametrize("name", sorted(providers()))
def test_every_provider_keeps_its_word(name: str, word: Callable[[Provider[Any]], None]) -> None:
    word(providers()[name])


def page_files() -> dict[str, str]:
    """The Python of the page by the file that it is said to be."""
    blocks = re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return dict(blocks)


@pytest.fixture
def ntfy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The page's provider, as one more file in the package."""
    (tmp_path / "ntfy.py").write_text(page_files()["ntfy.py"], "utf-8")
    monkeypatch.setattr(consumer.sinks, "__path__", [*consumer.sinks.__path__, str(tmp_path)])
    providers.cache_clear()
    importlib.invalidate_caches()
    yield importlib.import_module("consumer.sinks.ntfy")
    sys.modules.pop("consumer.sinks.ntfy")
    delattr(consumer.sinks, "ntfy")
    providers.cache_clear()


def test_a_new_file_is_a_provider_of_which_nothing_else_was_told(ntfy: ModuleType, tmp_path: Path) -> None:
    assert providers()["ntfy"] is ntfy.PROVIDER
    for word in CONTRACT:
        word(ntfy.PROVIDER)
    page = documents()["providers.md"]
    assert "## ntfy" in page
    assert "| 429 | Deferred (a limit) |" in page


def test_its_lanes_are_read_checked_and_measured(ntfy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "a.yaml").write_text(ROUTE, "utf-8")
    path = tmp_path / "vestnik.yaml"
    path.write_text(CONFIG, "utf-8")
    setup = load_setup(path, {})
    assert isinstance(setup, Setup), setup
    assert [lane.provider for lane in expected(setup, "0").lanes] == ["ntfy"]
    path.write_text(CONFIG.replace("url:", "urll:"), "utf-8")
    assert 'did you mean "url"?' in str(load_setup(path, {}))
    assert "ntfy" in str(config_schema())


def test_the_table_on_the_page_holds(ntfy: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "test_ntfy.py"
    path.write_text(page_files()[path.name], "utf-8")
    spec = importlib.util.spec_from_file_location("test_ntfy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows: list[tuple[int, object, Verdict]] = module.TABLE
    config = ntfy.NtfyConfig.model_validate({"type": "ntfy"})
    assert len(rows) >= 9
    for status, body, verdict in rows:
        assert ntfy.judge(config, batch("orders"), reply(status, body)) == (verdict,), status
