"""The loop and the collector of `vestnik run`."""

import asyncio
import gc
import importlib.util
from collections.abc import Iterator

import pytest

from consumer.app.loop import YOUNG, loop_factory, tame_collector


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_uvloop_is_taken_where_it_is_installed() -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert type(runner.get_loop()).__module__.startswith("uvloop")


def test_without_uvloop_the_loop_is_the_standard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert loop_factory() is None


@pytest.mark.usefixtures("collector")
def test_what_there_was_at_the_start_is_not_looked_at_again_and_the_rest_seldom() -> None:
    tame_collector()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] == YOUNG
