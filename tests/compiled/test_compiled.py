"""The compiled core says and does what the sources say: it passes their tests, and the worlds end as they should."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import compiled

ROOT = compiled.ROOT
SECONDS = 900
WORLDS = "0-60"


@pytest.fixture(scope="session")
def unpacked() -> Path:
    try:
        return compiled.built()
    except subprocess.CalledProcessError as error:
        pytest.fail(compiled.said(error))


def printed(unpacked: Path | None, arguments: Sequence[str], **more: str) -> str:
    """What Python says with the compiled core, or without any; fails where it does not end well."""
    chosen = {} if unpacked is None else compiled.environment(unpacked)
    variables = compiled.plain(os.environ) | chosen | more
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    return ended.stdout


def test_every_listed_module_is_machine_code(unpacked: Path) -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    hook = listed["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    names = [name.removesuffix(".py").replace("/", ".") for name in hook["modules"]]
    look = "import importlib, json, sys; print(json.dumps([importlib.import_module(n).__file__ for n in sys.argv[1:]]))"
    found = json.loads(printed(unpacked, ["-c", look, *names]))
    assert [Path(path).suffix for path in found] == [".so"] * len(names)
    assert all(Path(path).is_relative_to(unpacked) for path in found)


def test_the_command_line_tells_that_the_core_is_compiled(unpacked: Path) -> None:
    told = printed(unpacked, ["-m", "consumer.app.cli", "version", "--output", "json"])
    assert json.loads(told)["core"] == "compiled"


def test_the_tests_of_the_core_pass_with_it(unpacked: Path) -> None:
    assert " passed" in printed(unpacked, ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/core"])


def test_it_makes_the_same_of_strange_input_as_plain_python(unpacked: Path) -> None:
    """As text, so that a whole number where plain Python has a fraction is a difference too."""
    asked = ["-m", "tests.compiled.strange", "40", "1"]
    plain, made = (printed(core, asked, PYTHONHASHSEED="0").splitlines() for core in (None, unpacked))
    different = [pair for pair in zip(plain, made, strict=True) if pair[0] != pair[1]]
    assert different[:1] == []
    assert len(made) > 10_000


@pytest.mark.long
def test_the_tests_of_the_engine_pass_with_it(unpacked: Path) -> None:
    assert " passed" in printed(unpacked, ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/engine"])


@pytest.mark.long
def test_the_worlds_end_as_they_should_with_it(unpacked: Path, tmp_path: Path) -> None:
    asked = ["--seeds", WORLDS, "--processes", "1", "--results", str(tmp_path / "results.jsonl")]
    assert " 0 with violations" in printed(unpacked, ["-m", "tests.world", *asked])
