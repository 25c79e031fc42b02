"""The house rules hold over the whole tree, and each rule can fail."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import pytest

from tests.tidy import deadlines, floors, habits, purity, repository, sizes
from tests.tidy.source import Source

FileRule = Callable[[Source], Iterator[str]]
TreeRule = Callable[[Sequence[Source]], Iterator[str]]
TextRule = Callable[[str, str], Iterator[str]]

FILE_RULES: tuple[FileRule, ...] = (
    floors.floors,
    floors.product_knows_no_tests,
    floors.third_parties,
    floors.private_names,
    purity.pure_imports,
    purity.pure_calls,
    purity.no_coroutines,
    purity.writers_stand_alone,
    sizes.file_size,
    sizes.function_size,
    sizes.module_docstring,
    sizes.nouns,
    sizes.tests_are_sentences,
    habits.orphan_tasks,
    habits.banned_calls,
    habits.prints,
    deadlines.endless_waits,
    habits.catches_everything,
    habits.sleeping_tests,
    habits.doubles_of_our_own,
)
TREE_RULES: tuple[TreeRule, ...] = (floors.circles, sizes.typical_size)
TEXT_RULES: tuple[TextRule, ...] = (repository.machine_paths, repository.mirror_hosts)

CORE, SINK, STREAM, ENGINE, TEST = (
    "consumer/core/a.py",
    "consumer/sinks/a.py",
    "consumer/streams/a.py",
    "consumer/engine/a.py",
    "tests/core/test_a.py",
)
WIDE = "try:\n    f()\nexcept Exception:\n    pass\n"
LONG = "def f() -> None:\n" + "    g()\n" * 61

HANDED_ON = """
async def f(consumer):
    async with asyncio.timeout(5):
        await g(consumer)

async def g(consumer):
    await consumer.commit({})
"""

BY_LAMBDA = """
async def f(specs):
    return await ask(lambda admin: g(admin, specs))

async def ask(work):
    async with asyncio.timeout(5):
        return await work(client())

async def g(admin, specs):
    await admin.create_topics(specs)
"""

# Each breaks the rule before it.
PLANTED: tuple[tuple[FileRule, str, str], ...] = (
    (floors.floors, CORE, "import consumer.engine.lane"),
    (floors.floors, SINK, "from consumer.streams import source"),
    (floors.floors, ENGINE, "from consumer.app.config import Config"),
    (floors.floors, "consumer/streams/inner/a.py", "from consumer.sinks.base import Reply"),
    (floors.floors, "schemas/a.py", "def f():\n    from consumer.core import model"),
    (floors.product_knows_no_tests, "consumer/app/a.py", "from tests.rings import RINGS"),
    (floors.third_parties, ENGINE, "import aiohttp"),
    (floors.third_parties, "consumer/app/a.py", "from aiokafka import AIOKafkaConsumer"),
    (floors.third_parties, STREAM, "from confluent_kafka import Producer"),
    (floors.private_names, "consumer/app/a.py", "from consumer.core.plan import _render"),
    (purity.pure_imports, CORE, "import asyncio"),
    (purity.pure_imports, CORE, "from time import monotonic"),
    (purity.pure_imports, CORE, "from pathlib import Path"),
    (purity.pure_imports, CORE, "import os.path"),
    (purity.pure_imports, "schemas/a.py", "import random"),
    (purity.pure_imports, "schemas/a.py", "import jinja2"),
    (purity.pure_calls, CORE, "import datetime\nx = datetime.datetime.now()"),
    (purity.pure_calls, CORE, "x = open('a')"),
    (purity.pure_calls, CORE, "def f(path):\n    return path.read_text()"),
    (purity.no_coroutines, CORE, "async def f(): ..."),
    (purity.writers_stand_alone, "consumer/app/a.py", "from schemas import generate"),
    (sizes.file_size, CORE, "x = 1\n" * 401),
    (sizes.file_size, TEST, "x = 1\n" * 601),
    (sizes.function_size, SINK, LONG),
    (sizes.module_docstring, CORE, "x = 1"),
    (sizes.nouns, CORE, "class LaneManager: ..."),
    (sizes.nouns, "consumer/core/utils.py", "x = 1"),
    (sizes.tests_are_sentences, TEST, "def test_plan(): ..."),
    (habits.orphan_tasks, ENGINE, "asyncio.create_task(f())"),
    (habits.orphan_tasks, ENGINE, "asyncio.get_running_loop().create_task(f())"),
    (habits.orphan_tasks, ENGINE, "_ = asyncio.ensure_future(f())"),
    (habits.orphan_tasks, ENGINE, "async def f():\n    task = asyncio.create_task(g())\n    await h()"),
    (habits.banned_calls, ENGINE, "time.sleep(1)"),
    (habits.banned_calls, CORE, "eval('1')"),
    (habits.banned_calls, CORE, "yaml.load(text, Loader=yaml.Loader)"),
    (habits.banned_calls, STREAM, "import pickle"),
    (habits.prints, ENGINE, "print('hello')"),
    (deadlines.endless_waits, STREAM, "async def f(self):\n    await self._consumer.stop()"),
    (deadlines.endless_waits, STREAM, "async def f(producer):\n    return await producer.send_and_wait('t', b'')"),
    (deadlines.endless_waits, STREAM, HANDED_ON + "\nasync def h(consumer):\n    await g(consumer)"),
    (habits.catches_everything, ENGINE, WIDE),
    (habits.catches_everything, ENGINE, WIDE.replace("Exception", "(OSError, BaseException)")),
    (habits.catches_everything, ENGINE, WIDE.replace(" Exception", "")),
    (habits.sleeping_tests, TEST, "async def f():\n    await asyncio.sleep(0.1)"),
    (habits.sleeping_tests, TEST, "time.sleep(1)"),
    (habits.doubles_of_our_own, TEST, "from unittest.mock import AsyncMock"),
)

# Each looks like a breach and is none.
ALLOWED: tuple[tuple[FileRule, str, str], ...] = (
    (floors.floors, ENGINE, "from consumer.core.model import Record\nfrom schemas.journal import Claim"),
    (floors.floors, "consumer/app/a.py", "from consumer.engine.lane import Lane"),
    (floors.third_parties, STREAM, "import aiokafka"),
    (floors.private_names, CORE, "from __future__ import annotations"),
    (purity.pure_imports, CORE, "from pathlib import PurePosixPath\nimport hashlib\nimport jinja2"),
    (purity.no_coroutines, "consumer/core/ports.py", "async def f(): ..."),
    (sizes.module_docstring, "consumer/core/__init__.py", ""),
    (sizes.tests_are_sentences, TEST, 'def test_plan():\n    """It plans."""'),
    (habits.orphan_tasks, ENGINE, "async def f(group):\n    group.create_task(g())"),
    (habits.orphan_tasks, ENGINE, "async def f():\n    task = asyncio.create_task(g())\n    await task"),
    (deadlines.endless_waits, STREAM, "async def f(c):\n    await asyncio.wait_for(c.consumer.stop(), 1)"),
    (
        deadlines.endless_waits,
        STREAM,
        "async def f(c):\n    async with asyncio.timeout(1):\n        await c.consumer.stop()",
    ),
    (deadlines.endless_waits, STREAM, HANDED_ON),
    (deadlines.endless_waits, STREAM, BY_LAMBDA),
    (habits.catches_everything, ENGINE, WIDE.replace("pass", "raise")),
    (habits.sleeping_tests, TEST, "async def f():\n    await asyncio.sleep(0)"),
    (habits.sleeping_tests, TEST, "from tests.virtual import run\nasync def f():\n    await asyncio.sleep(60)"),
)


@cache
def tree() -> tuple[Source, ...]:
    root = repository.ROOT
    paths = (path for path in repository.tracked() if path.suffix == ".py")
    return tuple(Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths)


@pytest.mark.parametrize("rule", FILE_RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: FileRule) -> None:
    assert not [breach for source in tree() for breach in rule(source)], rule.__doc__


@pytest.mark.parametrize("rule", TREE_RULES, ids=lambda rule: rule.__name__)
def test_the_whole_tree_keeps_the_rule(rule: TreeRule) -> None:
    assert not list(rule([source for source in tree() if source.is_product])), rule.__doc__


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.__name__)
def test_every_text_of_the_repository_keeps_the_rule(rule: TextRule) -> None:
    breaches: list[str] = []
    for path in repository.tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        breaches += rule(path.relative_to(repository.ROOT).as_posix(), text)
    assert not breaches, rule.__doc__


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_a_planted_breach_is_found(rule: FileRule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), ALLOWED)
def test_what_only_looks_like_a_breach_is_let_be(rule: FileRule, path: str, text: str) -> None:
    assert not list(rule(Source(path, text)))


def test_every_rule_has_a_planted_breach() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(FILE_RULES)


def test_a_circle_of_imports_is_found() -> None:
    first = Source("consumer/app/a.py", "from consumer.app import b")
    second = Source("consumer/app/b.py", "from consumer.app.a import x")
    assert list(floors.circles([first, second]))
    assert not list(floors.circles([first, Source("consumer/app/b.py", "x = 1")]))
    typing_only = Source("consumer/app/b.py", "if TYPE_CHECKING:\n    from consumer.app.a import X")
    assert not list(floors.circles([first, typing_only]))


def test_long_functions_are_counted_over_the_tree() -> None:
    long = Source(CORE, "".join(f"def f{number}():\n" + "    g()\n" * 45 for number in range(3)))
    assert len(list(sizes.typical_size([long]))) == 2


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (repository.machine_paths, "see /" + "home/somebody/notes"),
        (repository.machine_paths, 'path = "/' + 'root/cache"'),
        (repository.mirror_hosts, "https://pypi." + "example.org/simple"),
        (repository.mirror_hosts, "index: https://user:word@nexus." + "local/python"),
    ],
)
def test_a_text_that_speaks_of_one_machine_is_found(rule: TextRule, text: str) -> None:
    assert list(rule("docs/a.md", text))
    assert not list(rule("docs/a.md", "https://pypi.org/simple and consumer/work/home/x"))
