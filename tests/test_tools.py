"""`make tools` finds out what is missing, and asks apt for just that."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# All that the script itself uses; whatever else a ring needs is missing there.
WORDS = ("bash", "dirname", "env", "xargs", "echo", "make")
STAND_INS = {"apt-get": "exit 0", "apt-cache": 'echo "$2 | 1"', "id": "echo 0"}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of programs without a compiler or a JDK, and with an apt that knows every package and installs none."""
    for word in WORDS:
        found = shutil.which(word)
        assert found is not None, word
        (tmp_path / word).symlink_to(found)
    for word, does in STAND_INS.items():
        (tmp_path / word).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / word).chmod(0o755)
    return tmp_path


def said(programs: Path, headers: Path) -> str:
    """What it says where these are all programs, and Python's headers lie in that folder."""
    (programs / "sitecustomize.py").write_text(
        f"import sysconfig\nfound = sysconfig.get_paths() | {{'include': {str(headers)!r}}}\n"
        "sysconfig.get_paths = lambda *given, **named: found\n"
    )
    variables = {"PATH": str(programs), "PYTHON": sys.executable, "PYTHONPATH": str(programs)}
    command = [programs / "bash", ROOT / "scripts" / "tools.sh"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_the_compiled_core_needs_is_asked_of_apt(bare: Path) -> None:
    found = said(bare, bare / "include")
    assert "tools: headers is missing" in found
    installing = found[found.index("tools: installing") :].split()
    assert "build-essential" in installing
    assert [package for package in installing if re.fullmatch(r"python3\.\d+-dev", package)]


def test_the_headers_are_looked_for_at_the_python_that_makes_the_environment(bare: Path) -> None:
    (bare / "include").mkdir()
    (bare / "include" / "Python.h").touch()
    found = said(bare, bare / "include")
    assert "tools: headers is here" in found
    assert "-dev" not in found
    assert "tools: make is here" in found
