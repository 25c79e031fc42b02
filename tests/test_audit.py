"""The audit of the lock never takes silence for good news."""

from typing import Any

import pytest

from scripts.audit import exported, pinned, problems, told

REQUIREMENTS = """\
# exported
aiohttp==3.14.5 \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:01
PyYAML==6.0.2 ; python_version >= '3.11' \\
    --hash=sha256:02
"""
WANTED = frozenset({("aiohttp", "3.14.5"), ("pyyaml", "6.0.2")})
FINE: list[dict[str, Any]] = [
    {"name": "aiohttp", "version": "3.14.5", "vulns": []},
    {"name": "pyyaml", "version": "6.0.2", "vulns": []},
]
HOLE = {"id": "CVE-2026-1", "fix_versions": ["3.14.6"]}


def test_what_an_installation_here_would_have_is_read_from_the_export() -> None:
    assert pinned(REQUIREMENTS) == WANTED


def test_good_news_needs_every_package_looked_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(problems({"dependencies": FINE}, WANTED), 2) == 0
    assert capsys.readouterr().out == "no known hole in 2 packages, each of them looked up\n"


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({}, "aiohttp 3.14.5 was not looked up"),
        ({"dependencies": FINE[:1]}, "pyyaml 6.0.2 was not looked up"),
        ({"dependencies": [FINE[0], {"name": "pyyaml", "skip_reason": "not found"}]}, "not looked up: not found"),
        ({"dependencies": [{**FINE[0], "version": "3.14.4"}, FINE[1]]}, "aiohttp 3.14.5 was not looked up"),
        ({"dependencies": [{**FINE[0], "vulns": [HOLE]}, FINE[1]]}, "has CVE-2026-1; mended in 3.14.6"),
    ],
)
def test_a_hole_or_a_gap_fails(report: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(problems(report, WANTED), 2) == 1
    assert words in capsys.readouterr().out


def test_the_lock_pins_every_package_by_hash() -> None:
    text = exported("requirements.txt")
    entries = [line for line in text.splitlines() if "==" in line]
    assert len(pinned(text)) > 30
    assert text.count("--hash=sha256:") >= len(entries)


def test_the_list_of_what_is_installed_names_the_floors() -> None:
    assert '"aiohttp"' in (text := exported("cyclonedx1.5"))
    assert '"aiokafka"' in text
