"""Which core runs: told by the command line and the metrics."""

import json
from types import FunctionType

import pytest

from consumer.app import build
from consumer.core.memory import Memory
from tests.app.test_cli import call

# Whatever these tests run with: what is compiled is no function of Python's own.
RUNS = "plain" if isinstance(Memory.__init__, FunctionType) else "compiled"


def test_the_core_that_runs_is_the_one_that_is_told() -> None:
    assert build.core() == RUNS


@pytest.mark.parametrize(
    ("module", "core"), [("pydantic_core._pydantic_core", "compiled"), ("consumer.app.build", "plain")]
)
def test_machine_code_is_known_by_its_file(module: str, core: str) -> None:
    assert build.core(module) == core


def test_the_version_is_told_with_its_core() -> None:
    assert call("version").stdout == f"{build.version()} ({RUNS} core)\n"


def test_the_version_is_told_to_machines() -> None:
    assert json.loads(call("version", "-o", "json").stdout) == {"version": build.version(), "core": RUNS}
